/* judge_reply.c - the scores in what a judging model says. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/verifier_judge.h"
#include "reward/pieces.h"

#define MAX_TRIES 200 /* braces at which an object may begin */

/* What follows the thinking. */
static const char *after_thinking(const char *text)
{
    const char *found = text;
    for (const char *p = strstr(text, "</think>"); p; p = strstr(p, "</think>"))
        found = p += strlen("</think>");
    return found;
}

/* A member whatever the case of its name: models write "SCORE", too. */
static const json_t *member(const json_t *obj, const char *name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)obj, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return value;
    }
    return NULL;
}

/* 7, 7.5, "7" and "7/10". */
static bool read_score(const json_t *value, double *out)
{
    char *end;
    const char *text = json_string_value(value);
    if (json_is_number(value))
        *out = json_number_value(value);
    else if (!text)
        return false;
    else {
        *out = strtod(text, &end);
        end += strspn(end, " ");
        if (end == text || (*end && strcmp(end, "/10") != 0))
            return false;
    }
    return *out >= 0 && *out <= 10;
}

static bool read_scores(const json_t *obj, double *scores, size_t n, bool list)
{
    const json_t *many = member(obj, "scores");
    if (!list)
        return read_score(member(obj, "score"), scores);
    if (json_array_size(many) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!read_score(json_array_get(many, i), &scores[i]))
            return false;
    }
    return true;
}

static char *read_reason(const json_t *obj)
{
    const json_t *reason = member(obj, "reason");
    if (!reason)
        reason = member(obj, "reasoning");
    return json_is_string(reason) ? xstrdup(json_string_value(reason)) : NULL;
}

int judge_read_reply(const char *text, double *scores, size_t n, bool list, char **reason,
                     struct err *err)
{
    struct span all = span_of(after_thinking(text));
    double *found = xcalloc(n + 1, sizeof *found);
    int tries = 0;
    bool any = false;
    *reason = NULL;
    for (size_t i = 0; i < all.n && tries < MAX_TRIES; i++) {
        json_error_t where;
        if (all.start[i] != '{')
            continue;
        tries++;
        json_t *obj = json_loadb(all.start + i, all.n - i, JSON_DISABLE_EOF_CHECK, &where);
        if (!obj)
            continue;
        if (read_scores(obj, found, n, list)) {
            any = true;
            memcpy(scores, found, n * sizeof *scores);
            free(*reason);
            *reason = read_reason(obj);
        }
        i += (size_t)where.position - 1;
        json_decref(obj);
    }
    free(found);
    if (any)
        return 0;
    struct span start = span_strip(all);
    size_t shown = start.n < 200 ? start.n : 200;
    return err_set(err, "no JSON object with %s from 0 to 10 in '%.*s'",
                   list ? "as many 'scores' as criteria" : "a 'score'", (int)shown, start.start);
}
