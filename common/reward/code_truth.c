/* code_truth.c - the tests of a problem, in the forms that data sets give them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"

static const char *text_of(const json_t *obj, const char *key)
{
    const char *text = json_string_value(json_object_get(obj, key));
    return text ? text : "";
}

static enum code_language language_of(const json_t *obj)
{
    const char *name = text_of(obj, "language");
    if (strcmp(name, "python") == 0 || strcmp(name, "python3") == 0)
        return CODE_PYTHON;
    return strcmp(name, "c") == 0 ? CODE_C : CODE_UNKNOWN;
}

/* A record's own `language` may be English. */
static int read_language(const json_t *record, const json_t *truth, struct code_task *t,
                         struct err *err)
{
    const json_t *own = json_object_get(truth, "language");
    t->language = language_of(own ? truth : record);
    if (own && !json_is_null(own) && t->language == CODE_UNKNOWN)
        return err_set(err, "'language' is '%s', expected python or c", text_of(truth, "language"));
    return 0;
}

static int add_tests(const json_t *tests, struct code_task *t, struct err *err)
{
    size_t n = json_is_array(tests) ? json_array_size(tests) : 1;
    if (n == 0)
        return err_set(err, "there are no tests");
    t->tests = xcalloc(n, sizeof *t->tests);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(tests) ? json_array_get(tests, i) : tests;
        t->tests[i] = json_string_value(item);
        if (!t->tests[i])
            return err_set(err, "a test is %s, expected a string", json_type_name(item));
    }
    t->n_tests = (int)n;
    return 0;
}

static int read_asserts(const json_t *record, const json_t *truth, struct code_task *t,
                        struct err *err)
{
    const json_t *from = json_is_object(truth) ? truth : record;
    const json_t *tests = truth;
    if (json_is_object(truth))
        tests = json_object_get(truth, "tests") ? json_object_get(truth, "tests")
                                                : json_object_get(truth, "test");
    else if (!truth)
        tests = json_object_get(record, "test") ? json_object_get(record, "test")
                                                : json_object_get(record, "test_list");
    if (!tests)
        return err_set(err, "no tests: neither 'ground_truth' nor 'test' nor 'test_list'");
    t->entry = text_of(from, "entry_point");
    if (!*t->entry)
        t->entry = text_of(record, "entry_point");
    t->prompt = *t->entry ? text_of(record, "prompt") : "";
    t->setup = text_of(from, "setup");
    if (!*t->setup)
        t->setup = text_of(record, "test_setup_code");
    return add_tests(tests, t, err);
}

/* A text, or lines of it; owned. */
static char *stream_text(const json_t *value, const char *what, struct err *err)
{
    struct strbuf text = {0};
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    if (!json_is_array(value)) {
        err_set(err, "a test's %s is %s, expected a string", what,
                value ? json_type_name(value) : "missing");
        return NULL;
    }
    strbuf_reserve(&text, 1);
    text.buf[0] = '\0';
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *line = json_string_value(json_array_get(value, i));
        if (!line) {
            err_set(err, "a line of a test's %s is no string", what);
            strbuf_release(&text);
            return NULL;
        }
        strbuf_addf(&text, "%s%s", i ? "\n" : "", line);
    }
    return strbuf_detach(&text, NULL);
}

static int read_streams(const json_t *truth, struct code_task *t, struct err *err)
{
    const json_t *in = json_object_get(truth, "inputs"), *out = json_object_get(truth, "outputs");
    const json_t *tests = json_is_object(truth) ? json_object_get(truth, "tests") : truth;
    size_t n = json_array_size(in ? in : tests);
    if (n == 0)
        return err_set(err, "there are no tests, expected a list of {\"input\", \"output\"} or "
                            "{\"inputs\": [..], \"outputs\": [..]}");
    if (in && json_array_size(out) != n)
        return err_set(err, "%zu inputs, %zu outputs", n, json_array_size(out));
    t->inputs = xcalloc(n, sizeof *t->inputs);
    t->outputs = xcalloc(n, sizeof *t->outputs);
    t->n_tests = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(tests, i);
        t->inputs[i] = stream_text(in ? json_array_get(in, i) : json_object_get(one, "input"),
                                   "input", err);
        t->outputs[i] = stream_text(in ? json_array_get(out, i) : json_object_get(one, "output"),
                                    "output", err);
        if (!t->inputs[i] || !t->outputs[i])
            return -1;
    }
    return 0;
}

/* Lists and objects come as JSON in a string, too; code is no JSON. */
static const json_t *unpack(const json_t *truth, struct code_task *t)
{
    struct err ignored = {0};
    const char *text = json_string_value(truth);
    if (!text || !strchr("[{", text[strspn(text, " \t\r\n")]))
        return truth;
    t->parsed = json_parse(text, json_string_length(truth), &ignored);
    return json_is_array(t->parsed) || json_is_object(t->parsed) ? t->parsed : truth;
}

int code_task_read(const struct answer *a, const json_t *truth, bool stdio, struct code_task *out,
                   struct err *err)
{
    *out = (struct code_task){.entry = "", .prompt = "", .setup = ""};
    truth = unpack(truth, out);
    int rc = read_language(a->record, truth, out, err);
    if (rc == 0)
        rc = stdio ? read_streams(truth, out, err) : read_asserts(a->record, truth, out, err);
    if (rc < 0)
        code_task_release(out);
    return rc < 0 ? err_prefix(err, "'ground_truth'") : 0;
}

void code_task_release(struct code_task *t)
{
    for (int i = 0; i < t->n_tests; i++) {
        if (t->inputs)
            free(t->inputs[i]);
        if (t->outputs)
            free(t->outputs[i]);
    }
    free(t->inputs);
    free(t->outputs);
    free(t->tests);
    json_decref(t->parsed);
    *t = (struct code_task){0};
}
