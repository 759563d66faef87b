/* math_parser.h - the parser's inside, shared by math_parser.c (tools), math_bracket.c, math_atom.c
 * and math_parse.c (operators, words, lists).
 *
 * Every function that returns a node returns NULL once the text is no formula; the first fault
 * stays.
 */
#ifndef TP_REWARD_MATH_PARSER_H
#define TP_REWARD_MATH_PARSER_H

#include "reward/math_lex.h"

#define PARSER_MAX_WRAPS 1000

struct parser {
    struct math_token *t; /* the token at the cursor */
    struct arena *arena;
    const char *fault;
    int depth, bars; /* bars: open |..| */
    int wraps;       /* nodes put around others without going deeper: x!!!, A \cup B \cup C */
};

typedef const struct math_node *node;

/* A growing list of children. */
struct items {
    node *item;
    int n, cap;
};

node parser_fail(struct parser *s, const char *why);
bool parser_at(const struct parser *s, int kind);
bool parser_take(struct parser *s, int kind);
/* One level down; the caller goes up again by s->depth--. */
bool parser_deeper(struct parser *s);
bool parser_items_add(struct parser *s, struct items *list, node m);
const char *parser_text(struct parser *s, const char *start, size_t n);

struct math_node *parser_node(struct parser *s, enum math_kind kind, int n);
node parser_node1(struct parser *s, enum math_kind kind, node a);
node parser_node2(struct parser *s, enum math_kind kind, node a, node b);
struct math_node *parser_node_items(struct parser *s, enum math_kind kind,
                                    const struct items *list);
node parser_number(struct parser *s, const char *text);
node parser_function(struct parser *s, enum math_function func, node arg);

node parser_list(struct parser *s);
node parser_sum(struct parser *s);
node parser_power(struct parser *s);
node parser_atom(struct parser *s);
bool parser_starts_atom(const struct parser *s);
/* What \frac, \sqrt and ^ take: a group, or one digit ("\frac12"), or one atom. */
node parser_argument(struct parser *s, bool one_digit);

/* The opening bracket was taken. */
node parser_bracket(struct parser *s, char open);
node parser_group(struct parser *s);
node parser_bars(struct parser *s, int close_kind);
node parser_open(struct parser *s, int value);
node parser_matrix(struct parser *s);
/* All real numbers, as an interval. */
node parser_reals(struct parser *s);

#endif
