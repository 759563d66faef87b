/* jinja.h - the part of Jinja that chat templates use, strict.
 *
 * Renders what Jinja2 renders with the settings of transformers' apply_chat_template
 * (trim_blocks, lstrip_blocks, loop controls, immutable sandbox, `{% generation %}`),
 * and refuses by name and line what is not in this part of the language: inheritance,
 * includes, recursive loops, filters and methods not in the tables.  A template is not
 * trusted: its steps, memory, output and depth are limited, and it can reach nothing
 * but the values given to it.
 *
 * Every byte of the output knows where it came from: the template itself, or the data.
 * So a marker that a template writes becomes its token, and the same characters in a
 * message do not.
 *
 *     struct jinja *j = jinja_compile(text, n, "chat_template.jinja", &err);
 *     struct jinja_output out = {0};
 *     if (jinja_render(j, &input, &out, &err) < 0) ...
 *     jinja_output_release(&out);
 *     jinja_free(j);
 *
 * A compiled template may be used by several threads at once.
 */
#ifndef TP_DATA_JINJA_H
#define TP_DATA_JINJA_H

#include <stdint.h>
#include <time.h>

#include "data/json.h"

struct jinja;
/* Errors are "name:line: what was wrong". */
struct jinja *jinja_compile(const char *text, size_t n, const char *name, struct err *err);
void jinja_free(struct jinja *j);
bool jinja_marks_generation(const struct jinja *j); /* has {% generation %} */

enum jinja_origin {
    JINJA_TEMPLATE,  /* literal text, special tokens, and roles, which are plain words */
    JINJA_DATA,      /* anything else that was given */
    JINJA_ASSISTANT, /* a string inside an assistant's message */
};

struct jinja_input {
    const json_t *messages;  /* array of objects, already checked */
    const json_t *tools;     /* NULL = none */
    const json_t *documents; /* NULL = none */
    const json_t *tokens;    /* {"bos_token": "<s>", ...}: their text counts as the template's */
    const json_t *variables; /* chat_template_kwargs; win over tokens; NULL = none */
    bool add_generation_prompt;
    time_t now; /* for strftime_now, in local time; 0 = $SOURCE_DATE_EPOCH, else the clock */
    int64_t max_steps; /* 0 = 20 million */
};

struct jinja_span {
    size_t begin, end; /* bytes of the output */
    int64_t message;   /* whose turn it is; -1 for {% generation %} */
};
struct jinja_spans {
    size_t n, cap;
    struct jinja_span *spans;
};

struct jinja_output {
    struct strbuf text, origin; /* one enum jinja_origin a byte */
    struct jinja_spans generation;
    struct jinja_spans turns; /* what one pass of a loop over messages wrote */
};
int jinja_render(const struct jinja *j, const struct jinja_input *in, struct jinja_output *out,
                 struct err *err) WARN_UNUSED;
void jinja_output_release(struct jinja_output *out);

#endif
