/* opt.h - command-line options from one table per program.
 *
 * The table gives parsing, --help (with defaults, which are the variables'
 * values when help is printed) and, through `--help`, the check of the man page.
 * Long names are whole words; "--name value" and "--name=value" both work, and
 * options and operands may mix; "--" ends the options.  Numbers are parsed whole
 * and checked against their range.
 *
 *     struct opt opts[] = {
 *         OPT_GROUP("Sampling"),
 *         OPT_FLOAT(0, "temperature", &o.temperature, "T", "sampling temperature", 0, 100),
 *         OPT_END,
 *     };
 */
#ifndef TP_BASE_OPT_H
#define TP_BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum opt_type {
    OPT_TYPE_END,
    OPT_TYPE_GROUP,
    OPT_TYPE_FLAG,  /* bool *: set to true */
    OPT_TYPE_INT,   /* int64_t *, with an optional suffix K, M, G (powers of 1000) */
    OPT_TYPE_FLOAT, /* double * */
    OPT_TYPE_STR,   /* const char **: points into argv */
    OPT_TYPE_ENUM,  /* int *: one of values[] */
    OPT_TYPE_LIST,  /* struct opt_list *: may be given several times */
    OPT_TYPE_TABLE, /* a nested table of shared rows */
    OPT_TYPE_CHECK  /* what the rows around it must fulfil together */
};

struct opt_enum {
    const char *name;
    int value;
}; /* ends with name NULL */

struct opt_list {
    int n, cap;
    const char **items;
};

struct opt {
    enum opt_type type;
    char short_name; /* 0 = none */
    const char *long_name;
    void *value;
    const char *arg; /* the metavariable */
    const char *help;
    double min, max;
    const struct opt_enum *values;
    const struct opt *table;
    int (*check)(struct err *err);
};

#define OPT_END {.type = OPT_TYPE_END}
#define OPT_GROUP(title) {.type = OPT_TYPE_GROUP, .help = (title)}
#define OPT_FLAG(s, l, v, h)                                                                       \
    {.type = OPT_TYPE_FLAG, .short_name = (s), .long_name = (l), .value = (v), .help = (h)}
#define OPT_INT(s, l, v, a, h, lo, hi)                                                             \
    {.type = OPT_TYPE_INT, .short_name = (s), .long_name = (l), .value = (v), .arg = (a),          \
     .help = (h), .min = (lo), .max = (hi)}
#define OPT_FLOAT(s, l, v, a, h, lo, hi)                                                           \
    {.type = OPT_TYPE_FLOAT, .short_name = (s), .long_name = (l), .value = (v), .arg = (a),        \
     .help = (h), .min = (lo), .max = (hi)}
#define OPT_STR(s, l, v, a, h)                                                                     \
    {.type = OPT_TYPE_STR, .short_name = (s), .long_name = (l), .value = (v), .arg = (a),          \
     .help = (h)}
#define OPT_ENUM(s, l, v, a, h, vals)                                                              \
    {.type = OPT_TYPE_ENUM, .short_name = (s), .long_name = (l), .value = (v), .arg = (a),         \
     .help = (h), .values = (vals)}
#define OPT_LIST(s, l, v, a, h)                                                                    \
    {.type = OPT_TYPE_LIST, .short_name = (s), .long_name = (l), .value = (v), .arg = (a),         \
     .help = (h)}
#define OPT_TABLE(t) {.type = OPT_TYPE_TABLE, .table = (t)}
/* check() is called once all words are read, so that shared rows bring their rules with them. */
#define OPT_CHECK(fn) {.type = OPT_TYPE_CHECK, .check = (fn)}

/* Sets the variables; moves the operands to operands[0..return) (room for argc).  -1 on misuse,
 * with err->status = EXIT_USAGE.  Given twice, the last one counts. */
int opt_parse(const struct opt *table, int argc, char **argv, const char **operands,
              struct err *err) WARN_UNUSED;
/* True if the option was on the command line of the last opt_parse. */
bool opt_given(const char *long_name);
/* The rows as help text, on stdout. */
void opt_print_help(const struct opt *table);

int parse_int(const char *text, double min, double max, int64_t *out, struct err *err) WARN_UNUSED;
int parse_float(const char *text, double min, double max, double *out, struct err *err) WARN_UNUSED;

#endif
