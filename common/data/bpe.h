/* bpe.h - training a byte-level BPE vocabulary (Sennrich et al., arXiv:1508.07909).
 *
 * Deterministic: the most frequent pair is merged, ties go to the pair whose
 * left, then right token has the smaller id.  Counts are of pre-tokens.
 */
#ifndef TP_DATA_BPE_H
#define TP_DATA_BPE_H

#include "data/tokenizer.h"

enum bpe_pattern { BPE_PATTERN_CL100K_1DIGIT, BPE_PATTERN_CL100K, BPE_PATTERN_GPT2 };

struct bpe_trainer;
struct bpe_trainer *bpe_trainer_new(enum bpe_pattern pattern);
/* The texts of a record: `text`, or what is said in `messages`, `prompt`, `completion`. */
int bpe_trainer_add_record(struct bpe_trainer *b, const json_t *obj, struct err *err) WARN_UNUSED;
int64_t bpe_trainer_words(const struct bpe_trainer *b); /* distinct pre-tokens so far */
/* Learns merges until the vocabulary, special tokens included, has vocab_size entries (or no pair
 * occurs twice).  Special tokens get the ids after the vocabulary; <think> and </think> become added
 * tokens that are not special, since people read them.  Returns a tokenizer.json (new reference). */
json_t *bpe_trainer_finish(struct bpe_trainer *b, int64_t vocab_size, const char *const *specials,
                           int n_specials, struct err *err);
void bpe_trainer_free(struct bpe_trainer *b);

#endif
