/* verifier_exec.h - the verifier `exec`: any program that reads and writes JSON lines.
 *
 * The command is started once in each worker and gets one line for each response:
 *     {"answer": what is judged, "response": all that was said, "ground_truth": ..., "record": {...}}
 * It answers each with one line, and flushes it:
 *     {"score": X}      X in [0, 1]; "extracted" and "detail", texts, may be there, too
 *     {"error": "why"}  no verdict
 * A command that ends, uses more CPU time for one line than allowed, does not answer in time or
 * answers anything else is killed with all that it has started, and there is no verdict; the next
 * response gets a new one.
 */
#ifndef TP_REWARD_VERIFIER_EXEC_H
#define TP_REWARD_VERIFIER_EXEC_H

#include "base/opt.h"
#include "reward/verifier.h"

extern const struct opt exec_option_table[];

/* An answer line, without its newline.  NO_VERDICT, with the reason, when it holds none. */
int exec_read_reply(const char *line, size_t n, struct verdict *out, struct err *err) WARN_UNUSED;

#endif
