/* verdict.c - verdicts as JSON and back. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/verifier.h"

void verdict_release(struct verdict *v)
{
    free(v->extracted);
    free(v->parsed);
    free(v->detail);
    *v = (struct verdict){0};
}

json_t *verdict_to_json(const struct verdict *v)
{
    json_t *obj = json_object();
    json_t *extracted = v->extracted ? json_string(v->extracted) : NULL;
    json_object_set_new(obj, "score", json_number(v->score));
    json_object_set_new(obj, "extracted", extracted ? extracted : json_null());
    json_object_set_new(obj, "rule", json_string(v->rule ? v->rule : ""));
    if (v->parsed)
        json_object_set_new(obj, "parsed", json_string(v->parsed));
    if (v->compared)
        json_object_set_new(obj, "compared", json_string(v->compared));
    if (v->detail)
        json_object_set_new(obj, "detail", json_string(v->detail));
    if (v->seconds > 0)
        json_object_set_new(obj, "seconds", json_number(v->seconds));
    return obj;
}

/* The rules are few and static where they come from; here they are kept for good, too. */
static const char *keep(const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char **kept;
    static int n, cap;
    const char *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n && !found; i++) {
        if (strcmp(kept[i], text) == 0)
            found = kept[i];
    }
    if (!found) {
        GROW(kept, n, cap);
        found = kept[n++] = xstrdup(text);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

int verdict_from_json(const json_t *obj, struct verdict *out, struct err *err)
{
    const char *extracted = NULL, *rule = NULL, *parsed = NULL, *compared = NULL, *detail = NULL;
    struct verdict v = {0};
    if (json_get_num(obj, "score", &v.score, err) < 0 ||
        json_get_str(obj, "rule", &rule, err) < 0 ||
        json_opt_str(obj, "extracted", &extracted, err) < 0 ||
        json_opt_str(obj, "parsed", &parsed, err) < 0 ||
        json_opt_str(obj, "compared", &compared, err) < 0 ||
        json_opt_str(obj, "detail", &detail, err) < 0 ||
        json_opt_num(obj, "seconds", &v.seconds, err) < 0)
        return -1;
    v.rule = *rule ? keep(rule) : NULL;
    v.extracted = extracted ? xstrdup(extracted) : NULL;
    v.parsed = parsed ? xstrdup(parsed) : NULL;
    v.compared = compared ? keep(compared) : NULL;
    v.detail = detail ? xstrdup(detail) : NULL;
    *out = v;
    return 0;
}
