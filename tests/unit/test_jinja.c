/* test_jinja.c - templates rendered as transformers renders them (tests/golden/make_jinja_golden.py):
 * our own and one-line ones in tests/golden/jinja, public ones in $THINKPIPE_DATA; and hostile ones. */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "data/jinja.h"
#include "data/stream.h"

/* --- golden renderings ------------------------------------------------------------------------- */

struct golden {
    const char *dir;
    const json_t *inputs, *tokens;
    char *name; /* of the template compiled last */
    struct jinja *template;
    int rows;
};

static const char *text_of(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

/* The row's template, compiled once for the rows that follow each other; NULL: it is refused. */
static const struct jinja *template_of(struct golden *g, const json_t *row, struct err *err)
{
    const char *name = text_of(row, "template"), *text = text_of(row, "text");
    if (*name && g->name && strcmp(name, g->name) == 0 && g->template)
        return g->template;
    struct strbuf file = {0};
    char *path = path_join(g->dir, name);
    if (*name)
        CHECK_MSG(file_read(path, &file, err) == 0, "%s", err->text);
    jinja_free(g->template);
    free(g->name);
    g->name = xstrdup(name);
    g->template = jinja_compile(*name ? file.buf : text, *name ? file.len : strlen(text),
                                *name ? name : text, err);
    strbuf_release(&file);
    free(path);
    return g->template;
}

static int64_t chars(const char *s, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

static bool same_spans(const struct jinja_output *out, const json_t *row)
{
    const json_t *spans = json_object_get(row, "spans"), *span;
    size_t i, k = 0;
    json_array_foreach(spans, i, span)
    {
        json_int_t begin = json_integer_value(json_array_get(span, 0));
        json_int_t end = json_integer_value(json_array_get(span, 1));
        if (begin == end)
            continue; /* we do not keep empty ones */
        if (k == out->generation.n ||
            begin != chars(out->text.buf, out->generation.spans[k].begin) ||
            end != chars(out->text.buf, out->generation.spans[k].end))
            return false;
        k++;
    }
    return k == out->generation.n;
}

/* Every byte has an origin, and what a message says is never the template's. */
static bool origins_fit(const struct jinja_output *out)
{
    const char *forged = strstr(out->text.buf, "<|im_end|> </s> {{ x }}");
    for (size_t i = 0; forged && i < strlen("<|im_end|>"); i++)
        if (out->origin.buf[(size_t)(forged - out->text.buf) + i] == JINJA_TEMPLATE)
            return false;
    return out->origin.len == out->text.len;
}

static void check_row(struct golden *g, const json_t *row)
{
    struct err err = {0};
    struct jinja_output out = {0};
    size_t number = (size_t)json_integer_value(json_object_get(row, "conversation"));
    size_t variant = (size_t)json_integer_value(json_object_get(row, "variant"));
    const json_t *how = json_array_get(json_object_get(g->inputs, "variants"), variant);
    struct jinja_input in = {
        .messages = json_array_get(json_object_get(g->inputs, "conversations"), number),
        .tools = json_object_get(how, "tools"),
        .documents = json_object_get(how, "documents"),
        .variables = json_object_get(how, "variables"),
        .tokens = g->tokens,
        .add_generation_prompt = json_is_true(json_object_get(how, "add_generation_prompt")),
        .now = 1721995200, /* 2024-07-26 12:00 UTC */
    };
    const struct jinja *j = template_of(g, row, &err);
    const char *what = *g->name ? g->name : text_of(row, "text");
    int rc = j ? jinja_render(j, &in, &out, &err) : -1;
    if (json_is_true(json_object_get(row, "refused"))) {
        CHECK_MSG(rc < 0, "%s, conversation %zu, variant %zu: should be refused, gives '%s'", what, number, variant,
                  out.text.buf);
    } else if (rc < 0) {
        CHECK_MSG(false, "%s, conversation %zu, variant %zu: %s", what, number, variant, err.text);
    } else {
        CHECK_MSG(strcmp(out.text.buf, text_of(row, "rendered")) == 0,
                  "%s, conversation %zu, variant %zu:\n'%s' is not\n'%s'", what, number, variant, out.text.buf,
                  text_of(row, "rendered"));
        CHECK_MSG(same_spans(&out, row), "%s, conversation %zu, variant %zu: spans", what, number, variant);
        CHECK_MSG(origins_fit(&out), "%s, conversation %zu, variant %zu: origins", what, number, variant);
    }
    jinja_output_release(&out);
    g->rows++;
}

static int check_goldens(const char *dir)
{
    struct err err = {0};
    struct strbuf line = {0};
    char *path = path_join(dir, "inputs.json"), *rows = path_join(dir, "expected.jsonl");
    json_t *inputs = json_load_path(path, &err);
    json_t *tokens = json_pack("{ss ss ss ss}", "bos_token", "<s>", "eos_token", "</s>",
                               "pad_token", "<pad>", "unk_token", "<unk>");
    struct golden g = {.dir = dir, .inputs = inputs, .tokens = tokens};
    struct stream *s = stream_open(rows, &err);
    CHECK_MSG(inputs && s, "%s", err.text);
    while (s && inputs && stream_line(s, &line, 0, NULL, &err) == 1) {
        json_t *row = json_parse(line.buf, line.len, &err);
        CHECK_MSG(row, "%s: %s", rows, err.text);
        check_row(&g, row);
        json_decref(row);
    }
    CHECK_MSG(!err.set, "%s", err.text);
    stream_close(s);
    strbuf_release(&line);
    json_decref(inputs);
    json_decref(tokens);
    jinja_free(g.template);
    free(g.name);
    free(path);
    free(rows);
    return g.rows;
}

static void test_ours(void)
{
    const char *root = getenv("TESTS");
    char *dir = path_join(root ? root : "tests", "golden/jinja");
    CHECK(check_goldens(dir) > 100);
    free(dir);
}

/* --- hostile templates ------------------------------------------------------------------------- */

/* What it says when it is refused; "" if it is not. */
static const char *refusal(const char *text)
{
    static struct err err;
    struct jinja_output out = {0};
    json_t *messages = json_pack("[{ss ss}]", "role", "user", "content", "hi");
    struct jinja_input in = {.messages = messages};
    err = (struct err){0};
    struct jinja *j = jinja_compile(text, strlen(text), "t", &err);
    if (j && jinja_render(j, &in, &out, &err) == 0)
        err.text[0] = '\0';
    jinja_output_release(&out);
    json_decref(messages);
    jinja_free(j);
    return err.text;
}

static void check_refused(const char *text, const char *why)
{
    const char *said = refusal(text);
    CHECK_MSG(strstr(said, why), "'%.60s' is refused with '%s', expected '%s'", text, said, why);
}

/* before, n times middle, between, n times close, after */
static void check_nested(const char *before, const char *middle, int n, const char *between,
                         const char *close, const char *after, const char *why)
{
    struct strbuf text = {0};
    strbuf_adds(&text, before);
    for (int i = 0; i < n; i++)
        strbuf_adds(&text, middle);
    strbuf_adds(&text, between);
    for (int i = 0; i < n; i++)
        strbuf_adds(&text, close);
    strbuf_adds(&text, after);
    check_refused(text.buf, why);
    strbuf_release(&text);
}

static void check_long(const char *before, const char *middle, int n, const char *after,
                       const char *why)
{
    check_nested(before, middle, n, "", "", after, why);
}

#define DOUBLE(what) "{% set ns = namespace(x=" what ") %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
#define MANY "{% for a in range(99999) %}{% for b in range(99999) %}"
#define MANY_END "{% endfor %}{% endfor %}"

static void test_hostile(void)
{
    check_refused(MANY MANY_END, "t:1: the template uses more than 256 MiB");
    check_refused(MANY "{{ 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 }}" MANY_END, "t:1: the template does not end");
    check_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply");
    check_refused("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}\n{{ m() }}", "nested too deeply");
    check_refused(DOUBLE("'x'"), "uses more than 256 MiB");
    check_refused(DOUBLE("[1]"), "uses more than 256 MiB");
    check_refused("{{ 'x' * 10000000000 }}", "uses more than 256 MiB");
    check_refused("{{ ([1] * 1000000) * 1000000 }}", "uses more than 256 MiB");
    check_refused("{{ (['', ''] * 99999) | join('y' * 9999999) }}", "uses more than 256 MiB");
    check_refused("{{ range(9999999999) }}", "more than 100000");
    check_refused(MANY "0123456789012345678901234567890123456789" MANY_END, "writes more than 64 MiB");
    check_refused("{% set x = 'ab' * 9999999 %}" MANY "{{ x.find('c') }}" MANY_END, "does not end");
    check_refused("{% set x = 'ab' * 9999999 %}" MANY "{{ x | length == 1 }}" MANY_END, "does not end");
    check_refused("{% set x = ['ab'] * 99999 %}" MANY "{{ 'c' in x }}" MANY_END, "does not end");
    check_refused("{% set x = ('a ' * 99999).split() %}" MANY "{{ x | sort | first }}" MANY_END, "t:1:");
    check_refused("{{ 'a' | replace('a', 'b' * 99999999) | replace('b', 'c' * 99999999) }}", "256 MiB");
    check_refused("{{ ('a' * 9999999) | indent(1000) | indent('x' * 99999999) }}", "t:1:");
    check_refused("{{ ('\\n' * 9999999) | indent(1000, blank=true) }}", "256 MiB");
    check_refused("{{ 9223372036854775807 + 1 }}", "not a number");
    check_refused("{{ 999999999999999999 * 999999999999999999 }}", "too large");
    check_refused("{{ 9 ** 999999999999 }}", "too large");
    check_refused("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}"
                  "{% endfor %}{{ ns.x }}", "nested too deeply");
    check_refused("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}"
                  "{% endfor %}{{ ns.x | tojson }}", "nested too deeply");
    check_nested("{{ ", "(", 100000, "1", ")", " }}", "inside one another");
    check_nested("{{ ", "[", 100000, "1", "]", " }}", "inside one another");
    check_long("{{ ", "-", 100000, "1 }}", "inside one another");
    check_long("{{ ", "not ", 100000, "1 }}", "inside one another");
    check_long("{{ 1", " if 1 else 1", 100000, " }}", "inside one another");
    check_long("", "{% if 1 %}", 100000, "", "inside one another");
    check_long("{{ 1", " + 1", 100000, " }}", "nested too deeply");
    check_long("{{ x", ".x", 100000, " }}", "nested too deeply");
    check_long("{{ x", "|trim", 100000, " }}", "nested too deeply");
    check_long("{% if 0 %}", "{% elif 0 %}", 100000, "{% endif %}", "");
    check_long("{% set a", ".b", 100000, " = 1 %}", "expected");
    check_nested("{% for ", "(", 100000, "x", ")", " in y %}{% endfor %}", "inside one another");
    check_refused("\xff", "UTF-8");
    check_refused("{% include 'x' %}", "t:1: the statement 'include' is not supported");
    check_refused("\n\n{{ x | xmlattr }}", "t:3: the filter 'xmlattr' is not supported");
    check_refused("\n{% block a %}{% endblock %}", "t:2: the statement 'block' is not supported");
    check_refused("\n\n{{ raise_exception('no tools here') }}", "t:3: the template refuses: no tools here");
}

static void test_public(void)
{
    char *data = check_data("chat-templates");
    if (!data)
        return;
    CHECK(check_goldens(data) > 1000);
    free(data);
}

int main(void)
{
    mem_init();
    setenv("TZ", "UTC", 1);
    tzset();
    test_ours();
    test_hostile();
    test_public();
    return check_done();
}
