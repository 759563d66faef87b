/* vocab.h - what a model can read: its token ids, the tokenizer that makes them, its context. */
#ifndef TP_MODEL_VOCAB_H
#define TP_MODEL_VOCAB_H

#include "data/tokenizer.h"

/* The vocabulary of DIR's config.json: ids are below it. */
int vocab_size_load(const char *dir, int64_t *size, struct err *err) WARN_UNUSED;
/* The most positions of a sequence of that model. */
int context_size_load(const char *dir, int64_t *positions, struct err *err) WARN_UNUSED;
/* The vocabulary and the tokenizer beside it: owned, NULL if there is none.  A
 * tokenizer that makes ids the model lacks belongs to another model and is refused. */
int vocab_load(const char *dir, int64_t *size, struct tokenizer **tokenizer,
               struct err *err) WARN_UNUSED;

#endif
