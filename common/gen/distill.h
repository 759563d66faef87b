/* distill.h - asking a teacher: prompts in, the same records with an answer out.
 *
 * The teacher is a model on this machine (the engine) or an OpenAI-compatible
 * endpoint.  Each record gets the assistant's message at the end of `messages`
 * and `completion`, `finish_reason`, `model`, `usage`, `group`, `sample`; from a
 * local model also token ids and log-probabilities (formats as rollout-gen).
 * Output is in the order of the input unless asked otherwise.
 */
#ifndef TP_GEN_DISTILL_H
#define TP_GEN_DISTILL_H

#include "base/opt.h"
#include "data/chat.h"
#include "gen/sampler.h"
#include "model/model.h"
#include "net/http.h"

struct distill_options {
    const char *model; /* directory; or */
    const char *endpoint, *endpoint_model;
    const char *key_env, *key_file;
    bool key_required; /* a key source was named */
    bool old_max_tokens, send_seed;
    struct http_options http;
    struct model_options device;
    int tpl; /* enum chat_template */
    int64_t batch, max_length;
    int64_t kv_mib; /* MiB, most for keys and values; 0 = all that they can use */
    struct sampling sampling;
    int64_t max_tokens, samples;
    uint64_t seed;
    bool unordered;
    const char *out; /* journal; NULL = stdout */
};

int distill_run(const struct distill_options *o, const char **files, int n_files,
                struct err *err) WARN_UNUSED;

/* ---- between distill.c and the two teachers ---- */

struct task {
    struct task *next;
    json_t *obj; /* the record, shared by its samples */
    const char *file;
    int64_t line, group, sample;
    bool finished;
    json_t *result;  /* the record to write; NULL: given up, why says why */
    struct err why;
};

struct teacher {
    void *self;
    int64_t capacity; /* tasks it likes to have at hand */
    /* -1: this task cannot be done, why says why (the teacher is fine). */
    int (*submit)(void *self, struct task *t, struct err *why);
    /* Sets tasks finished; waits a moment if none is.  -1: the run must stop. */
    int (*work)(void *self, struct err *err);
    void (*free)(void *self);
};
int teacher_open_local(struct teacher *t, const struct distill_options *o, struct err *err) WARN_UNUSED;
int teacher_open_endpoint(struct teacher *t, const struct distill_options *o,
                          struct err *err) WARN_UNUSED;

/* The prompt as messages, a bare string as one user turn.  New reference; NULL = no prompt. */
json_t *distill_messages(const json_t *record);
/* The record with the answer: `message` is added to `messages` (stolen); others are the caller's. */
json_t *distill_record(const struct task *t, json_t *message, const char *completion, size_t n,
                       const char *finish_reason);
/* usage {prompt_tokens, completion_tokens, total_tokens}. */
json_t *distill_usage(int64_t prompt, int64_t completion);

#endif
