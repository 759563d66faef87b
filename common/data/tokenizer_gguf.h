/* tokenizer_gguf.h - a byte-level BPE tokenizer in a GGUF file, and back.
 *
 * llama.cpp knows how to cut text by the name in tokenizer.ggml.pre; a wrong one silently changes the
 * tokens, so only a pre_tokenizer that equals a named one is written:
 *   gpt-2      ByteLevel with its own regex
 *   smollm     single digits, then that
 *   qwen2      the cl100k regex with single digits
 *   dbrx       the cl100k regex with up to three digits; llama-bpe if ignore_merges
 * Other names for these splits are read, too.  llama.cpp does not normalize; whether
 * the tokenizer does (NFC) is kept in thinkpipe.normalizer.
 */
#ifndef TP_DATA_TOKENIZER_GGUF_H
#define TP_DATA_TOKENIZER_GGUF_H

#include "data/gguf.h"
#include "data/tokenizer.h"

/* What config.json says; counts where the tokenizer's own files say nothing.  -1 = none. */
struct tokenizer_ids {
    int32_t bos, pad;
    int n_eos;
    const int32_t *eos;
};

/* The tokenizer of DIR for a model of vocab_size (ids it has no token for are padding).  Of several
 * ids that end a text the file has room for two. */
int tokenizer_put_gguf(struct gguf_writer *w, const char *dir, int64_t vocab_size,
                       const struct tokenizer_ids *ids, struct err *err) WARN_UNUSED;
/* A model of token ids alone. */
void tokenizer_put_none(struct gguf_writer *w, const struct tokenizer_ids *ids);

/* Writes DIR/tokenizer.json and, with the chat template, tokenizer_config.json.  1 written, 0 the file
 * has no tokenizer. */
int tokenizer_from_gguf(const struct gguf_file *f, const char *dir, struct err *err) WARN_UNUSED;

#endif
