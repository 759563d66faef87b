/* math_value.c - are two expressions the same number, or the same function? */
#include "reward/math_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reward/math_eval.h"

#define FIRST_BITS 128
#define ALGEBRAIC_BITS 65536
#define BALL_BITS 1024
#define N_POINTS 6
#define NEEDED_POINTS 3

/* What stands in an expression. */
struct contents {
    struct math_env env; /* its effort is the caller's */
    bool imaginary, log;
    bool whole, fraction; /* makes sense at whole numbers, maybe only there; and between them */
    bool too_many, other;
};

static void add_name(struct contents *c, const char *name)
{
    for (int i = 0; i < c->env.n; i++) {
        if (strcmp(c->env.name[i], name) == 0)
            return;
    }
    if (c->env.n == MATH_MAX_NAMES)
        c->too_many = true;
    else
        c->env.name[c->env.n++] = name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* So that (b, a) is compared at the points of (a, b). */
static void sort_names(struct contents *c)
{
    qsort(c->env.name, (size_t)c->env.n, sizeof *c->env.name, by_name);
}

static bool has_name(const struct math_node *m)
{
    if (m->kind == MATH_NAME)
        return true;
    for (int i = 0; i < m->n; i++) {
        if (has_name(m->arg[i]))
            return true;
    }
    return false;
}

/* i to n, p and q stand for whole numbers by custom, others need not. */
static bool has_real_name(const struct math_node *m)
{
    if (m->kind == MATH_NAME)
        return !strchr("ijklmnpqIJKLMNPQ", m->text[0]);
    for (int i = 0; i < m->n; i++) {
        if (has_real_name(m->arg[i]))
            return true;
    }
    return false;
}

static void look_into(const struct math_node *m, struct contents *c)
{
    if (m->kind == MATH_NAME)
        add_name(c, m->text);
    c->imaginary = c->imaginary || m->kind == MATH_I;
    c->log = c->log || (m->kind == MATH_FUNCTION && m->func == MATH_LOG && m->n == 1);
    c->other =
        c->other || m->kind > MATH_DEGREE || m->kind == MATH_INFINITY || m->kind == MATH_PLUSMINUS;
    bool floors = m->kind == MATH_FUNCTION && (m->func == MATH_FLOOR || m->func == MATH_CEIL);
    bool sign = m->kind == MATH_POW && m->arg[0]->kind == MATH_NEG && has_name(m->arg[1]);
    bool counts = m->kind == MATH_FACTORIAL || m->kind == MATH_BINOMIAL || floors;
    c->fraction = c->fraction || (floors && has_real_name(m));
    c->whole = c->whole || sign || (counts && has_name(m));
    for (int i = 0; i < m->n; i++) {
        look_into(m->arg[i], c);
        /* A5_{16}: a letter before it may be a digit */
        c->other = c->other || (m->kind == MATH_MUL && m->arg[i]->kind == MATH_BASED);
    }
}

/* Numbers. */

static enum math_relation rational_compare(const struct math_node *a, const struct math_node *b,
                                           struct math_effort *effort)
{
    fmpq_t x, y;
    fmpq_init(x);
    fmpq_init(y);
    enum math_relation r = MATH_UNDECIDED;
    if (math_rational(a, effort, x) && math_rational(b, effort, y))
        r = fmpq_equal(x, y) ? MATH_SAME : MATH_DIFFERENT;
    fmpq_clear(x);
    fmpq_clear(y);
    return r;
}

/* Two balls. */
struct meeting {
    enum math_domain domain;
    bool apart; /* they do not meet */
    bool zeros; /* both are exactly 0 */
};

/* log2 of the size of the difference's ball, or +infinity. */
static double difference(const struct math_node *a, const struct math_node *b,
                         const struct math_env *env, slong bits, struct meeting *meet)
{
    acb_t x, y;
    mag_t size;
    double log2 = INFINITY;
    acb_init(x);
    acb_init(y);
    mag_init(size);
    enum math_domain da = math_ball(a, env, bits, x), db = math_ball(b, env, bits, y);
    *meet = (struct meeting){.domain = da > db ? da : db};
    if (meet->domain != MATH_UNDEFINED) {
        meet->zeros = acb_is_zero(x) && acb_is_zero(y);
        acb_sub(x, x, y, bits);
        meet->apart = !acb_contains_zero(x);
        acb_get_mag(size, x);
        log2 = mag_is_zero(size) ? -INFINITY : mag_get_d_log2_approx(size) + 1;
    }
    acb_clear(x);
    acb_clear(y);
    mag_clear(size);
    return log2;
}

/* Bits below which an algebraic difference must be zero; 0 if not known or too many. */
static double zero_bits(const struct math_node *a, const struct math_node *b,
                        struct math_effort *effort)
{
    struct math_node minus = {.kind = MATH_NEG, .n = 1, .arg = &b};
    const struct math_node *both[2] = {a, &minus};
    struct math_node sum = {.kind = MATH_ADD, .n = 2, .arg = both};
    struct math_bound bound;
    if (!math_bound(&sum, effort, &bound))
        return 0;
    double bits = bound.u * (bound.degree - 1) + bound.l + 2;
    return bits < ALGEBRAIC_BITS ? bits : 0;
}

static enum math_relation ball_compare(const struct math_node *a, const struct math_node *b,
                                       const struct math_env *env, const char **rule)
{
    struct meeting meet;
    double needed = 0;
    *rule = "ball";
    for (slong bits = FIRST_BITS; bits <= 4 * ALGEBRAIC_BITS; bits *= 4) {
        double log2 = difference(a, b, env, bits, &meet);
        if (meet.domain == MATH_UNDEFINED)
            return MATH_UNDECIDED;
        if (meet.apart)
            return MATH_DIFFERENT;
        if (bits == FIRST_BITS)
            needed = zero_bits(a, b, env->effort);
        if (needed > 0 && log2 < -needed) {
            *rule = "algebraic";
            return MATH_SAME;
        }
        if (needed == 0 && bits >= BALL_BITS)
            return log2 < -BALL_BITS / 2 ? MATH_SAME : MATH_UNDECIDED;
    }
    return MATH_UNDECIDED;
}

static enum math_relation number_compare(const struct math_node *a, const struct math_node *b,
                                         const struct contents *c, const char **rule)
{
    struct math_env env = {.effort = c->env.effort};
    *rule = "rational";
    enum math_relation r = rational_compare(a, b, env.effort);
    if (r != MATH_UNDECIDED)
        return r;
    r = ball_compare(a, b, &env, rule);
    if (r != MATH_DIFFERENT || !c->log)
        return r;
    env.log10 = true; /* \log without a base: natural to some, decimal to others */
    return ball_compare(a, b, &env, rule);
}

/* Variables. */

/* A fixed sequence: the verdict must be the same every time. */
static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Whole numbers where only they make sense; else fractions below 1, 3 and 51, some negative. */
static void choose_point(struct contents *c, int k, unsigned *state)
{
    static const unsigned divisor[] = {997, 293, 19};
    for (int i = 0; i < c->env.n; i++) {
        slong x = (slong)(next_random(state) % 900) + 67;
        if (c->whole && !c->fraction) {
            acb_set_si(&c->env.value[i], 2 + x % (4 + 2 * k));
            continue;
        }
        bool minus = k >= N_POINTS && next_random(state) % 2;
        acb_set_si(&c->env.value[i], minus ? -x : x);
        acb_div_ui(&c->env.value[i], &c->env.value[i], divisor[k % 3], BALL_BITS);
    }
}

/* Is it the same at this point?  Where either side leaves the reals that they differ proves
 * nothing: their branches may be chosen differently. */
static enum math_relation point_compare(const struct math_node *a, const struct math_node *b,
                                        const struct contents *c, struct meeting *meet)
{
    for (slong bits = FIRST_BITS; bits <= BALL_BITS; bits *= 4) {
        double log2 = difference(a, b, &c->env, bits, meet);
        if (meet->domain == MATH_UNDEFINED)
            return MATH_UNDECIDED;
        if (meet->apart)
            return meet->domain == MATH_REAL || c->imaginary ? MATH_DIFFERENT : MATH_UNDECIDED;
        if (log2 < -64)
            return MATH_SAME;
    }
    return MATH_UNDECIDED;
}

/* Zeros say little: a binomial coefficient is 0 at most points, and where it is not the other side may
 * have no value.  They count if there is nothing else. */
static enum math_relation points_compare(const struct math_node *a, const struct math_node *b,
                                         struct contents *c)
{
    unsigned state = 20251125;
    int same = 0, zeros = 0;
    struct meeting meet;
    enum math_relation r = MATH_SAME;
    for (int i = 0; i < c->env.n; i++)
        acb_init(&c->env.value[i]);
    for (int k = 0; k < 2 * N_POINTS && r != MATH_DIFFERENT; k++) {
        choose_point(c, k, &state);
        r = point_compare(a, b, c, &meet);
        same += r == MATH_SAME && !meet.zeros;
        zeros += r == MATH_SAME && meet.zeros;
    }
    for (int i = 0; i < c->env.n; i++)
        acb_clear(&c->env.value[i]);
    if (r == MATH_DIFFERENT)
        return r;
    return same >= NEEDED_POINTS || zeros == 2 * N_POINTS ? MATH_SAME : MATH_UNDECIDED;
}

enum math_relation math_value_compare(const struct math_node *a, const struct math_node *b,
                                      struct math_effort *effort, const char **rule)
{
    struct contents c = {.env = {.effort = effort}};
    look_into(a, &c);
    look_into(b, &c);
    *rule = "tree";
    if (math_same_tree(a, b))
        return MATH_SAME;
    if (c.too_many || c.other)
        return MATH_UNDECIDED;
    if (c.env.n == 0)
        return number_compare(a, b, &c, rule);
    sort_names(&c);
    *rule = "points";
    enum math_relation r = points_compare(a, b, &c);
    if (r == MATH_DIFFERENT && c.log) {
        c.env.log10 = true;
        r = points_compare(a, b, &c);
    }
    return r;
}

/* Ratios: equations and inequalities. */

/* (a0 - a1) / (b0 - b1) at the point; false where it has no value. */
static bool ratio_at(const struct math_node *const a[2], const struct math_node *const b[2],
                     const struct contents *c, acb_t out)
{
    acb_t x[4];
    bool ok = true;
    for (int i = 0; i < 4; i++) {
        acb_init(x[i]);
        const struct math_node *m = i < 2 ? a[i] : b[i - 2];
        enum math_domain domain = math_ball(m, &c->env, 2 * FIRST_BITS, x[i]);
        ok = ok && (domain == MATH_REAL || (domain == MATH_COMPLEX && c->imaginary));
    }
    if (ok) {
        acb_sub(x[0], x[0], x[1], 2 * FIRST_BITS);
        acb_sub(x[2], x[2], x[3], 2 * FIRST_BITS);
        ok = !acb_contains_zero(x[0]) && !acb_contains_zero(x[2]);
        if (ok)
            acb_div(out, x[0], x[2], 2 * FIRST_BITS);
    }
    for (int i = 0; i < 4; i++)
        acb_clear(x[i]);
    return ok;
}

static enum math_relation ratios_agree(const struct math_node *const a[2],
                                       const struct math_node *const b[2], struct contents *c,
                                       bool any_sign)
{
    unsigned state = 20251126;
    acb_t first, r;
    int n = 0;
    bool apart = false;
    acb_init(first);
    acb_init(r);
    for (int k = 0; k < 2 * N_POINTS && !apart; k++) {
        choose_point(c, k, &state);
        if (!ratio_at(a, b, c, r))
            continue;
        if (n++ == 0)
            acb_set(first, r);
        apart = !acb_overlaps(first, r) || (!any_sign && !arb_is_positive(acb_realref(r)));
    }
    acb_clear(first);
    acb_clear(r);
    if (apart)
        return MATH_DIFFERENT;
    return n >= NEEDED_POINTS ? MATH_SAME : MATH_UNDECIDED;
}

enum math_relation math_ratio_compare(const struct math_node *const a[2],
                                      const struct math_node *const b[2], bool any_sign,
                                      struct math_effort *effort, const char **rule)
{
    struct contents c = {.env = {.effort = effort}};
    *rule = "points";
    for (int i = 0; i < 2; i++) {
        look_into(a[i], &c);
        look_into(b[i], &c);
    }
    if (c.too_many || c.other || c.env.n == 0)
        return MATH_UNDECIDED;
    sort_names(&c);
    for (int i = 0; i < c.env.n; i++)
        acb_init(&c.env.value[i]);
    enum math_relation r = ratios_agree(a, b, &c, any_sign);
    for (int i = 0; i < c.env.n; i++)
        acb_clear(&c.env.value[i]);
    return r;
}

bool math_approximate(const struct math_node *m, struct math_effort *effort, double *out)
{
    acb_t x;
    struct math_env env = {.effort = effort};
    acb_init(x);
    bool ok = math_ball(m, &env, FIRST_BITS, x) == MATH_REAL && arb_is_zero(acb_imagref(x));
    if (ok)
        *out = arf_get_d(arb_midref(acb_realref(x)), ARF_RND_NEAR);
    acb_clear(x);
    return ok;
}
