/* code.h - the verifiers `code` and `code_stdio`: does a program pass its tests?
 *
 * The program is the response's last fenced block, or all of it.  It runs in a
 * sandbox (sandbox.h), and neither tests nor expected values are ever in there
 * with it:
 *   code, Python   tests run in a second sandbox; calls and plain results cross
 *                  between the two (python/peer.py)
 *   code, C        the program prints what the left sides of assert(F(..) == V)
 *                  are, a second program what the right sides are
 *   code_stdio     it reads a test's input, and its output is compared here
 * So a program that prints, exits, patches, walks frames or returns objects with
 * an __eq__ of their own gains nothing.  Not covered: tests that hand the expected
 * value to the solution (solution.check(x, 3)), or let objects of the solution's
 * own classes compare themselves; programs that know the answers by heart.
 *
 * A program that crashes or uses too much is wrong.  Truths:
 *   code        a string of tests, a list of them, or {"tests": .., "setup": ..,
 *               "entry_point": .., "language": "python"|"c"}; without
 *               ground_truth the record's own `test` and `entry_point`
 *               (HumanEval: Chen et al., arXiv:2107.03374) or `test_list` and
 *               `test_setup_code` (MBPP: Austin et al., arXiv:2108.07732)
 *   code_stdio  a list of {"input": .., "output": ..}, or {"inputs": [..],
 *               "outputs": [..], "language": ..}
 * Each may also be JSON in a string.
 */
#ifndef TP_REWARD_CODE_H
#define TP_REWARD_CODE_H

#include "base/opt.h"
#include "reward/verifier.h"

struct code_options {
    double seconds;      /* of CPU, for one run */
    int64_t memory_mib;  /* of one process */
    bool share;          /* score: the share of tests that pass, instead of all or nothing */
};
extern struct code_options code_options;
extern const struct opt code_option_table[];

int judge_code(const struct answer *answer, const json_t *truth, struct verdict *out,
               struct err *err);
int judge_code_stdio(const struct answer *answer, const json_t *truth, struct verdict *out,
                     struct err *err);
/* Two extracted programs: equal but for blanks at line ends. */
bool code_same(const char *a, const char *b);
void code_settings(struct strbuf *out);

#endif
