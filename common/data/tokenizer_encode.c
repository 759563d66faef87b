/* tokenizer_encode.c - text to ids and back. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/jinja.h"
#include "data/tokenizer_internal.h"
#include "data/utf8.h"

/* One call's working memory; nothing outlives the call, so threads share only the tokenizer. */
struct encoder {
    const struct tokenizer *t;
    const struct added_set *sets; /* [2]: looked for in raw text, in normalized text */
    pcre2_match_data *data;
    struct bpe_scratch scratch;
    struct token_list *out;
};

static void add_nfc(struct strbuf *out, const char *text, size_t n)
{
    utf8proc_uint8_t *normal = NULL;
    if (n == 0)
        return;
    utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n,
                                        &normal, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (len < 0)
        BUG("normalizing %zu bytes: %s", n, utf8proc_errmsg(len));
    strbuf_add(out, (char *)normal, (size_t)len);
    free(normal);
}

bool tokenizer_nfc(const char *text, size_t n, char **out, size_t *out_n)
{
    struct strbuf normal = {0};
    if (unicode_is_normal(text, n))
        return false;
    for (size_t done = 0, bytes; done < n; done += bytes) {
        size_t plain = unicode_find_plain(text, n, done, &bytes);
        add_nfc(&normal, text + done, plain - done);
        bytes = plain < n ? bytes : 0;
        strbuf_add(&normal, text + plain, bytes);
        bytes += plain - done;
    }
    *out = strbuf_detach(&normal, out_n);
    return true;
}

static int encode_piece(void *arg, const char *piece, size_t n, struct err *err)
{
    struct encoder *e = arg;
    return bpe_model_encode(&e->t->model, &e->scratch, piece, n, e->out, err);
}

static int encode_normal(struct encoder *e, const char *text, size_t n, struct err *err)
{
    struct added_match m;
    size_t done = 0;
    while (added_set_find(&e->sets[1], text, n, done, &m)) {
        if (pretok_split(&e->t->pretok, e->data, text + done, m.begin - done, encode_piece, e,
                         err) < 0)
            return -1;
        token_list_add(e->out, m.token->id);
        done = m.end;
    }
    return pretok_split(&e->t->pretok, e->data, text + done, n - done, encode_piece, e, err);
}

static int encode_gap(struct encoder *e, const char *text, size_t n, struct err *err)
{
    char *normal;
    size_t n_normal;
    if (!e->t->nfc || !tokenizer_nfc(text, n, &normal, &n_normal))
        return encode_normal(e, text, n, err);
    int rc = encode_normal(e, normal, n_normal, err);
    free(normal);
    return rc;
}

static int encode_valid(struct encoder *e, const char *text, size_t n, struct err *err)
{
    struct added_match m;
    size_t done = 0;
    while (added_set_find(&e->sets[0], text, n, done, &m)) {
        if (encode_gap(e, text + done, m.begin - done, err) < 0)
            return -1;
        token_list_add(e->out, m.token->id);
        done = m.end;
    }
    return encode_gap(e, text + done, n - done, err);
}

/* --- text that knows where it comes from ------------------------------------------------------ */

static bool is_allowed(const struct added_token *a, const char *origin, size_t n)
{
    bool own = !a->special || strcmp(a->content, "<think>") == 0 ||
               strcmp(a->content, "</think>") == 0;
    for (size_t i = 0; i < n; i++)
        if (origin[i] != JINJA_TEMPLATE && !(own && origin[i] == JINJA_ASSISTANT))
            return false;
    return true;
}

/* As added_set_find(), for a token whose own bytes may be one. */
static bool find_allowed(const struct added_set *s, const char *text, const char *origin, size_t n,
                         size_t from, struct added_match *m)
{
    for (size_t at = from; added_set_find(s, text, n, at, m);) {
        size_t len = strlen(m->token->match);
        const char *own = memmem(text + m->begin, m->end - m->begin, m->token->match, len);
        if (is_allowed(m->token, origin + (own - text), len))
            return true;
        at = (size_t)(own - text) + 1;
    }
    return false;
}

/* The next tokens of both kinds, each looked for once. */
struct search {
    const struct tokenizer *t;
    const char *text, *origin;
    size_t n;
    struct added_match next[2];
    bool none[2], known[2];
};

static bool search_next(struct search *s, size_t from, struct added_match *m)
{
    bool found = false;
    for (int k = 0; k < 2; k++) {
        if (!s->none[k] && (!s->known[k] || s->next[k].begin < from)) {
            s->known[k] = find_allowed(&s->t->sets[1][k], s->text, s->origin, s->n, from,
                                       &s->next[k]);
            s->none[k] = !s->known[k];
        }
        if (s->known[k] && !s->none[k] && (!found || s->next[k].begin < m->begin)) {
            *m = s->next[k];
            found = true;
        }
    }
    return found;
}

size_t tokenizer_last_marked(const struct tokenizer *t, const char *text, const char *origin,
                             size_t n)
{
    struct search s = {.t = t, .text = text, .origin = origin, .n = n};
    struct added_match m;
    size_t end = 0;
    while (search_next(&s, end, &m))
        end = m.end;
    return end;
}

static int encode_marked(struct encoder *e, const char *text, const char *origin, size_t n,
                         struct err *err)
{
    struct search s = {.t = e->t, .text = text, .origin = origin, .n = n};
    struct added_match m;
    size_t done = 0;
    while (search_next(&s, done, &m)) {
        if (encode_valid(e, text + done, m.begin - done, err) < 0)
            return -1;
        token_list_add(e->out, m.token->id);
        done = m.end;
    }
    return encode_valid(e, text + done, n - done, err);
}

/* --- entrances ---------------------------------------------------------------------------------- */

static int encode(struct encoder *e, const char *text, const char *origin, size_t n,
                  struct err *err)
{
    int64_t before = e->out->n;
    if (n == 0)
        return 0;
    e->data = pretok_match_data();
    int rc = origin ? encode_marked(e, text, origin, n, err) : encode_valid(e, text, n, err);
    if (rc < 0)
        e->out->n = before;
    bpe_scratch_release(&e->scratch);
    pcre2_match_data_free(e->data);
    return rc;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t n, unsigned flags,
                     struct token_list *out, struct err *err)
{
    struct encoder e = {.t = t, .out = out, .sets = t->sets[(flags & TOKENIZE_SPECIAL) != 0]};
    struct strbuf repaired = {0};
    if (utf8_valid_prefix(text, n) < n) {
        utf8_repair(&repaired, text, n);
        text = repaired.buf;
        n = repaired.len;
    }
    int rc = encode(&e, text, NULL, n, err);
    strbuf_release(&repaired);
    return rc;
}

int tokenizer_encode_marked(const struct tokenizer *t, const char *text, const char *origin, size_t n,
                            struct token_list *out, struct err *err)
{
    struct encoder e = {.t = t, .out = out, .sets = t->sets[0]};
    if (utf8_valid_prefix(text, n) < n)
        return err_set(err, "the rendered conversation is not UTF-8");
    return encode(&e, text, origin, n, err);
}

int tokenizer_decode_bytes(const struct tokenizer *t, const int32_t *ids, int64_t n,
                           bool skip_special, struct strbuf *out, struct err *err)
{
    const struct bpe_model *m = &t->model;
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= m->n_ids)
            return err_set(err, "token id %d is not between 0 and %d", ids[i], m->n_ids - 1);
        const struct piece *p = &m->pieces[ids[i]];
        if (p->n > 0 && !(skip_special && p->kind == PIECE_SPECIAL))
            strbuf_add(out, m->bytes.buf + p->offset, p->n);
    }
    return 0;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, int64_t n, bool skip_special,
                     struct strbuf *out, struct err *err)
{
    struct strbuf bytes = {0};
    int rc = tokenizer_decode_bytes(t, ids, n, skip_special, &bytes, err);
    strbuf_reserve(out, bytes.len + 1);
    if (rc == 0 && bytes.len > 0)
        utf8_repair(out, bytes.buf, bytes.len);
    strbuf_release(&bytes);
    return rc;
}
