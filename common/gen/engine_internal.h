/* engine_internal.h - what engine.c and engine_slot.c share. */
#ifndef TP_GEN_ENGINE_INTERNAL_H
#define TP_GEN_ENGINE_INTERNAL_H

#include "gen/engine.h"

enum {
    PROMPT_ROWS = 512 /* most prompt rows in a step, so that long prompts do not stop the others */
};

/* One prompt, shared by neighbouring requests. */
struct prompt {
    int refs;
    int64_t n;
    int32_t ids[];
};

enum sequence_state { SEQ_WAITING, SEQ_RUNNING, SEQ_DONE };

struct sequence {
    struct gen_request req; /* prompt and stop_ids point to our copies */
    struct prompt *prompt;
    int32_t *stop_ids;
    enum sequence_state state;
    int64_t number; /* of the submission */
    int64_t slot, cached;
    int64_t planned; /* rows in this step */
    int64_t n_tokens, cap;
    int32_t *tokens, *versions;
    float *logprobs;
    double entropy;
    enum finish_reason finish;
};

/* What a slot's cache holds, also after its sequence is done. */
struct slot {
    struct sequence *seq;  /* NULL = free */
    struct prompt *prompt; /* or NULL */
    int64_t prompt_cached; /* of the prompt's positions */
    int32_t version;       /* of the weights they were computed with */
};

struct rows {
    int64_t n, cap, n_out, out_cap;
    int32_t *tokens, *slot, *pos;
    int32_t *out_rows;
    struct sequence **out_seq;
};

struct engine {
    struct model *m;
    struct kv_cache *cache;
    int64_t n_slots, cache_len, max_len;
    size_t cache_bytes; /* most that the cache may have, 0 = as much as it can use */
    struct slot *slots;
    /* seqs[head..tail) in submission order; those that wait are in [start..tail) */
    struct sequence **seqs;
    int64_t head, start, tail, cap;
    int64_t waiting, running, submitted, preempted, tokens_made;
    int32_t version;
    struct rows rows;
    int64_t drawn_cap; /* the arrays below hold as many rows */
    int32_t *drawn;
    float *logprobs, *entropy, *inv_temp;
    double *u;
    struct cut_lists cuts;
};

static inline struct prompt *prompt_ref(struct prompt *p)
{
    if (p)
        p->refs++;
    return p;
}

void prompt_unref(struct prompt *p);

/* -- engine_slot.c: which sequence is in which slot of the cache, and who has its pages -- */

/* Positions of the slots of a cache that has to hold `need`: doubled from what there is (0 = none). */
int64_t engine_cache_len(int64_t have, int64_t need, int64_t max_len);
/* Starts waiting sequences while there are free slots, and pages for them. */
int start_sequences(struct engine *e, struct err *err) WARN_UNUSED;
/* False if the sequence should wait for a neighbour that is running the same prompt. */
bool share_prompt(struct engine *e, struct sequence *s);
/* Pages for the sequence's first len positions, if need be those of younger sequences, which then wait and
 * start again; false if it is the youngest, and waits itself. */
bool get_pages(struct engine *e, struct sequence *s, int64_t len);
/* The sequence is done; what the slot holds may serve another. */
void leave_slot(struct engine *e, struct sequence *s);

#endif
