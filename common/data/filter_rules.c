/* filter_rules.c - the rules, one function each. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/opt.h"
#include "data/filter_internal.h"
#include "data/filter_script.h"
#include "data/utf8.h"

#define SENTENCE_WORDS 3 /* shorter ones ("Yes.") may be said often */
#define LONGEST_PHRASE 13
#define EXCERPT_BYTES 60

static void add_excerpt(struct strbuf *out, const struct filtered *t, size_t first, size_t last)
{
    size_t begin = t->words.begin[first], n = t->words.end[last] - begin;
    if (n > EXCERPT_BYTES)
        for (n = EXCERPT_BYTES; ((unsigned char)t->text[begin + n] & 0xc0) == 0x80; n--)
            ;
    strbuf_add(out, t->text + begin, n);
}

/* Repetition. */

/* Does a sentence end between two words?  At a line's end, or at a mark before a space. */
static bool ends_sentence(const char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char c = text[i];
        if (c == '\n' || (to - i >= 3 && memcmp(text + i, "\xe3\x80\x82", 3) == 0))
            return true;
        if ((c == '.' || c == '!' || c == '?') && i + 1 < to && strchr(" \t\r\n", text[i + 1]))
            return true;
    }
    return false;
}

/* Counts the hash once more; its count. */
static uint32_t count_sentence(struct filtered *t, uint64_t hash, size_t mask)
{
    size_t at = hash & mask;
    while (t->count[at] && t->seen[at] != hash)
        at = (at + 1) & mask;
    t->seen[at] = hash;
    return ++t->count[at];
}

static size_t clear_sentences(struct filtered *t)
{
    size_t size = 64;
    while (size < t->words.n) /* three words a sentence */
        size *= 2;
    if (size > t->cap_seen) {
        t->seen = xreallocarray(t->seen, size, sizeof *t->seen);
        t->count = xreallocarray(t->count, size, sizeof *t->count);
        t->cap_seen = size;
    }
    memset(t->count, 0, size * sizeof *t->count);
    return size - 1;
}

static bool repeated_sentences(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    const struct words *w = &t->words;
    size_t mask = clear_sentences(t), first = 0;
    uint64_t hash = 0;
    for (size_t i = 0; i < w->n; i++) {
        hash = words_mix(hash + w->hash[i]);
        if (i + 1 < w->n && !ends_sentence(t->text, w->end[i], w->begin[i + 1]))
            continue;
        if (i - first + 1 >= SENTENCE_WORDS && count_sentence(t, hash, mask) >= r->number) {
            add_excerpt(why, t, first, i);
            return true;
        }
        first = i + 1;
        hash = 0;
    }
    return false;
}

/* A phrase of p words that is there k times running makes (k - 1) p words equal to the one p
 * before. */
static bool repeated_phrases(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    const struct words *w = &t->words;
    for (size_t p = 1; p <= LONGEST_PHRASE; p++) {
        double wanted = (double)p * (r->number - 1);
        size_t run = 0;
        for (size_t i = p; i < w->n; i++) {
            run = w->hash[i] == w->hash[i - p] ? run + 1 : 0;
            if ((double)run < wanted)
                continue;
            add_excerpt(why, t, i + 1 - p, i);
            return true;
        }
    }
    return false;
}

/* Script. */

static bool script_above(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    double share = script_share(r->script, t->text, t->n);
    strbuf_addf(why, "%.3f", share);
    return share >= r->number && t->n > 0;
}

static bool script_below(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    double share = script_share(r->script, t->text, t->n);
    strbuf_addf(why, "%.3f", share);
    return share < r->number;
}

/* Incomplete. */

static size_t trimmed(const char *text, size_t n)
{
    while (n > 0 && strchr(" \t\r\n\f\v", text[n - 1]) && text[n - 1])
        n--;
    return n;
}

/* Lines that begin with ``` open and close blocks of code in turn. */
static bool open_fence(const char *text, size_t n)
{
    bool open = false;
    const char *end = text + n;
    for (const char *line = text; line && line < end;) {
        const char *p = line;
        while (p < end && *p == ' ')
            p++;
        open ^= end - p >= 3 && memcmp(p, "```", 3) == 0;
        line = memchr(line, '\n', (size_t)(end - line));
        line = line ? line + 1 : NULL;
    }
    return open;
}

static bool incomplete(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    (void)r;
    const char *reason = t->not_done;
    const char *opened = memmem(t->text, t->n, "<think>", 7);
    if (!reason && opened && !memmem(opened, t->n - (size_t)(opened - t->text), "</think>", 8))
        reason = "the thinking has no end";
    else if (!reason &&
             trimmed(t->answer ? t->answer : t->text, t->answer ? strlen(t->answer) : t->n) == 0)
        reason = "the answer is empty";
    else if (!reason && open_fence(t->text, t->n))
        reason = "a block of code has no end";
    if (reason)
        strbuf_adds(why, reason);
    return reason != NULL;
}

static bool no_ending(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    static const char *const ends[] = {".",
                                       "!",
                                       "?",
                                       "\"",
                                       "'",
                                       ")",
                                       "]",
                                       "}",
                                       "`",
                                       "*",
                                       "$",
                                       "\xe2\x80\xa6" /* ... */,
                                       "\xe2\x80\x9d" /* " */,
                                       "\xe2\x80\x99" /* ' */,
                                       "\xe3\x80\x82" /* Chinese . */,
                                       "\xef\xbc\x81" /* wide ! */,
                                       "\xef\xbc\x9f" /* wide ? */};
    (void)r;
    size_t n = trimmed(t->text, t->n);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && memcmp(t->text + n - m, ends[i], m) == 0)
            return false;
    }
    if (t->words.n)
        add_excerpt(why, t, t->words.n - (t->words.n < 5 ? t->words.n : 5), t->words.n - 1);
    return true;
}

/* Phrases. */

static bool holds_phrase(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    const struct words *w = &t->words;
    for (size_t i = 0; i < w->n; i++) {
        bool may = r->first_words[w->hash[i] >> 6 & 15] >> (w->hash[i] & 63) & 1;
        for (int k = 0; may && k < r->n_phrases; k++) {
            const struct phrase *p = &r->phrases[k];
            if (w->hash[i] != p->words[0] || p->n > w->n - i ||
                memcmp(w->hash + i, p->words, p->n * sizeof *p->words) != 0)
                continue;
            strbuf_adds(why, p->text);
            return true;
        }
    }
    return false;
}

static void add_phrase(struct rule *r, const char *text, size_t n)
{
    struct words w = {0};
    words_of(&w, text, n);
    if (w.n) {
        GROW(r->phrases, r->n_phrases, r->cap_phrases);
        r->phrases[r->n_phrases++] =
            (struct phrase){.words = w.hash, .n = w.n,
                            .text = xstrndup(text + w.begin[0], w.end[w.n - 1] - w.begin[0])};
        r->first_words[w.hash[0] >> 6 & 15] |= (uint64_t)1 << (w.hash[0] & 63);
        w.hash = NULL; /* it is the phrase's now */
    }
    words_release(&w);
}

/* What models say of themselves.  Names of makers alone say nothing: people write about them. */
static const char *const model_frames[] = {"I am %s", "I'm %s", "my name is %s", "as %s I", NULL};
static const char *const model_names[] = {
    "ChatGPT", "GPT-3", "GPT-3.5", "GPT-4", "GPT-4o", "Claude", "Gemini", "Bard", "Llama", "Mistral",
    "Qwen", "QwQ", "DeepSeek", "DeepSeek-R1", "Kimi", "GLM", "Grok", "Phi", "Yi", "Olmo", "Tulu",
    "an AI assistant", "an AI language model", "an AI model", "a large language model",
    "an artificial intelligence", NULL};
static const char *const maker_frames[] = {
    "I was created by %s", "I was developed by %s", "I was trained by %s", "I was made by %s",
    "language model trained by %s", "language model developed by %s", "language model created by %s",
    "assistant developed by %s", "assistant created by %s", "assistant made by %s",
    "model developed by %s", "model trained by %s", NULL};
static const char *const maker_names[] = {
    "OpenAI", "Anthropic", "Google", "DeepMind", "Google DeepMind", "Meta", "Meta AI", "Mistral AI",
    "Alibaba", "Alibaba Cloud", "Tongyi", "DeepSeek", "Moonshot AI", "Zhipu AI", "xAI", "Microsoft",
    "Ai2", "the Allen Institute for AI", NULL};

static void add_framed(struct rule *r, const char *const *frames, const char *const *names)
{
    for (; *frames; frames++) {
        const char *gap = strstr(*frames, "%s");
        for (const char *const *name = names; *name; name++) {
            struct strbuf text = {0};
            strbuf_add(&text, *frames, (size_t)(gap - *frames));
            strbuf_adds(&text, *name);
            strbuf_adds(&text, gap + 2);
            add_phrase(r, text.buf, text.len);
            strbuf_release(&text);
        }
    }
}

static void add_identities(struct rule *r)
{
    add_framed(r, model_frames, model_names);
    add_framed(r, maker_frames, maker_names);
    add_phrase(r, "as an AI language model", 23);
    add_phrase(r, "as a large language model", 25);
}

static int add_phrases_of(struct rule *r, const char *path, struct err *err)
{
    struct strbuf text = {0};
    if (file_read(path, &text, err) < 0) {
        err->status = EXIT_FAILED;
        return -1;
    }
    for (const char *line = text.buf, *end = text.buf + text.len; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        add_phrase(r, line, (size_t)(stop - line));
        line = stop + 1;
    }
    strbuf_release(&text);
    return r->n_phrases ? 0 : err_set(err, "'%s' holds no phrase", path);
}

/* Length. */

static bool few_words(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    strbuf_addf(why, "%zu", t->words.n);
    return (double)t->words.n < r->number;
}

static bool many_words(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    strbuf_addf(why, "%zu", t->words.n);
    return (double)t->words.n > r->number;
}

static size_t n_chars(const struct filtered *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += ((unsigned char)t->text[i] & 0xc0) != 0x80;
    return n;
}

static bool few_chars(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    strbuf_addf(why, "%zu", n_chars(t));
    return (double)n_chars(t) < r->number;
}

static bool many_chars(const struct rule *r, struct filtered *t, struct strbuf *why)
{
    strbuf_addf(why, "%zu", n_chars(t));
    return (double)n_chars(t) > r->number;
}

/* Reading the command line. */

enum rule_value { VALUE_NONE, VALUE_NUMBER, VALUE_SCRIPT, VALUE_FILE };

static const struct {
    const char *name;
    bool (*unfit)(const struct rule *r, struct filtered *t, struct strbuf *why);
    enum rule_value value;
    const char *usual; /* NULL: a value must be given */
} known[] = {
    {"incomplete", incomplete, VALUE_NONE, NULL},
    {"repeated-sentences", repeated_sentences, VALUE_NUMBER, "10"},
    {"repeated-phrases", repeated_phrases, VALUE_NUMBER, "50"},
    {"script", script_above, VALUE_SCRIPT, "Han:0.05"},
    {"script-least", script_below, VALUE_SCRIPT, NULL},
    {"ending", no_ending, VALUE_NONE, NULL},
    {"identity", holds_phrase, VALUE_NONE, NULL},
    {"keywords", holds_phrase, VALUE_FILE, NULL},
    {"min-words", few_words, VALUE_NUMBER, NULL},
    {"max-words", many_words, VALUE_NUMBER, NULL},
    {"min-chars", few_chars, VALUE_NUMBER, NULL},
    {"max-chars", many_chars, VALUE_NUMBER, NULL},
};

static const char *const olmo3[] = {"incomplete", "repeated-sentences", "repeated-phrases",
                                    "script", "identity"};

static int parse_script(struct rule *r, const char *value, struct err *err)
{
    const char *colon = strchr(value, ':');
    r->script = colon ? script_named(value, (size_t)(colon - value)) : NULL;
    if (!colon)
        return err_set(err, "'%s' is not SCRIPT:SHARE", value);
    if (!r->script)
        return err_set(err, "'%s' is none of the scripts %s", value, script_names());
    return parse_float(colon + 1, 0, 1, &r->number, err);
}

static int parse_value(struct rule *r, enum rule_value kind, const char *value, struct err *err)
{
    switch (kind) {
    case VALUE_NUMBER:
        return parse_float(value, 1, 1e15, &r->number, err);
    case VALUE_SCRIPT:
        return parse_script(r, value, err);
    case VALUE_FILE:
        return add_phrases_of(r, value, err);
    case VALUE_NONE:
        break;
    }
    if (value)
        return err_set(err, "it takes no value");
    if (r->unfit == holds_phrase)
        add_identities(r);
    return 0;
}

int rules_add(struct rule **rules, int *n, int *cap, const char *text, struct err *err)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] ? text + len + 1 : NULL;
    if (strcmp(text, "olmo3") == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(olmo3); i++)
            if (rules_add(rules, n, cap, olmo3[i], err) < 0)
                return -1;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i].name) != len || memcmp(known[i].name, text, len) != 0)
            continue;
        value = value ? value : known[i].usual;
        if (!value && known[i].value != VALUE_NONE)
            return err_set(err, "rule '%s' needs a value: %s=...", known[i].name, known[i].name);
        GROW(*rules, *n, *cap);
        struct rule *r = &(*rules)[(*n)++];
        *r = (struct rule){.name = known[i].name, .unfit = known[i].unfit};
        return parse_value(r, known[i].value, value, err) < 0
                   ? err_prefix(err, "rule '%s'", known[i].name)
                   : 0;
    }
    return err_set(err, "there is no rule '%.*s'", (int)len, text);
}

void rules_release(struct rule *rules, int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < rules[i].n_phrases; k++) {
            free(rules[i].phrases[k].words);
            free(rules[i].phrases[k].text);
        }
        free(rules[i].phrases);
    }
    free(rules);
}
