/* engine.h - continuous batching: many sequences through one cached model.
 *
 * Requests wait in order; a finished sequence's slot goes to the next one at
 * once.  Neighbouring requests with the same prompt share it: it is run once and
 * read by all.  Tokens and log-probabilities of a request depend on the
 * request alone (batch invariance of the ops), so any --batch gives the same
 * bytes.
 *
 *     engine_submit(e, &req);                     // copies the request
 *     while (engine_busy(e)) {
 *         engine_step(e, &err);                   // one forward over all rows
 *         while (engine_next(e, &result)) ...     // results in submission order
 *     }
 */
#ifndef TP_GEN_ENGINE_H
#define TP_GEN_ENGINE_H

#include "gen/sampler.h"
#include "model/memory.h"

enum finish_reason { FINISH_STOP, FINISH_LENGTH };
const char *finish_reason_name(enum finish_reason r); /* "stop", "length" */

struct gen_request {
    const int32_t *prompt;
    int64_t n_prompt, max_tokens; /* max_tokens is cut to what the context has left */
    struct sampling sampling;
    uint64_t seed, record, sample; /* the random stream */
    const int32_t *stop_ids;
    int n_stop_ids;
    /* Called after each token with the ids so far, to stop on text; NULL = never. */
    bool (*stop_text)(void *arg, const int32_t *tokens, int64_t n);
    void *stop_arg;
    void *user; /* handed back */
};

struct gen_result {
    void *user;
    uint64_t record, sample;
    int64_t n_prompt, n_tokens;
    int32_t *prompt;          /* [n_prompt] */
    int32_t *tokens;          /* [n_tokens] the completion, stop token included */
    float *logprobs;          /* [n_tokens] under the distribution sampled from */
    int32_t *policy_version;  /* [n_tokens] version of the weights that produced each token */
    double mean_entropy;      /* of softmax(logits / temperature), before any cut */
    enum finish_reason finish;
};
void gen_result_release(struct gen_result *r);

/* What is asked of an engine. */
struct engine_load {
    int64_t slots, group;       /* sequences at once, and how many of them share a prompt */
    int64_t prompt, max_tokens; /* of a sequence */
    bool follows;               /* the weights are replaced while sequences run */
};
/* What an engine over m (or its outline) needs, with the model. */
struct memory_plan engine_memory_plan(struct model *m, const struct engine_load *l);

struct engine;
/* max_len: most positions of a sequence, prompt included; 0 = the model's max_seq_len.  The cache
 * starts small and grows to what the requests need, or to what the device has: then sequences wait for each other. */
struct engine *engine_new(struct model *m, int64_t n_slots, int64_t max_len, struct err *err);
/* Fails if the prompt is empty, too long, or holds ids outside the vocabulary. */
int engine_submit(struct engine *e, const struct gen_request *r, struct err *err) WARN_UNUSED;
bool engine_busy(const struct engine *e);       /* a sequence waits or runs */
int64_t engine_waiting(const struct engine *e); /* submitted, not started */
int64_t engine_running(const struct engine *e);
int engine_step(struct engine *e, struct err *err) WARN_UNUSED;
bool engine_next(struct engine *e, struct gen_result *out);
/* The model's weights were replaced: later tokens carry this version.  Caches of running sequences
 * are kept (as vLLM does in in-flight updates); sequences started from now on share no older
 * cache. */
void engine_set_version(struct engine *e, int32_t version);
int64_t engine_tokens(const struct engine *e); /* generated so far */
/* Most memory for keys and values, before the first step; 0 = as much as the sequences can use.  The longest
 * sequence must fit; the results are the same. */
void engine_limit_cache(struct engine *e, size_t bytes);
int64_t engine_preempted(const struct engine *e); /* times that a sequence gave up its place, and started again */
void engine_free(struct engine *e);

#endif
