/* code_extract.c - where in a response the program stands: fenced blocks, as in CommonMark. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "reward/code_internal.h"

struct fence {
    char mark; /* '`' or '~' */
    int n;     /* how many of them */
    struct span tag;
};

static const char *line_end(const char *p)
{
    return p + strcspn(p, "\n");
}

/* Does a fence stand in this line? */
static bool read_fence(const char *line, struct fence *f)
{
    const char *p = line + strspn(line, " \t");
    size_t n = strspn(p, *p == '~' ? "~" : "`");
    if (n < 3)
        return false;
    f->mark = *p;
    f->n = (int)n;
    p += n + strspn(p + n, " \t{.");
    f->tag = (struct span){p, strcspn(p, " \t\r\n,:}")};
    /* ```x``` in a line is text. */
    return f->mark == '~' || !memchr(p, '`', (size_t)(line_end(p) - p));
}

static bool closes(const char *line, const struct fence *open)
{
    struct fence f;
    return read_fence(line, &f) && f.mark == open->mark && f.n >= open->n && f.tag.n == 0;
}

static bool is_tag(const struct span *tag, const char *name)
{
    return tag->n == strlen(name) && strncasecmp(tag->start, name, tag->n) == 0;
}

/* False for blocks that are no program: shell, output, data. */
static bool read_tag(const struct span *tag, enum code_language *language)
{
    static const struct {
        const char *name;
        enum code_language language;
    } tags[] = {
        {"", CODE_UNKNOWN},       {"python", CODE_PYTHON}, {"py", CODE_PYTHON},
        {"python3", CODE_PYTHON}, {"py3", CODE_PYTHON},    {"c", CODE_C},
        {"c99", CODE_C},          {"c11", CODE_C},
    };
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (is_tag(tag, tags[i].name)) {
            *language = tags[i].language;
            return true;
        }
    }
    return false;
}

static bool mentions(const struct span *text, const char *name)
{
    return name && *name && memmem(text->start, text->n, name, strlen(name));
}

static const char *next_line(const char *line)
{
    const char *end = line_end(line);
    return *end ? end + 1 : end;
}

/* The block that begins at the fence in *line; a cut response leaves the last one open. */
static struct span read_block(const char **line, const struct fence *open)
{
    const char *start = next_line(*line), *p = start;
    while (*p && !closes(p, open))
        p = next_line(p);
    *line = next_line(p);
    return (struct span){start, (size_t)(p - start)};
}

bool code_extract(const char *text, const char *name, struct code_block *out)
{
    bool found = false, named = false;
    struct fence f;
    for (const char *line = text; *line;) {
        if (!read_fence(line, &f)) {
            line = next_line(line);
            continue;
        }
        enum code_language language;
        struct span block = read_block(&line, &f);
        bool has_name = mentions(&block, name);
        if (!read_tag(&f.tag, &language) || (named && !has_name))
            continue;
        *out = (struct code_block){block, language, "fenced"};
        found = true;
        named = named || has_name;
    }
    if (found)
        return true;
    *out = (struct code_block){{text, strlen(text)}, CODE_UNKNOWN, "whole-text"};
    return text[strspn(text, " \t\r\n")] != '\0';
}
