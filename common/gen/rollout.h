/* rollout.h - rollout-gen's work: prompts in, groups of sampled completions out.
 *
 * Records are submitted as they arrive and written in their order, a whole group
 * at a time, so that a pipe's reader never waits for a buffer to fill.
 */
#ifndef TP_GEN_ROLLOUT_H
#define TP_GEN_ROLLOUT_H

#include "gen/prompts.h"
#include "gen/sampler.h"

enum swap_mode { SWAP_INFLIGHT, SWAP_SEQUENCE };
extern const struct opt_enum swap_mode_names[];

struct rollout_options {
    const char *model, *follow; /* one may be NULL */
    int precision, device, weights, tpl, swap; /* enums of their headers */
    int64_t group, max_tokens, batch, max_prompt_tokens;
    int64_t kv_mib; /* MiB, most for keys and values; 0 = all that they can use */
    int64_t first_group; /* -1: where the trainer that is followed goes on, else 0 */
    struct sampling sampling;
    struct opt_list stop;
    bool ignore_eos;
    double follow_timeout;
    struct prompt_options prompts;
};

int rollout_run(const struct rollout_options *o, const char **files, int n_files,
                struct err *err) WARN_UNUSED;

#endif
