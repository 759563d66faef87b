/* filter_internal.h - inside of filter*.c: one rule, and what it looks at. */
#ifndef TP_DATA_FILTER_INTERNAL_H
#define TP_DATA_FILTER_INTERNAL_H

#include "base/strbuf.h"
#include "data/words.h"

struct filtered {
    const char *text;
    size_t n;
    const char *answer;   /* what follows the thinking; NULL for documents */
    const char *not_done; /* why it is incomplete as its record says, or NULL */
    struct words words;
    uint64_t *seen; /* working memory for sentences */
    uint32_t *count;
    size_t cap_seen;
};

struct phrase {
    uint64_t *words;
    size_t n;
    char *text;
};

struct rule {
    const char *name;
    /* True if the text is unfit; why (empty on entry) says what was found. */
    bool (*unfit)(const struct rule *r, struct filtered *t, struct strbuf *why);
    double number;
    const struct script *script;
    struct phrase *phrases;
    int n_phrases, cap_phrases;
    uint64_t first_words[16]; /* bits: without one, no phrase begins with such a word */
    int64_t dropped;
};

/* filter_rules.c */
/* Appends the rule, or the rules of a preset. */
int rules_add(struct rule **rules, int *n, int *cap, const char *text, struct err *err) WARN_UNUSED;
void rules_release(struct rule *rules, int n);

#endif
