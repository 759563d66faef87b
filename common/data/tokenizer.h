/* tokenizer.h - byte-level BPE, Hugging Face tokenizer.json.
 *
 * Text is UTF-8; bytes that are not are encoded as U+FFFD.  User text is encoded
 * with special-token matching off (TOKENIZE_PLAIN), so data cannot forge a turn.
 * Thread-safe after loading.
 */
#ifndef TP_DATA_TOKENIZER_H
#define TP_DATA_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "data/json.h"

struct tokenizer;

enum tokenize_flags {
    TOKENIZE_PLAIN = 0,
    TOKENIZE_SPECIAL = 1 << 0 /* recognise added tokens in the text */
};

struct token_list {
    int64_t n, cap;
    int32_t *ids;
};
void token_list_add(struct token_list *t, int32_t id);
void token_list_release(struct token_list *t);

/* Loads DIR/tokenizer.json (plain or .zst) with tokenizer_config.json and generation_config.json
 * beside it when they exist; or a tokenizer.json given by its own path.  Pre-tokenizers other than
 * Split(regex)/ByteLevel/Digits and models other than byte-level BPE are refused by name. */
struct tokenizer *tokenizer_load(const char *path, struct err *err);
bool tokenizer_exists(const char *dir); /* tokenizer.json, or its .zst, is there */
struct tokenizer *tokenizer_from_json(const json_t *doc, const char *name, struct err *err);
void tokenizer_free(struct tokenizer *t);

/* Appends to out. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, unsigned flags,
                     struct token_list *out, struct err *err) WARN_UNUSED;
/* The same, but added tokens are recognised by where their bytes come from (enum jinja_origin, one a
 * byte of text): those of the template always, those inside an assistant's words if they are not
 * special or <think> or </think>, those of other data never. */
int tokenizer_encode_marked(const struct tokenizer *t, const char *text, const char *origin, size_t n,
                            struct token_list *out, struct err *err) WARN_UNUSED;
/* Where the last such token ends; 0 = there is none. */
size_t tokenizer_last_marked(const struct tokenizer *t, const char *text, const char *origin,
                             size_t n);
/* Raw bytes of the ids (may cut a UTF-8 sequence); added tokens that are special are left out when
 * skip_special.  An id out of range is an error. */
int tokenizer_decode_bytes(const struct tokenizer *t, const int32_t *ids, int64_t n, bool skip_special,
                           struct strbuf *out, struct err *err) WARN_UNUSED;
/* The same as valid UTF-8, U+FFFD for what does not decode. */
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, int64_t n, bool skip_special,
                     struct strbuf *out, struct err *err) WARN_UNUSED;

int32_t tokenizer_vocab_size(const struct tokenizer *t); /* highest id + 1 */
int32_t tokenizer_token_id(const struct tokenizer *t, const char *content); /* -1 = none */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
int32_t tokenizer_bos(const struct tokenizer *t); /* -1 = none */
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_pad(const struct tokenizer *t);
/* All ids that end a generation (generation_config's list, eos, the template's end of turn). */
int tokenizer_stop_ids(const struct tokenizer *t, const int32_t **ids);
const char *tokenizer_chat_template(const struct tokenizer *t); /* NULL = none */
struct jinja;
bool tokenizer_has_tool_template(const struct tokenizer *t); /* one named "tool_use" beside it */
/* The same, ready to render, or that for conversations with tools if there is one; NULL with err set if there
 * is none or it cannot be read. */
const struct jinja *tokenizer_jinja(const struct tokenizer *t, bool tools, struct err *err);
/* {"bos_token": "<s>", ...}: the names that tokenizer_config.json gives. */
const json_t *tokenizer_special_tokens(const struct tokenizer *t);
const char *tokenizer_digest(const struct tokenizer *t);        /* of tokenizer.json's bytes */
/* Copies tokenizer.json, tokenizer_config.json, chat_template.jinja, generation_config.json of src
 * that exist into dir (atomically each). */
int tokenizer_copy_files(const char *src, const char *dir, struct err *err) WARN_UNUSED;

#endif
