/* math_bound.c - how near to zero an algebraic expression can be without being zero. */
#include <math.h>
#include <string.h>

#include "reward/math_eval.h"

#define MAX_RADICALS 64

struct radicals {
    const struct math_node *seen[MAX_RADICALS];
    int n;
    double degree;
    struct math_effort *effort;
};

/* The same radical twice extends the field once. */
static bool extend(struct radicals *r, const struct math_node *m, double k)
{
    for (int i = 0; i < r->n; i++) {
        if (math_same_tree(r->seen[i], m))
            return true;
    }
    if (r->n == MAX_RADICALS)
        return false;
    r->seen[r->n++] = m;
    r->degree *= k;
    return true;
}

static double bits_of(const fmpz_t x)
{
    return fmpz_is_zero(x) ? 0 : (double)fmpz_bits(x);
}

static void root_bound(struct math_bound *b, double k)
{
    if (b->u >= b->l) {
        b->u = (b->u + (k - 1) * b->l) / k;
    } else {
        b->l = (b->l + (k - 1) * b->u) / k;
    }
}

static bool bound(const struct math_node *m, struct radicals *r, struct math_bound *b);

static bool power_bound(const struct math_node *m, const fmpq_t e, struct radicals *r,
                        struct math_bound *b)
{
    if (!fmpz_fits_si(fmpq_numref(e)) || fmpz_cmp_ui(fmpq_denref(e), 64) > 0 ||
        !bound(m->arg[0], r, b))
        return false;
    double n = fmpz_get_d(fmpq_numref(e)), k = fmpz_get_d(fmpq_denref(e));
    if (n < 0) {
        double u = b->u;
        b->u = b->l;
        b->l = u;
    }
    if (k > 1) {
        if (!extend(r, m, k))
            return false;
        root_bound(b, k);
    }
    b->u *= fabs(n);
    b->l *= fabs(n);
    return true;
}

static bool fold_bound(const struct math_node *m, struct radicals *r, struct math_bound *b)
{
    struct math_bound x;
    *b = (struct math_bound){0};
    for (int i = 0; i < m->n; i++) {
        if (!bound(m->arg[i], r, &x))
            return false;
        if (m->kind == MATH_MUL)
            b->u += x.u;
        else
            b->u = i == 0 ? x.u : fmax(b->u + x.l, x.u + b->l) + 1;
        b->l += x.l;
    }
    return true;
}

static bool bound(const struct math_node *m, struct radicals *r, struct math_bound *b)
{
    fmpq_t q;
    struct math_bound x;
    bool ok = false;
    fmpq_init(q);
    if (math_rational(m, r->effort, q)) {
        *b = (struct math_bound){bits_of(fmpq_numref(q)), bits_of(fmpq_denref(q)), 0};
        ok = true;
    } else if (m->kind == MATH_I) {
        *b = (struct math_bound){0};
        ok = extend(r, m, 2);
    } else if (m->kind == MATH_ADD || m->kind == MATH_MUL) {
        ok = fold_bound(m, r, b);
    } else if (m->kind == MATH_NEG) {
        ok = bound(m->arg[0], r, b);
    } else if (m->kind == MATH_DIV) {
        ok = bound(m->arg[0], r, b) && bound(m->arg[1], r, &x);
        if (ok)
            *b = (struct math_bound){b->u + x.l, b->l + x.u, 0};
    } else if (m->kind == MATH_POW) {
        ok = math_rational(m->arg[1], r->effort, q) && power_bound(m, q, r, b);
    } else if (m->kind == MATH_ROOT) {
        ok = math_rational(m->arg[1], r->effort, q) && fmpz_is_one(fmpq_denref(q)) &&
             fmpz_cmp_ui(fmpq_numref(q), 64) <= 0 && fmpz_sgn(fmpq_numref(q)) > 0 &&
             bound(m->arg[0], r, b) && extend(r, m, fmpz_get_d(fmpq_numref(q)));
        if (ok)
            root_bound(b, fmpz_get_d(fmpq_numref(q)));
    }
    fmpq_clear(q);
    return ok;
}

bool math_bound(const struct math_node *m, struct math_effort *effort, struct math_bound *out)
{
    struct radicals r = {.degree = 1, .effort = effort};
    if (!bound(m, &r, out))
        return false;
    out->degree = r.degree;
    return true;
}
