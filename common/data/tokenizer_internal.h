/* tokenizer_internal.h - the parts of a tokenizer; for tokenizer*.c and bpe.c only.
 *
 *     text -> added tokens cut out -> NFC -> pre-tokens -> byte pairs merged -> ids
 *             tokenizer_added.c      _encode.c  _pre.c     _model.c
 */
#ifndef TP_DATA_TOKENIZER_INTERNAL_H
#define TP_DATA_TOKENIZER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

#include "data/tokenizer.h"

/* The byte alphabet of GPT-2: printable bytes stand for themselves, the others are U+0100 up. */
extern const char byte_level_gpt2_regex[];
extern const char byte_level_cl100k_regex[];
extern const char byte_level_cl100k_1digit_regex[];
/* Code point of each byte; alphabet order (ascending code points) in order[] if not NULL. */
void byte_level_alphabet(uint32_t code[256], uint8_t order[256]);
/* Appends bytes as text of the alphabet. */
void byte_level_spell(struct strbuf *out, const char *bytes, size_t n);
/* The reverse; false if some character is not of the alphabet (out is then as it was). */
bool byte_level_read(struct strbuf *out, const char *text, size_t n);

/* --- pre-tokenizer ------------------------------------------------------------------------- */
struct pre_step {
    pcre2_code *re;  /* NULL: no splitting */
    pcre2_code *new; /* for text with characters that PCRE2's Unicode may lack; slower */
    bool keep_matches, keep_gaps, add_prefix_space;
};
struct pretok {
    int n_steps, cap_steps;
    struct pre_step *steps;
    pcre2_match_context *limits;
    bool byte_level;
};
typedef int pretok_fn(void *arg, const char *piece, size_t n, struct err *err);

int pretok_from_json(struct pretok *p, const json_t *spec, struct err *err) WARN_UNUSED;
int pretok_from_regex(struct pretok *p, const char *regex, struct err *err) WARN_UNUSED;
/* One per thread at work: a match-data must not be shared. */
pcre2_match_data *pretok_match_data(void);
int pretok_split(const struct pretok *p, pcre2_match_data *data, const char *text, size_t n,
                 pretok_fn *fn, void *arg, struct err *err) WARN_UNUSED;
void pretok_release(struct pretok *p);

/* --- versions of Unicode (tokenizer_unicode.c) ---------------------------------------------- */
/* Has the text characters that the reference's regexes know and an older PCRE2 does not? */
bool unicode_has_new(const char *text, size_t n);
/* Appends those of a category ("L", "Nd") as ranges of a character class. */
void unicode_add_new(struct strbuf *out, const char *category, size_t n);
bool unicode_is_normal(const char *text, size_t n); /* surely: NFC would change nothing */
/* Where the next character stands that the reference's NFC leaves alone, though Unicode since has had
 * it as a mark or a part of another; n if there is none.  *bytes: its own. */
size_t unicode_find_plain(const char *text, size_t n, size_t from, size_t *bytes);

/* --- added tokens -------------------------------------------------------------------------- */
struct added_token {
    char *content; /* as decoded */
    char *match;   /* as looked for: normalized if the text is */
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};
struct added_set { /* by first byte, longest first */
    int n;
    const struct added_token **tokens;
    int first[257];
};
struct added_match {
    const struct added_token *token;
    size_t begin, end;
};
void added_set_build(struct added_set *s, const struct added_token *tokens, int n,
                     bool (*wanted)(const struct added_token *));
/* The first match at or after `from`; false = none. */
bool added_set_find(const struct added_set *s, const char *text, size_t n, size_t from,
                    struct added_match *m);
void added_set_release(struct added_set *s);

/* --- model --------------------------------------------------------------------------------- */
enum piece_kind { PIECE_NONE, PIECE_VOCAB, PIECE_ADDED, PIECE_SPECIAL };
struct piece {
    uint32_t offset, n;
    uint8_t kind;
};
struct merge_slot {
    uint32_t left, right; /* left == UINT32_MAX: empty */
    uint32_t rank, id;
};
struct bpe_model {
    int32_t n_ids; /* highest id + 1 */
    struct piece *pieces;
    struct strbuf bytes; /* of all pieces */
    int32_t byte_id[256]; /* -1 = not in the vocabulary */
    struct merge_slot *merges;
    uint64_t merge_mask;
    int32_t *by_bytes; /* hash of a vocabulary piece's bytes -> id */
    uint64_t by_bytes_mask;
    /* What merging a piece's own bytes gives: unknown, the piece, something else. */
    atomic_uchar *whole;
    bool ignore_merges;
};
struct bpe_scratch {
    int64_t cap, heap_cap;
    struct bpe_symbol *symbols;
    struct bpe_candidate *heap;
};
int bpe_model_from_json(struct bpe_model *m, const json_t *model, const json_t *added_tokens,
                        struct err *err) WARN_UNUSED;
int bpe_model_encode(const struct bpe_model *m, struct bpe_scratch *scratch, const char *piece,
                     size_t n, struct token_list *out, struct err *err) WARN_UNUSED;
void bpe_model_set_piece(struct bpe_model *m, int32_t id, enum piece_kind kind, const char *bytes,
                         size_t n);
int32_t bpe_model_find(const struct bpe_model *m, const char *bytes, size_t n); /* -1 = none */
void bpe_scratch_release(struct bpe_scratch *s);
void bpe_model_release(struct bpe_model *m);

/* --- all of it ----------------------------------------------------------------------------- */
#define TOKENIZER_MAX_ID ((1 << 24) - 1) /* so that a wrong id cannot ask for all memory */

#define TOOL_TEMPLATE "additional_chat_templates/tool_use.jinja"

struct tokenizer {
    struct bpe_model model;
    struct pretok pretok;
    bool nfc;
    int n_added;
    struct added_token *added;
    /* [TOKENIZE_SPECIAL?][looked for in normalized text?] */
    struct added_set sets[2][2];
    int32_t bos, eos, pad;
    bool add_bos; /* tokenizer_config.json's add_bos_token */
    int n_stop;
    int32_t *stop_ids;
    char *chat_template, *tool_template; /* tool_template: NULL, or for conversations with tools */
    struct jinja *jinja, *tool_jinja;    /* compiled; NULL: jinja_err, tool_err say why not */
    struct err jinja_err, tool_err;
    json_t *special_tokens;
    char digest[40];
};
/* NFC; a new string only if something changed (false = it is already normal). */
bool tokenizer_nfc(const char *text, size_t n, char **out, size_t *out_n);
/* tokenizer_load, and the document itself: a new reference in *doc, which is NULL before. */
struct tokenizer *tokenizer_load_doc(const char *path, json_t **doc, struct err *err);
int tokenizer_load_config(struct tokenizer *t, const char *dir, struct err *err) WARN_UNUSED;

#endif
