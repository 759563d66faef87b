/* fuzz_extract.c - where the answer stands in any text: no crash, no endless loop, and every span
 * lies inside the text, is not empty and does not begin or end in a blank.
 * Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"
#include "reward/verifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(const char *text, bool found, const struct span *s, const char *what)
{
    if (!found)
        return;
    bool inside = s->start >= text && s->start + s->n <= text + strlen(text);
    if (inside && s->n > 0 && !strchr(" \t\r\n", s->start[0]) &&
        !strchr(" \t\r\n", s->start[s->n - 1]))
        return;
    fprintf(stderr, "%s: %zu bytes at %td of '%s'\n", what, s->n, s->start - text, text);
    abort();
}

static void judge(const char *name, const char *text, const json_t *truth)
{
    struct err err = {0};
    struct verdict v = {0};
    struct answer a = {.text = text, .whole = text};
    if (verifier_find(name)->judge(&a, truth, &v, &err) < 0)
        abort();
    verdict_release(&v);
}

/* Programs: the block lies inside the text, an output is the same as itself, and tests in any form
 * are read or refused. */
static void check_code(const char *text)
{
    struct code_block block;
    struct answer a = {.text = text, .whole = text};
    json_t *truth = json_string(text);
    if (code_extract(text, "f", &block) &&
        (block.text.start < text || block.text.start + block.text.n > text + strlen(text)))
        abort();
    if (!code_output_same(text, text))
        abort();
    for (int stdio = 0; truth && stdio < 2; stdio++) {
        struct code_task task;
        struct err err = {0};
        if (code_task_read(&a, truth, stdio, &task, &err) == 0)
            code_task_release(&task);
        else if (!err.set)
            abort();
    }
    json_decref(truth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s;
    char *text = xstrndup((const char *)data, size);
    check_span(text, extract_boxed(text, &s), &s, "boxed");
    check_span(text, extract_minerva(text, &s), &s, "minerva");
    check_span(text, extract_tag(text, "answer", &s), &s, "tag");
    check_span(text, extract_answer_is(text, &s), &s, "answer is");
    check_span(text, extract_formula(text, &s), &s, "formula");
    check_span(text, extract_number(text, false, &s), &s, "number");
    check_span(text, extract_number(text, true, &s), &s, "fraction");
    check_span(text, extract_whole(text, &s), &s, "whole");
    check_code(text);
    json_t *truth = json_string("42");
    judge("math", text, truth);
    judge("strict_math", text, truth);
    judge("gsm8k", text, truth);
    json_decref(truth);
    free(text);
    return 0;
}
