/* corpus_split.c - plain text to documents: whole files, paragraphs, lines, a pattern, a length. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"
#include "data/corpus_part.h"
#include "data/jsonl.h"
#include "data/utf8.h"

/* So that a hostile pattern ends in a fraction of a second instead of never. */
#define MATCH_LIMIT 10000000
#define DEPTH_LIMIT 100000
#define HEAP_LIMIT_KIB (64 << 10)

int corpus_open_split(struct corpus *c, struct err *err)
{
    static const char *const names[] = {"file", "paragraphs", "lines", "headings"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(c->o.split, names[i]) == 0) {
            c->split = (enum corpus_split)i;
            return 0;
        }
    }
    if (strncmp(c->o.split, "regex:", 6) != 0)
        return err_set(err,
                       "'%s' is no way to split: file, paragraphs, lines, headings or "
                       "regex:PATTERN",
                       c->o.split);
    int code;
    PCRE2_SIZE at;
    c->split = SPLIT_REGEX;
    c->regex = pcre2_compile((PCRE2_SPTR)c->o.split + 6, PCRE2_ZERO_TERMINATED,
                             PCRE2_UTF | PCRE2_MULTILINE, &code, &at, NULL);
    if (!c->regex) {
        PCRE2_UCHAR text[256];
        pcre2_get_error_message(code, text, sizeof text);
        return err_set(err, "'%s', character %zu: %s", c->o.split + 6, (size_t)at, (char *)text);
    }
    pcre2_jit_compile(c->regex, PCRE2_JIT_COMPLETE); /* slower without, not wrong */
    return 0;
}

void corpus_close_split(struct corpus *c)
{
    pcre2_code_free(c->regex);
}

/* Cutting to a length. */

/* Bytes of the first `chars` characters. */
static size_t char_bytes(const char *text, size_t n, int64_t chars)
{
    size_t i = 0;
    while (i < n && (chars > 0 || ((unsigned char)text[i] & 0xc0) == 0x80)) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            chars--;
        i++;
    }
    return i;
}

/* The end of the last `mark` that ends in (half, limit], 0 if there is none. */
static size_t last_mark(const char *text, size_t half, size_t limit, const char *mark)
{
    size_t m = strlen(mark);
    for (size_t end = limit; end > half && end >= m; end--)
        if (memcmp(text + end - m, mark, m) == 0)
            return end;
    return 0;
}

size_t corpus_cut(const char *text, size_t n, int64_t max_chars)
{
    size_t limit = char_bytes(text, n, max_chars);
    if (limit == n)
        return n;
    /* In the second half, so that pieces do not get tiny. */
    static const char *const marks[] = {"\n\n", "\n", " "};
    for (int i = 0; i < 3; i++) {
        size_t end = last_mark(text, limit / 2, limit, marks[i]);
        if (end)
            return end;
    }
    return limit;
}

/* Whole files and patterns. */

static int read_whole(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    struct strbuf *text = &c->line;
    ssize_t got;
    strbuf_clear(text);
    do {
        strbuf_reserve(text, 65536);
        got = stream_read(s, text->buf + text->len, 65536, err);
        if (got > 0)
            text->len += (size_t)got;
        if ((int64_t)text->len > c->o.max_bytes)
            return err_set(err, "'%s' holds more than %lld bytes (--max-bytes)", source,
                           (long long)c->o.max_bytes);
    } while (got > 0);
    return got < 0 ? -1 : 0;
}

static int split_regex(struct corpus *c, struct corpus_text *all, pcre2_match_data *match,
                       pcre2_match_context *limits, struct err *err)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)all->text;
    struct corpus_text t = *all;
    size_t from = 0, search = 0;
    int rc = 1;
    while (rc > 0 && from < all->n) {
        /* The text was repaired; checking it again for each match would be quadratic. */
        rc = search <= all->n
                 ? pcre2_match(c->regex, subject, all->n, search, PCRE2_NO_UTF_CHECK, match, limits)
                 : PCRE2_ERROR_NOMATCH;
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            return err_set(err, "'%s': the pattern fails here (PCRE2 error %d)", all->source, rc);
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
        size_t begin = rc < 0 ? all->n : at[0], end = rc < 0 ? all->n : at[1];
        if (end < begin) /* \K in a look-ahead */
            end = begin;
        t.text = all->text + from;
        t.n = begin > from ? begin - from : 0;
        t.offset = all->offset + (int64_t)from;
        if (t.n && corpus_emit(c, &t, err) < 0)
            return -1;
        from = end > from ? end : from;
        search = end;
        if (begin == end) /* an empty match: look on behind the next character */
            search += char_bytes(all->text + search, all->n - search, 1) + (search == all->n);
    }
    return 0;
}

static int split_whole(struct corpus *c, struct corpus_text *all, struct err *err)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(c->regex, NULL);
    if (!limits || !match)
        BUG("no memory for a match");
    pcre2_set_match_limit(limits, MATCH_LIMIT);
    pcre2_set_depth_limit(limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
    strbuf_clear(&c->piece);
    c->counts.repaired += utf8_repair(&c->piece, all->text, all->n);
    all->text = c->piece.buf;
    all->n = c->piece.len;
    int rc = split_regex(c, all, match, limits, err);
    pcre2_match_data_free(match);
    pcre2_match_context_free(limits);
    return rc;
}

static size_t bom_bytes(const struct strbuf *s)
{
    return s->len >= 3 && memcmp(s->buf, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static int read_at_once(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    if (read_whole(c, s, source, err) < 0)
        return -1;
    size_t bom = bom_bytes(&c->line);
    struct corpus_text all = {source, c->line.buf + bom, c->line.len - bom, (int64_t)bom, NULL};
    return c->split == SPLIT_REGEX ? split_whole(c, &all, err) : corpus_emit(c, &all, err);
}

/* Lines and paragraphs. */

static bool is_blank(const struct strbuf *s)
{
    return s->len == strspn(s->buf, " \t\r\f\v");
}

static int emit_collected(struct corpus *c, const char *source, int64_t offset, struct err *err)
{
    struct corpus_text t = {source, c->piece.buf, c->piece.len, offset, NULL};
    int rc = t.n ? corpus_emit(c, &t, err) : 0;
    strbuf_clear(&c->piece);
    return rc;
}

/* An ATX heading of Markdown (CommonMark 4.2) outside of blocks of code. */
static bool is_heading(struct corpus *c)
{
    const char *p = c->line.buf + strspn(c->line.buf, " ");
    if (p - c->line.buf > 3)
        return false;
    if (strncmp(p, "```", 3) == 0 || strncmp(p, "~~~", 3) == 0)
        c->in_fence = !c->in_fence;
    size_t n = strspn(p, "#");
    return !c->in_fence && n >= 1 && n <= 6 && (p[n] == ' ' || p[n] == '\t' || !p[n]);
}

/* Adds the line in c->line to the piece and says whether the piece ends here. */
static bool collect(struct corpus *c, int64_t at, int64_t *begin)
{
    if (is_blank(&c->line) && (c->split != SPLIT_HEADINGS || c->piece.len == 0))
        return c->split != SPLIT_HEADINGS;
    if (c->piece.len == 0)
        *begin = at;
    else
        strbuf_addc(&c->piece, '\n');
    strbuf_add(&c->piece, c->line.buf, c->line.len);
    return c->split == SPLIT_LINES;
}

static int read_by_line(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    int64_t line = 0, begin = 0;
    int rc = 1;
    c->in_fence = false;
    strbuf_clear(&c->piece);
    while (rc > 0) {
        int64_t at = stream_offset(s);
        struct err why = {0};
        rc = stream_line(s, &c->line, (size_t)jsonl_options.max_line_bytes, NULL, &why);
        if (rc == 0)
            break;
        line++;
        if (rc < 0 && stream_line_too_long(s))
            rc = corpus_bad(c, source, line, c->line.buf, c->line.len, &why) < 0 ? -1 : 1;
        else if (rc > 0 && line == 1 && bom_bytes(&c->line)) {
            c->line.len -= 3;
            memmove(c->line.buf, c->line.buf + 3, c->line.len + 1);
            at += 3;
        }
        if (rc < 0) {
            *err = why;
            return -1;
        }
        bool heading = c->split == SPLIT_HEADINGS && is_heading(c);
        if (heading && emit_collected(c, source, begin, err) < 0)
            return -1;
        if (!stream_line_too_long(s) && collect(c, at, &begin) &&
            emit_collected(c, source, begin, err) < 0)
            return -1;
        if ((int64_t)c->piece.len > c->o.max_bytes)
            return err_set(err, "'%s': a paragraph has more than %lld bytes (--max-bytes)", source,
                           (long long)c->o.max_bytes);
    }
    return emit_collected(c, source, begin, err);
}

int corpus_read_text(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    return c->split == SPLIT_LINES || c->split == SPLIT_PARAGRAPHS || c->split == SPLIT_HEADINGS
               ? read_by_line(c, s, source, err)
               : read_at_once(c, s, source, err);
}
