/* instruct.c - lists of instructions: which there are, and how many a text follows. */
#include "reward/instruct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/literal.h"
#include "reward/sentence.h"

const struct instruct_kind *instruct_find(const char *id)
{
    static const struct instruct_kind *const tables[] = {
        instruct_ifeval,
        instruct_ifbench_count,
        instruct_ifbench_words,
        instruct_ifbench_format,
        instruct_ifbench_custom,
        instruct_iftrain,
        instruct_old,
    };
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct instruct_kind *k = tables[i]; k->id; k++) {
            if (strcmp(k->id, id) == 0)
                return k;
        }
    }
    return NULL;
}

/* Arguments. */

static const json_t *argument(const struct instruct *in, const char *name, struct err *err)
{
    const json_t *value = json_object_get(in->args, name);
    if (value && !json_is_null(value))
        return value;
    err_set(err, "argument '%s' is missing", name);
    return NULL;
}

int arg_number(const struct instruct *in, const char *name, double *out, struct err *err)
{
    const json_t *value = argument(in, name, err);
    if (!value)
        return -1;
    if (!json_is_number(value))
        return err_set(err, "argument '%s' is %s, expected a number", name, json_type_name(value));
    *out = json_number_value(value);
    return 0;
}

int arg_text(const struct instruct *in, const char *name, const char **out, struct err *err)
{
    const json_t *value = argument(in, name, err);
    if (!value)
        return -1;
    if (!json_is_string(value))
        return err_set(err, "argument '%s' is %s, expected a string", name, json_type_name(value));
    *out = json_string_value(value);
    return 0;
}

int arg_span(const struct instruct *in, bool with_last, struct span *out, struct err *err)
{
    const char *prompt;
    double from, to;
    if (arg_text(in, "prompt_to_repeat", &prompt, err) < 0 ||
        arg_number(in, "n_start", &from, err) < 0 || arg_number(in, "n_end", &to, err) < 0)
        return -1;
    struct span rest = span_of(prompt);
    for (double i = 0; i < from && rest.n > 0; i++)
        span_char(&rest);
    *out = rest;
    for (double i = from; (with_last ? i <= to : i < to) && rest.n > 0; i++)
        span_char(&rest);
    out->n -= rest.n;
    return 0;
}

int arg_token(const struct instruct *in, bool plain, struct span *out, struct err *err)
{
    struct spans sentences = {0}, tokens = {0};
    double n, m, count = 0;
    *out = (struct span){0};
    if (arg_number(in, "n", &n, err) < 0 || arg_number(in, "m", &m, err) < 0)
        return -1;
    split_sentences(in->text, &sentences);
    if (n >= 1 && n <= (double)sentences.n)
        split_tokens(sentences.at[(size_t)n - 1], &tokens);
    for (size_t i = 0; i < tokens.n && count < m; i++) {
        count += !plain || count_words(tokens.at[i]) > 0;
        if (count == m)
            *out = tokens.at[i];
    }
    spans_release(&sentences);
    spans_release(&tokens);
    return 0;
}

int arg_list(const struct instruct *in, const char *name, const json_t **out, struct err *err)
{
    const json_t *value = argument(in, name, err);
    if (!value)
        return -1;
    if (!json_is_array(value))
        return err_set(err, "argument '%s' is %s, expected a list", name, json_type_name(value));
    *out = value;
    return 0;
}

int arg_relation(const struct instruct *in, const char *relation, const char *number, double x,
                 struct err *err)
{
    const char *how;
    double n;
    if (arg_text(in, relation, &how, err) < 0 || arg_number(in, number, &n, err) < 0)
        return -1;
    if (strcmp(how, "at least") == 0)
        return x >= n;
    if (strcmp(how, "less than") == 0)
        return x < n;
    if (strcmp(how, "at most") == 0)
        return x <= n;
    if (strcmp(how, "exactly") == 0)
        return x == n;
    return err_set(err,
                   "argument '%s' is '%.40s', expected at least, less than, at most or exactly",
                   relation, how);
}

long arg_matches(const struct instruct *in, const char *name, struct err *err)
{
    const char *keyword;
    if (arg_text(in, name, &keyword, err) < 0)
        return -1;
    return text_count(in->text, span_strip(span_of(keyword)));
}

/* One instruction. */

static int follows(const struct instruct_kind *kind, const char *text, const json_t *args,
                   struct err *err)
{
    struct instruct in = {span_of(text), args};
    if (span_strip(in.text).n == 0)
        return 0;
    return kind->check(&in, err);
}

/* The text without its first line (1), its last (2) or both; owned. */
static char *without_lines(const char *text, int which)
{
    struct span s = span_of(text);
    if (which & 1) {
        const char *end = strchr(text, '\n');
        s = end ? span_of(end + 1) : (struct span){text, 0};
    }
    if (which & 2) {
        const char *last = s.n > 0 ? memrchr(s.start, '\n', s.n) : NULL;
        s.n = last ? (size_t)(last - s.start) : 0;
    }
    if (which)
        s = span_strip(s);
    return xstrndup(s.start, s.n);
}

int instruct_follows(const struct instruct_kind *kind, const char *text, const json_t *args,
                     bool loose, struct err *err)
{
    int yes = follows(kind, text, args, err);
    for (int which = 0; loose && yes == 0 && which < 4; which++) {
        char *part = without_lines(text, which);
        char *plain = text_without(span_of(part), "*");
        yes = which ? follows(kind, part, args, err) : 0;
        if (yes == 0)
            yes = follows(kind, plain, args, err);
        free(part);
        free(plain);
    }
    return yes;
}

/* A list of them. */

/* {"func_name": NAME, ...} as a list of one. */
static json_t *list_of_old(json_t *object)
{
    json_t *args = json_copy(object), *list = json_object(), *ids = json_array(),
           *kwargs = json_array();
    json_array_append(ids, json_object_get(object, "func_name"));
    json_object_del(args, "func_name");
    json_array_append_new(kwargs, args);
    json_object_set_new(list, "instruction_id", ids);
    json_object_set_new(list, "kwargs", kwargs);
    json_decref(object);
    return list;
}

/* Parsed where it is text, and the one item of a list; new reference. */
static json_t *list_of(const json_t *truth, struct err *err)
{
    json_t *value = json_incref((json_t *)(uintptr_t)truth);
    for (int i = 0; i < 4 && value; i++) {
        json_t *inner = NULL;
        if (json_is_string(value))
            inner = literal_parse(json_string_value(value), err);
        else if (json_is_array(value) && json_array_size(value) == 1)
            inner = json_incref(json_array_get(value, 0));
        else
            break;
        json_decref(value);
        value = inner;
    }
    if (!value) {
        err_prefix(err, "'ground_truth'");
        return NULL;
    }
    if (json_is_object(value))
        return json_object_get(value, "func_name") ? list_of_old(value) : value;
    err_set(err, "'ground_truth' is %s, expected an object with 'instruction_id' and 'kwargs'",
            json_type_name(value));
    json_decref(value);
    return NULL;
}

static const json_t *ids_of(const json_t *list)
{
    const json_t *ids = json_object_get(list, "instruction_id_list");
    return ids ? ids : json_object_get(list, "instruction_id");
}

/* One instruction of the list, its verdict noted. */
static int judge_item(const char *text, const json_t *list, size_t i, bool loose,
                      struct strbuf *notes, struct err *err)
{
    const json_t *id = json_array_get(ids_of(list), i);
    const json_t *args = json_array_get(json_object_get(list, "kwargs"), i);
    if (!json_is_string(id))
        return err_set(err, "'instruction_id' holds %s, expected strings", json_type_name(id));
    const struct instruct_kind *kind = instruct_find(json_string_value(id));
    if (!kind)
        return err_set(err, "unknown instruction '%.60s'", json_string_value(id));
    if (args && !json_is_object(args) && !json_is_null(args))
        return err_set(err, "'kwargs' holds %s, expected objects", json_type_name(args));
    int yes = instruct_follows(kind, text, args, loose, err);
    if (yes < 0)
        return err_prefix(err, "instruction '%s'", kind->id);
    strbuf_addf(notes, "%s%s: %s", notes->len ? "; " : "", kind->id,
                yes ? "followed" : "not followed");
    return yes;
}

static int judge_list(const char *text, const json_t *list, bool loose, bool all,
                      struct verdict *out, struct err *err)
{
    const json_t *ids = ids_of(list), *kwargs = json_object_get(list, "kwargs");
    size_t n = json_array_size(ids), followed = 0;
    struct strbuf notes = {0};
    if (!json_is_array(ids) || n == 0)
        return err_set(err, "no list 'instruction_id_list' or 'instruction_id'");
    if (kwargs && !json_is_null(kwargs) && json_array_size(kwargs) != n)
        return err_set(err, "%zu instructions, 'kwargs' has %zu entries", n,
                       json_array_size(kwargs));
    for (size_t i = 0; i < n; i++) {
        int yes = judge_item(text, list, i, loose, &notes, err);
        if (yes < 0) {
            strbuf_release(&notes);
            return -1;
        }
        followed += (size_t)yes;
    }
    out->score = all ? followed == n : (double)followed / (double)n;
    out->detail = strbuf_detach(&notes, NULL);
    out->rule = followed == n ? "all-followed" : followed ? "some-followed" : "none-followed";
    return 0;
}

/* Without the tags of an answer.  Where something was left out, what is blank at the ends is no part
 * of it, either. */
static char *plain_answer(const struct answer *a)
{
    bool tags = strstr(a->text, "<answer>") || strstr(a->text, "</answer>");
    if (!tags && a->text == a->whole)
        return xstrdup(a->text);
    char *open = text_without(span_of(a->text), "<answer>");
    char *both = text_without(span_of(open), "</answer>");
    struct span s = span_strip(span_of(both));
    char *plain = xstrndup(s.start, s.n);
    free(open);
    free(both);
    return plain;
}

static int judge(const struct answer *a, const json_t *truth, bool loose, bool all,
                 struct verdict *out, struct err *err)
{
    json_t *list = NULL;
    if (ids_of(a->record))
        list = json_incref((json_t *)(uintptr_t)a->record);
    else if (truth)
        list = list_of(truth, err);
    else
        err_set(err, "neither 'instruction_id_list' nor 'ground_truth' names instructions");
    if (!list)
        return -1;
    char *text = plain_answer(a);
    int rc = judge_list(text, list, loose, all, out, err);
    free(text);
    json_decref(list);
    return rc;
}

static int judge_strict(const struct answer *a, const json_t *truth, struct verdict *out,
                        struct err *err)
{
    return judge(a, truth, false, false, out, err);
}

static int judge_loose(const struct answer *a, const json_t *truth, struct verdict *out,
                       struct err *err)
{
    return judge(a, truth, true, false, out, err);
}

static int judge_all(const struct answer *a, const json_t *truth, struct verdict *out,
                     struct err *err)
{
    return judge(a, truth, false, true, out, err);
}

static int judge_all_loose(const struct answer *a, const json_t *truth, struct verdict *out,
                           struct err *err)
{
    return judge(a, truth, true, true, out, err);
}

/* No two of them are equal: there is no answer to vote for. */
static bool never(const char *a, const char *b)
{
    (void)a;
    (void)b;
    return false;
}

const struct verifier instruct_verifiers[] = {
    {.name = "ifeval", .judge = judge_strict, .same = never},
    {.name = "ifeval_loose", .judge = judge_loose, .same = never},
    {.name = "ifeval_all", .judge = judge_all, .same = never},
    {.name = "ifeval_all_loose", .judge = judge_all_loose, .same = never},
    {.name = "ifeval_old", .judge = judge_strict, .same = never},
    {.name = "ifbench", .judge = judge_strict, .same = never},
    {.name = "ifbench_loose", .judge = judge_loose, .same = never},
    {.name = "ifbench_all", .judge = judge_all, .same = never},
    {.name = "ifbench_all_loose", .judge = judge_all_loose, .same = never},
    {.name = NULL},
};
