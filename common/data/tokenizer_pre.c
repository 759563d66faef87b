/* tokenizer_pre.c - cutting text into pre-tokens with the tokenizer's regexes.
 *
 * The reference implementation matches with Oniguruma; PCRE2 with UTF and UCP gives
 * the same matches but for \s and new characters, so the patterns are rewritten.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_internal.h"

#define MATCH_LIMIT 100000000 /* ends a regex that backtracks without end */

const char byte_level_gpt2_regex[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

#define CL100K(digits)                                                                             \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const char byte_level_cl100k_regex[] = CL100K("\\p{N}{1,3}");
const char byte_level_cl100k_1digit_regex[] = CL100K("\\p{N}");

/* PCRE2's \s contains U+180E, which stopped being a space in Unicode 6.3, so the spaces are
 * listed instead.  A \S inside a class cannot be written so and is left to PCRE2. */
#define SPACES                                                                                     \
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"    \
    "\\x{3000}"

/* The length of "\p{L}" and the like, or of "\d"; 0 = something else. */
static size_t property_at(const char *p, const char **category, size_t *n)
{
    const char *end = p[1] == 'p' && p[2] == '{' ? strchr(p, '}') : NULL;
    *category = end ? p + 3 : "Nd";
    *n = end ? (size_t)(end - p) - 3 : 2;
    return end ? (size_t)(end - p) + 1 : p[1] == 'd' ? 2 : 0;
}

/* Appends the property with the characters that have it since. */
static void extend_property(struct strbuf *out, const char *p, size_t len, const char *category, size_t n,
                            bool in_class)
{
    if (!in_class)
        strbuf_addc(out, '[');
    strbuf_add(out, p, len);
    unicode_add_new(out, category, n);
    if (!in_class)
        strbuf_addc(out, ']');
}

/* new: classes have the characters of later versions of Unicode. */
static void rewrite(struct strbuf *out, const char *regex, bool new)
{
    bool in_class = false;
    const char *category;
    size_t n, len;
    for (const char *p = regex; *p; p++) {
        if (*p == '\\' && p[1]) {
            if (p[1] == 's')
                strbuf_adds(out, in_class ? SPACES : "[" SPACES "]");
            else if (p[1] == 'S' && !in_class)
                strbuf_adds(out, "[^" SPACES "]");
            else if (new && (len = property_at(p, &category, &n)) > 0) {
                extend_property(out, p, len, category, n, in_class);
                p += len - 2;
            } else
                strbuf_add(out, p, 2);
            p++;
            continue;
        }
        if (*p == '[')
            in_class = true;
        else if (*p == ']')
            in_class = false;
        strbuf_addc(out, *p);
    }
}

static pcre2_code *compile(const char *regex, bool literal, bool new, struct err *err)
{
    struct strbuf text = {0};
    int number;
    PCRE2_SIZE offset;
    uint32_t flags = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);

    if (literal)
        strbuf_adds(&text, regex);
    else
        rewrite(&text, regex, new);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)text.buf, text.len, flags, &number, &offset, NULL);
    strbuf_release(&text);
    if (!re) {
        PCRE2_UCHAR why[256];
        pcre2_get_error_message(number, why, sizeof why);
        err_set(err, "cannot compile the pre-tokenizer's pattern '%s': %s", regex, (char *)why);
        return NULL;
    }
    pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* where there is no JIT, matching is only slower */
    return re;
}

static struct pre_step *add_step(struct pretok *p)
{
    GROW(p->steps, p->n_steps, p->cap_steps);
    struct pre_step *step = &p->steps[p->n_steps++];
    *step = (struct pre_step){.keep_matches = true, .keep_gaps = true};
    if (!p->limits) {
        p->limits = pcre2_match_context_create(NULL);
        if (!p->limits)
            BUG("no memory for a match context");
        pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    }
    return step;
}

static int compile_step(struct pre_step *step, const char *regex, bool literal, struct err *err)
{
    step->re = compile(regex, literal, false, err);
    if (step->re && !literal)
        step->new = compile(regex, false, true, err);
    return step->re && (literal || step->new) ? 0 : -1;
}

int pretok_from_regex(struct pretok *p, const char *regex, struct err *err)
{
    p->byte_level = true;
    return compile_step(add_step(p), regex, false, err);
}

static int split_from_json(struct pretok *p, const json_t *spec, struct err *err)
{
    const json_t *pattern = json_object_get(spec, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const char *behavior;
    bool invert = false;

    if (json_get_str(spec, "behavior", &behavior, err) < 0 ||
        json_opt_bool(spec, "invert", &invert, err) < 0)
        return -1;
    if (!regex && !literal)
        return err_set(err, "pre_tokenizer 'Split' has no pattern of kind Regex or String");
    bool removed = strcmp(behavior, "Removed") == 0;
    if (!removed && strcmp(behavior, "Isolated") != 0)
        return err_set(err, "pre_tokenizer 'Split' with behavior '%s' is not supported", behavior);
    struct pre_step *step = add_step(p);
    if (removed)
        step->keep_matches = invert, step->keep_gaps = !invert;
    return compile_step(step, regex ? regex : literal, !regex, err);
}

static int byte_level_from_json(struct pretok *p, const json_t *spec, struct err *err)
{
    bool prefix = true, use_regex = true; /* the reference's defaults */
    if (json_opt_bool(spec, "add_prefix_space", &prefix, err) < 0 ||
        json_opt_bool(spec, "use_regex", &use_regex, err) < 0)
        return -1;
    struct pre_step *step = add_step(p);
    step->add_prefix_space = prefix;
    p->byte_level = true;
    return use_regex ? compile_step(step, byte_level_gpt2_regex, false, err) : 0;
}

static int digits_from_json(struct pretok *p, const json_t *spec, struct err *err)
{
    bool individual = false;
    if (json_opt_bool(spec, "individual_digits", &individual, err) < 0)
        return -1;
    return compile_step(add_step(p), individual ? "\\p{N}" : "\\p{N}+", false, err);
}

static int sequence_from_json(struct pretok *p, const json_t *spec, struct err *err)
{
    const json_t *list = json_object_get(spec, "pretokenizers"), *item;
    size_t i;
    if (!json_is_array(list))
        return err_set(err, "pre_tokenizer 'Sequence' has no list 'pretokenizers'");
    json_array_foreach (list, i, item) {
        const char *type = json_string_value(json_object_get(item, "type"));
        if (type && strcmp(type, "Sequence") == 0)
            return err_set(err, "a pre_tokenizer 'Sequence' inside a 'Sequence' is not supported");
        if (pretok_from_json(p, item, err) < 0)
            return -1;
    }
    return 0;
}

int pretok_from_json(struct pretok *p, const json_t *spec, struct err *err)
{
    const char *type;
    if (!json_is_object(spec))
        return err_set(err, "'pre_tokenizer' is %s: only byte-level tokenizers are supported",
                       spec ? json_type_name(spec) : "missing");
    if (json_get_str(spec, "type", &type, err) < 0)
        return err_prefix(err, "pre_tokenizer");
    if (strcmp(type, "Sequence") == 0)
        return sequence_from_json(p, spec, err);
    if (p->byte_level) /* what follows would see the byte alphabet, not text */
        return err_set(err, "pre_tokenizer '%s' after 'ByteLevel' is not supported", type);
    if (strcmp(type, "Split") == 0)
        return split_from_json(p, spec, err);
    if (strcmp(type, "ByteLevel") == 0)
        return byte_level_from_json(p, spec, err);
    if (strcmp(type, "Digits") == 0)
        return digits_from_json(p, spec, err);
    return err_set(err, "pre_tokenizer '%s' is not supported", type);
}

pcre2_match_data *pretok_match_data(void)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        BUG("no memory for match data");
    return data;
}

void pretok_release(struct pretok *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        pcre2_code_free(p->steps[i].re);
        pcre2_code_free(p->steps[i].new);
    }
    free(p->steps);
    pcre2_match_context_free(p->limits);
    *p = (struct pretok){0};
}

/* --- splitting ------------------------------------------------------------------------------ */

struct walk {
    const struct pretok *p;
    pcre2_match_data *data;
    pretok_fn *fn;
    void *arg;
    struct err *err;
    bool new; /* the text has characters that need it */
};

static int walk_step(const struct walk *w, int i, const char *text, size_t n);

/* 1 = found, 0 = no more.  The text has been checked for UTF-8 once, by the caller. */
static int next_match(const struct walk *w, const pcre2_code *re, const char *text, size_t n,
                      size_t from, size_t *begin, size_t *end)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int rc = pcre2_match(re, subject, n, from, PCRE2_NO_UTF_CHECK, w->data, w->p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter keeps its state on the heap */
        rc = pcre2_match(re, subject, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, w->data,
                         w->p->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        PCRE2_UCHAR why[256];
        pcre2_get_error_message(rc, why, sizeof why);
        return err_set(w->err, "cannot split text of %zu bytes into pre-tokens: %s", n,
                       (char *)why);
    }
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(w->data);
    *begin = at[0];
    *end = at[1];
    return 1;
}

static int piece(const struct walk *w, int i, const char *text, size_t n)
{
    return n == 0 ? 0 : walk_step(w, i + 1, text, n);
}

static size_t char_bytes(const char *s)
{
    unsigned char c = (unsigned char)*s;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static int split_step(const struct walk *w, int i, const char *text, size_t n)
{
    const struct pre_step *step = &w->p->steps[i];
    const pcre2_code *re = w->new && step->new ? step->new : step->re;
    size_t done = 0, from = 0, begin, end;
    int rc = 0;
    while (from <= n && (rc = next_match(w, re, text, n, from, &begin, &end)) == 1) {
        if (step->keep_gaps && piece(w, i, text + done, begin - done) < 0)
            return -1;
        if (step->keep_matches && piece(w, i, text + begin, end - begin) < 0)
            return -1;
        done = end;
        from = end;
        if (end == begin) /* an empty match: the next search starts one character on */
            from = end < n ? end + char_bytes(text + end) : n + 1;
    }
    if (rc < 0)
        return -1;
    return step->keep_gaps ? piece(w, i, text + done, n - done) : 0;
}

static int walk_step(const struct walk *w, int i, const char *text, size_t n)
{
    if (i == w->p->n_steps)
        return w->fn(w->arg, text, n, w->err);
    const struct pre_step *step = &w->p->steps[i];
    if (!step->add_prefix_space || text[0] == ' ')
        return step->re ? split_step(w, i, text, n) : walk_step(w, i + 1, text, n);
    char *copy = xmalloc(n + 1);
    copy[0] = ' ';
    memcpy(copy + 1, text, n);
    int rc = step->re ? split_step(w, i, copy, n + 1) : walk_step(w, i + 1, copy, n + 1);
    free(copy);
    return rc;
}

int pretok_split(const struct pretok *p, pcre2_match_data *data, const char *text, size_t n,
                 pretok_fn *fn, void *arg, struct err *err)
{
    struct walk w = {.p = p, .data = data, .fn = fn, .arg = arg, .err = err, .new = unicode_has_new(text, n)};
    return n == 0 ? 0 : walk_step(&w, 0, text, n);
}
