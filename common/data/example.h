/* example.h - what a record means to a model: token sequences with their side arrays.
 *
 * Accepts (formats.md sections 2, 3): `tokens` (+ `loss_mask`); `messages`;
 * `prompt` + `completion`; `text`; rollouts (`prompt_token_ids` + `token_ids` with
 * `logprobs`, `old_logprobs`, `ref_logprobs`, `policy_version`, `reward`, ...);
 * pairs (`prompt`, `chosen`, `rejected`, or chosen/rejected with the prompt
 * inside; `prompt_token_ids`, `chosen_token_ids`, `rejected_token_ids` win over
 * text).  Token ids are the truth where they are present; text is a view.
 */
#ifndef TP_DATA_EXAMPLE_H
#define TP_DATA_EXAMPLE_H

#include "data/chat.h"

struct example {
    int64_t n_tokens, n_prompt; /* the first n_prompt tokens are context */
    int32_t *tokens;            /* [n_tokens] owned, like all arrays */
    uint8_t *loss_mask;         /* [n_tokens] 1 = this token is trained on (predicted from the left) */
    /* [n_tokens], 0 outside the completion; NULL = not in the record */
    float *logprobs, *old_logprobs, *ref_logprobs;
    int32_t *policy_version;    /* [n_tokens], -1 in the prompt; or NULL */
    double reward, advantage;
    bool has_reward, has_advantage, truncated; /* finish_reason is "length" */
    bool cut;                                  /* the reader's max_tokens took its end away */
    double temperature, top_p, min_p;          /* what logprobs were sampled with; 1, 1, 0 */
    int64_t top_k;                             /* 0 = off */
    int64_t group, sample;                     /* -1 = none */
    int64_t group_size;                        /* 0 = not said */
    char *id;                                  /* or NULL */
};
void example_release(struct example *e);
bool example_trains(const struct example *e); /* some token is trained on */

/* t may be NULL when the record carries token ids. */
struct example_reader {
    const struct tokenizer *tokenizer;
    enum chat_template tpl;
    int64_t vocab_size;     /* ids are below it; 0 = the tokenizer's, without one any */
    int64_t max_tokens;     /* longer examples: truncated at the end if truncate, else an error; 0 = none */
    bool truncate;
    int64_t max_positions;  /* the model's context: a sequence of one token more is the longest; 0 = any */
    bool no_eos;            /* `text` and string completions do not end in eos */
};
/* A single sequence (SFT, language modelling, a rollout). */
int example_parse(const struct example_reader *r, const json_t *obj, struct example *out,
                  struct err *err) WARN_UNUSED;
/* A preference pair: two sequences with the same prompt.  Side arrays come from chosen_* and
 * rejected_* fields ("chosen_ref_logprobs"). */
int example_parse_pair(const struct example_reader *r, const json_t *obj, struct example *chosen,
                       struct example *rejected, struct err *err) WARN_UNUSED;
/* A prompt to generate from: `prompt_token_ids`, `messages` (a trailing assistant turn is dropped if
 * it is not the only one), or `prompt` (string: as it stands; messages: by template). */
int example_parse_prompt(const struct example_reader *r, const json_t *obj, struct token_list *out,
                         struct err *err) WARN_UNUSED;
/* Holds a sequence that comes by itself, as from a shard, to the reader's limits. */
int example_check(const struct example_reader *r, struct example *e, struct err *err) WARN_UNUSED;
bool example_is_pair(const json_t *obj);
bool example_has(const json_t *obj, const char *key); /* there, and not null */

#endif
