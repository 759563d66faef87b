/* opt.c - command-line options from one table per program. */
#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

#define HELP_COLUMN 30
#define HELP_WIDTH 79
#define NO_LIMIT 9e18 /* a bound beyond it is no bound a user need read about */

/* Lives as long as the process: lists hold on to its memory, as they do to argv. */
static struct arena option_arena;
static struct opt_list given; /* long names of the last opt_parse */

static void list_add(struct opt_list *list, const char *item)
{
    if (list->n == list->cap) {
        int cap = list->cap ? list->cap * 2 : 16;
        const char **items = arena_alloc(&option_arena, (size_t)cap * sizeof *items);
        for (int i = 0; i < list->n; i++)
            items[i] = list->items[i];
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
}

/* Numbers. */

/* The fewest digits that read back as the same double. */
static const char *short_number(double x, char buf[32])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, 32, "%.*g", digits, x);
        if (strtod(buf, NULL) == x)
            break;
    }
    return buf;
}

static int out_of_range(const char *text, double min, double max, struct err *err)
{
    char lo[32], hi[32];
    short_number(min, lo);
    short_number(max, hi);
    if (max > NO_LIMIT)
        return err_set(err, "%s is out of range, expected at least %s", text, lo);
    if (min < -NO_LIMIT)
        return err_set(err, "%s is out of range, expected at most %s", text, hi);
    return err_set(err, "%s is out of range, expected %s to %s", text, lo, hi);
}

static bool starts_number(const char *text)
{
    return isdigit((unsigned char)*text) || *text == '-' || *text == '+' || *text == '.';
}

int parse_int(const char *text, double min, double max, int64_t *out, struct err *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    bool overflow = errno == ERANGE;
    long long unit = *end == 'K' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    if (!starts_number(text) || end == text || end[unit > 1] != '\0')
        return err_set(err, "'%s' is not a whole number", text);
    if (overflow || __builtin_mul_overflow(v, unit, &v) || (double)v < min || (double)v > max)
        return out_of_range(text, min, max, err);
    *out = v;
    return 0;
}

int parse_float(const char *text, double min, double max, double *out, struct err *err)
{
    char *end;
    double v = strtod(text, &end);
    /* strtod also takes spaces, hexadecimal and nan; of words only "inf" makes sense as a value. */
    bool word = strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
    if (end == text || *end || (!word && text[strspn(text, "+-.0123456789eE")] != '\0'))
        return err_set(err, "'%s' is not a number", text);
    if (!(v >= min && v <= max) || (isinf(v) && !word))
        return out_of_range(text, min, max, err);
    *out = v;
    return 0;
}

/* Looking up and storing. */

static const struct opt *find_long(const struct opt *table, const char *name, size_t len)
{
    for (const struct opt *o = table; o->type != OPT_TYPE_END; o++) {
        if (o->type == OPT_TYPE_TABLE) {
            const struct opt *found = find_long(o->table, name, len);
            if (found)
                return found;
        } else if (o->long_name && strlen(o->long_name) == len &&
                   memcmp(o->long_name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

static const struct opt *find_short(const struct opt *table, char c)
{
    for (const struct opt *o = table; o->type != OPT_TYPE_END; o++) {
        if (o->type == OPT_TYPE_TABLE) {
            const struct opt *found = find_short(o->table, c);
            if (found)
                return found;
        } else if (o->short_name && o->short_name == c) {
            return o;
        }
    }
    return NULL;
}

static void add_enum_names(struct strbuf *s, const struct opt_enum *values, const char *between)
{
    for (const struct opt_enum *v = values; v->name; v++)
        strbuf_addf(s, "%s%s", v == values ? "" : between, v->name);
}

static int store_enum(const struct opt *o, const char *text, struct err *err)
{
    for (const struct opt_enum *v = o->values; v->name; v++) {
        if (strcmp(v->name, text) == 0) {
            *(int *)o->value = v->value;
            return 0;
        }
    }
    struct strbuf names = {0};
    add_enum_names(&names, o->values, ", ");
    err_set(err, "'%s' is not one of %s", text, names.buf);
    strbuf_release(&names);
    return -1;
}

static int store_value(const struct opt *o, const char *text, struct err *err)
{
    switch (o->type) {
    case OPT_TYPE_FLAG:
        *(bool *)o->value = true;
        return 0;
    case OPT_TYPE_INT:
        return parse_int(text, o->min, o->max, o->value, err);
    case OPT_TYPE_FLOAT:
        return parse_float(text, o->min, o->max, o->value, err);
    case OPT_TYPE_STR:
        *(const char **)o->value = text;
        return 0;
    case OPT_TYPE_ENUM:
        return store_enum(o, text, err);
    case OPT_TYPE_LIST:
        list_add(o->value, text);
        return 0;
    case OPT_TYPE_END:
    case OPT_TYPE_GROUP:
    case OPT_TYPE_TABLE:
    case OPT_TYPE_CHECK:
        break;
    }
    BUG("option row of type %d has no value", (int)o->type);
}

/* As of a script's variable that is not set: better seen now than when the work is done. */
static bool empty_name(const struct opt *o, const char *text)
{
    return text && !*text && (strstr(o->arg, "FILE") || strstr(o->arg, "DIR") || strstr(o->arg, "CSV"));
}

static int store(const struct opt *o, const char *text, struct err *err)
{
    list_add(&given, o->long_name);
    if (empty_name(o, text))
        return err_set(err, "option '--%s': the name is empty", o->long_name);
    if (store_value(o, text, err) < 0)
        return err_prefix(err, "option '--%s'", o->long_name);
    return 0;
}

/* Walking argv. */

struct walk {
    const struct opt *table;
    int argc, next; /* argv[next] is the first word not looked at */
    char **argv;
};

static int parse_long(struct walk *w, const char *word, struct err *err)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct opt *o = find_long(w->table, name, len);
    if (!o)
        return err_set(err, "unknown option '--%.*s'", (int)len, name);
    if (o->type == OPT_TYPE_FLAG) {
        if (equals)
            return err_set(err, "option '--%s' takes no value", o->long_name);
        return store(o, NULL, err);
    }
    if (equals)
        return store(o, equals + 1, err);
    if (w->next >= w->argc)
        return err_set(err, "option '--%s' needs a value", o->long_name);
    return store(o, w->argv[w->next++], err);
}

/* "-qv" is two flags, "-n5" and "-n 5" are a value. */
static int parse_short(struct walk *w, const char *word, struct err *err)
{
    for (const char *c = word + 1; *c; c++) {
        const struct opt *o = find_short(w->table, *c);
        if (!o)
            return err_set(err, "unknown option '-%c'", *c);
        if (o->type == OPT_TYPE_FLAG) {
            if (store(o, NULL, err) < 0)
                return -1;
            continue;
        }
        if (c[1])
            return store(o, c + 1, err);
        if (w->next >= w->argc)
            return err_set(err, "option '-%c' needs a value", *c);
        return store(o, w->argv[w->next++], err);
    }
    return 0;
}

static int run_checks(const struct opt *table, struct err *err)
{
    int rc = 0;
    for (const struct opt *o = table; rc == 0 && o->type != OPT_TYPE_END; o++) {
        if (o->type == OPT_TYPE_TABLE)
            rc = run_checks(o->table, err);
        else if (o->type == OPT_TYPE_CHECK)
            rc = o->check(err);
    }
    return rc;
}

int opt_parse(const struct opt *table, int argc, char **argv, const char **operands,
              struct err *err)
{
    struct walk w = {.table = table, .argc = argc, .argv = argv, .next = 1};
    int n_operands = 0, rc = 0;
    bool only_operands = false;
    given.n = 0;
    while (rc == 0 && w.next < argc) {
        const char *word = argv[w.next++];
        if (only_operands || word[0] != '-' || word[1] == '\0')
            operands[n_operands++] = word;
        else if (word[1] != '-')
            rc = parse_short(&w, word, err);
        else if (word[2] != '\0')
            rc = parse_long(&w, word, err);
        else
            only_operands = true;
    }
    if (rc == 0)
        rc = run_checks(table, err);
    if (rc < 0 && err)
        err->status = EXIT_USAGE;
    return rc < 0 ? -1 : n_operands;
}

bool opt_given(const char *long_name)
{
    for (int i = 0; i < given.n; i++)
        if (strcmp(given.items[i], long_name) == 0)
            return true;
    return false;
}

/* Help. */

static void add_default(struct strbuf *s, const struct opt *o)
{
    char number[32];
    /* A value that the user could not give means that there is none. */
    if (o->type == OPT_TYPE_INT && (double)*(int64_t *)o->value >= o->min) {
        strbuf_addf(s, " [%lld]", (long long)*(int64_t *)o->value);
    } else if (o->type == OPT_TYPE_FLOAT && *(double *)o->value >= o->min) {
        strbuf_addf(s, " [%s]", short_number(*(double *)o->value, number));
    } else if (o->type == OPT_TYPE_STR && *(const char **)o->value) {
        strbuf_addf(s, " [%s]", *(const char **)o->value);
    } else if (o->type == OPT_TYPE_ENUM) {
        /* Shown for 0 too: it is as much a name as the others. */
        for (const struct opt_enum *v = o->values; v->name; v++)
            if (v->value == *(int *)o->value) {
                strbuf_addf(s, " [%s]", v->name);
                return;
            }
    }
}

static void add_synopsis(struct strbuf *s, const struct opt *o)
{
    if (o->short_name)
        strbuf_addf(s, "  -%c, --%s", o->short_name, o->long_name);
    else
        strbuf_addf(s, "      --%s", o->long_name);
    if (o->arg) {
        strbuf_addf(s, " %s", o->arg);
    } else if (o->type == OPT_TYPE_ENUM) {
        strbuf_addc(s, ' ');
        add_enum_names(s, o->values, "|");
    }
}

/* Prints text from HELP_COLUMN on, broken at spaces; `column` is where the cursor is. */
static void print_wrapped(const char *text, int column)
{
    if (column > HELP_COLUMN - 2) {
        printf("\n");
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    column = HELP_COLUMN;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            printf(" ");
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    printf("\n");
}

static void print_row(const struct opt *o)
{
    struct strbuf left = {0}, right = {0};
    add_synopsis(&left, o);
    strbuf_adds(&right, o->help ? o->help : "");
    add_default(&right, o);
    printf("%s", left.buf);
    print_wrapped(right.buf, (int)left.len);
    strbuf_release(&left);
    strbuf_release(&right);
}

static void print_table(const struct opt *table, bool *in_group)
{
    for (const struct opt *o = table; o->type != OPT_TYPE_END; o++) {
        if (o->type == OPT_TYPE_TABLE) {
            print_table(o->table, in_group);
        } else if (o->type == OPT_TYPE_GROUP) {
            printf("\n%s:\n", o->help);
            *in_group = true;
        } else if (o->type != OPT_TYPE_CHECK) {
            if (!*in_group)
                printf("\nOptions:\n");
            *in_group = true;
            print_row(o);
        }
    }
}

void opt_print_help(const struct opt *table)
{
    bool in_group = false;
    print_table(table, &in_group);
}
