/* sampling.h - what rollout-gen and distill-gen say of a sampled completion, and where it ends. */
#ifndef TP_GEN_SAMPLING_H
#define TP_GEN_SAMPLING_H

#include "data/json.h"
#include "data/tokenizer.h"
#include "gen/sampler.h"
#include "model/config.h"

/* {temperature, top_p, top_k, min_p}; new reference. */
json_t *sampling_json(const struct sampling *s);
/* Adds what the tokenizer's files (t may be NULL) and the model's config say ends an answer, each once. */
void sampling_stop_ids(struct token_list *out, const struct tokenizer *t, const struct model_config *c);

#endif
