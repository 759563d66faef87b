/* math_rational.c - exact values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reward/math_eval.h"

#define MAX_BITS 100000 /* of an exact number */
#define MAX_FACTORIAL 5000
#define MAX_DIGITS 20000

static bool small(const fmpq_t q)
{
    return fmpz_bits(fmpq_numref(q)) < MAX_BITS && fmpz_bits(fmpq_denref(q)) < MAX_BITS;
}

static bool worked(struct math_effort *effort, const fmpq_t q)
{
    return math_spend(effort,
                      10.0 * (double)(fmpz_bits(fmpq_numref(q)) + fmpz_bits(fmpq_denref(q))));
}

/* digits [. digits] [e exponent], of which the last `repeat` repeat. */
static bool number_value(const struct math_node *m, fmpq_t out)
{
    const char *s = m->text, *e = strpbrk(s, "eE"), *point = strchr(s, '.');
    size_t n = e ? (size_t)(e - s) : strlen(s), places = 0;
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    if (n > MAX_DIGITS || exponent > MAX_DIGITS || exponent < -MAX_DIGITS)
        return false;
    char *digits = xmalloc(n + 2);
    size_t k = 0;
    digits[k++] = '0';
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '.')
            digits[k++] = s[i];
    }
    digits[k] = '\0';
    if (point)
        places = n - (size_t)(point - s) - 1;
    fmpz_t ten, head;
    fmpz_init_set_ui(ten, 10);
    fmpz_init(head);
    bool ok = fmpz_set_str(fmpq_numref(out), digits, 10) == 0;
    fmpz_pow_ui(fmpq_denref(out), ten, places);
    if (ok && m->repeat) { /* (all - head) / (10^places - 10^(places - repeat)) */
        digits[k - (size_t)m->repeat] = '\0';
        ok = fmpz_set_str(head, digits, 10) == 0;
        fmpz_sub(fmpq_numref(out), fmpq_numref(out), head);
        fmpz_pow_ui(head, ten, places - (size_t)m->repeat);
        fmpz_sub(fmpq_denref(out), fmpq_denref(out), head);
    }
    fmpz_pow_ui(ten, ten, (ulong)labs(exponent));
    if (exponent < 0)
        fmpz_mul(fmpq_denref(out), fmpq_denref(out), ten);
    else
        fmpz_mul(fmpq_numref(out), fmpq_numref(out), ten);
    fmpq_canonicalise(out);
    fmpz_clear(ten);
    fmpz_clear(head);
    free(digits);
    return ok;
}

static bool rational_fold(const struct math_node *m, struct math_effort *effort, fmpq_t out)
{
    fmpq_t x;
    bool ok = true;
    fmpq_init(x);
    fmpq_set_si(out, m->kind == MATH_MUL, 1);
    for (int i = 0; ok && i < m->n; i++) {
        ok = math_rational(m->arg[i], effort, x);
        if (ok && m->kind == MATH_MUL)
            fmpq_mul(out, out, x);
        else if (ok)
            fmpq_add(out, out, x);
        ok = ok && small(out) && worked(effort, out);
    }
    fmpq_clear(x);
    return ok;
}

/* out = q^(1/k) if that is rational; the real root of a negative number for odd k. */
static bool rational_root(const fmpq_t q, ulong k, fmpq_t out)
{
    int sign = fmpq_sgn(q);
    if (k == 0 || (sign < 0 && k % 2 == 0))
        return false;
    fmpq_t a;
    fmpq_init(a);
    fmpq_abs(a, q);
    bool ok = fmpz_root(fmpq_numref(out), fmpq_numref(a), (slong)k) &&
              fmpz_root(fmpq_denref(out), fmpq_denref(a), (slong)k);
    if (ok && sign < 0)
        fmpq_neg(out, out);
    fmpq_clear(a);
    return ok;
}

static bool rational_power(const fmpq_t base, const fmpq_t e, fmpq_t out)
{
    if (!fmpz_fits_si(fmpq_numref(e)) || fmpz_cmp_ui(fmpq_denref(e), 64) > 0)
        return false;
    slong n = fmpz_get_si(fmpq_numref(e));
    double bits = (double)fmpz_bits(fmpq_numref(base)) + (double)fmpz_bits(fmpq_denref(base));
    bool unit = fmpz_is_pm1(fmpq_numref(base)) && fmpz_is_one(fmpq_denref(base));
    if ((!unit && fabs((double)n) * bits > MAX_BITS) || (fmpq_is_zero(base) && n <= 0))
        return false;
    fmpq_t root;
    fmpq_init(root);
    bool ok = rational_root(base, fmpz_get_ui(fmpq_denref(e)), root);
    if (ok && unit)
        fmpq_set_si(out, fmpq_sgn(root) < 0 && n % 2 != 0 ? -1 : 1, 1);
    else if (ok)
        fmpq_pow_si(out, root, n);
    fmpq_clear(root);
    return ok;
}

bool math_small_integer(const fmpq_t q, slong max, slong *out)
{
    if (!fmpz_is_one(fmpq_denref(q)) || fmpz_sgn(fmpq_numref(q)) < 0 ||
        fmpz_cmp_si(fmpq_numref(q), max) > 0)
        return false;
    *out = fmpz_get_si(fmpq_numref(q));
    return true;
}

static bool rational_pair(const struct math_node *m, const fmpq_t a, const fmpq_t b, fmpq_t out)
{
    slong n, k;
    switch (m->kind) {
    case MATH_DIV:
        if (fmpq_is_zero(b))
            return false;
        fmpq_div(out, a, b);
        return small(out);
    case MATH_POW:
        return rational_power(a, b, out);
    case MATH_ROOT:
        return math_small_integer(b, 64, &k) && rational_root(a, (ulong)k, out);
    case MATH_BINOMIAL:
        if (!math_small_integer(a, MAX_FACTORIAL, &n) || !math_small_integer(b, MAX_FACTORIAL, &k))
            return false;
        fmpz_bin_uiui(fmpq_numref(out), (ulong)n, (ulong)k);
        fmpz_one(fmpq_denref(out));
        return true;
    default:
        return false;
    }
}

static bool rational_function(const struct math_node *m, const fmpq_t a, const fmpq_t b, fmpq_t out)
{
    int order = m->n == 2 ? fmpq_cmp(a, b) : 0;
    bool whole = fmpz_is_one(fmpq_denref(a)) && fmpz_is_one(fmpq_denref(b));
    if (m->func >= MATH_MAX && m->n != 2)
        return false;
    if (m->func < MATH_MAX && m->n != 1)
        return false;
    fmpz_one(fmpq_denref(out));
    switch (m->func) {
    case MATH_ABS:
        fmpq_abs(out, a);
        return true;
    case MATH_FLOOR:
        fmpz_fdiv_q(fmpq_numref(out), fmpq_numref(a), fmpq_denref(a));
        return true;
    case MATH_CEIL:
        fmpz_cdiv_q(fmpq_numref(out), fmpq_numref(a), fmpq_denref(a));
        return true;
    case MATH_MAX:
        fmpq_set(out, order >= 0 ? a : b);
        return true;
    case MATH_MIN:
        fmpq_set(out, order <= 0 ? a : b);
        return true;
    case MATH_GCD:
        fmpz_gcd(fmpq_numref(out), fmpq_numref(a), fmpq_numref(b));
        return whole;
    case MATH_LCM:
        fmpz_lcm(fmpq_numref(out), fmpq_numref(a), fmpq_numref(b));
        return whole;
    default:
        return false;
    }
}

static bool rational_one(const struct math_node *m, const fmpq_t a, fmpq_t out)
{
    slong n;
    switch (m->kind) {
    case MATH_NEG:
        fmpq_neg(out, a);
        return true;
    case MATH_PERCENT:
        fmpz_set_ui(fmpq_denref(out), 100);
        fmpz_one(fmpq_numref(out));
        fmpq_mul(out, out, a);
        return true;
    case MATH_FACTORIAL:
        if (!math_small_integer(a, MAX_FACTORIAL, &n))
            return false;
        fmpz_fac_ui(fmpq_numref(out), (ulong)n);
        fmpz_one(fmpq_denref(out));
        return true;
    default:
        return false;
    }
}

bool math_rational(const struct math_node *m, struct math_effort *effort, fmpq_t out)
{
    if (m->kind == MATH_NUMBER)
        return number_value(m, out);
    if (m->kind == MATH_BASED) {
        fmpz_one(fmpq_denref(out));
        return strlen(m->text) < 1000 && m->base >= 2 && m->base <= 36 &&
               fmpz_set_str(fmpq_numref(out), m->text, m->base) == 0;
    }
    if (m->kind == MATH_ADD || m->kind == MATH_MUL)
        return rational_fold(m, effort, out);
    if (m->n < 1 || m->n > 2 || m->kind > MATH_PERCENT)
        return false;
    fmpq_t a, b;
    fmpq_init(a);
    fmpq_init(b);
    fmpq_one(b);
    bool ok =
        math_rational(m->arg[0], effort, a) && (m->n < 2 || math_rational(m->arg[1], effort, b));
    if (ok && m->kind == MATH_FUNCTION)
        ok = rational_function(m, a, b, out);
    else if (ok)
        ok = m->n == 2 ? rational_pair(m, a, b, out) : rational_one(m, a, out);
    ok = ok && worked(effort, out);
    fmpq_clear(a);
    fmpq_clear(b);
    return ok;
}
