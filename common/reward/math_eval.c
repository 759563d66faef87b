/* math_eval.c - exact rational values, and balls for everything else. */
#include "reward/math_eval.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BITS 100000   /* of an exact number */
#define MAX_BALL_LOG2 1e7 /* of the size of a number in a ball */
#define MAX_FACTORIAL 5000
#define MAX_DIGITS 20000

static pthread_key_t cleanup_key;
static pthread_once_t cleanup_once = PTHREAD_ONCE_INIT;

static void clean_up(void *unused)
{
    (void)unused;
    flint_cleanup();
}

static void make_key(void)
{
    if (pthread_key_create(&cleanup_key, clean_up) != 0)
        BUG("no thread key left");
}

void math_eval_begin(void)
{
    pthread_once(&cleanup_once, make_key);
    if (!pthread_getspecific(cleanup_key))
        pthread_setspecific(cleanup_key,
                            &cleanup_once); /* any pointer: a thread without is left out */
}

bool math_spend(struct math_effort *effort, double bits)
{
    effort->left -= bits + 200;
    return effort->left >= 0;
}

/* Rational. */

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

static bool small_integer(const fmpq_t q, slong max, slong *out)
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
        return small_integer(b, 64, &k) && rational_root(a, (ulong)k, out);
    case MATH_BINOMIAL:
        if (!small_integer(a, MAX_FACTORIAL, &n) || !small_integer(b, MAX_FACTORIAL, &k))
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
        if (!small_integer(a, MAX_FACTORIAL, &n))
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

/* Balls. */

static enum math_domain worse(enum math_domain a, enum math_domain b)
{
    return a > b ? a : b;
}

static double log2_size(const acb_t z)
{
    mag_t size;
    mag_init(size);
    acb_get_mag(size, z);
    double x = mag_is_inf(size) ? INFINITY : mag_get_d_log2_approx(size);
    mag_clear(size);
    return x;
}

static bool negative(const acb_t z)
{
    return arb_is_zero(acb_imagref(z)) && arb_is_negative(acb_realref(z));
}

static enum math_domain ball_root(const acb_t x, const fmpq_t index, slong bits, acb_t out)
{
    slong k;
    if (!small_integer(index, 1000, &k) || k == 0)
        return MATH_UNDEFINED;
    if (negative(x) && k % 2 == 1) {
        acb_neg(out, x);
        acb_root_ui(out, out, (ulong)k, bits);
        acb_neg(out, out);
        return MATH_REAL;
    }
    acb_root_ui(out, x, (ulong)k, bits);
    return arb_is_nonnegative(acb_realref(x)) && arb_is_zero(acb_imagref(x)) ? MATH_REAL
                                                                             : MATH_COMPLEX;
}

static enum math_domain ball_power(const struct math_node *m, const struct math_env *env,
                                   const acb_t x, const acb_t y, slong bits, acb_t out)
{
    fmpq_t e;
    enum math_domain domain = MATH_REAL;
    double size = log2_size(x), exponent = log2_size(y);
    if (!(fabs(size) < 1e15) || exponent > 40 || fabs(size) * exp2(exponent) > MAX_BALL_LOG2) {
        if (!acb_contains_zero(x))
            return MATH_UNDEFINED;
    }
    fmpq_init(e);
    if (math_rational(m->arg[1], env->effort, e) && fmpz_fits_si(fmpq_numref(e)) &&
        fmpz_cmp_ui(fmpq_denref(e), 64) <= 0) {
        fmpq_t index;
        fmpq_init(index);
        fmpz_set(fmpq_numref(index), fmpq_denref(e));
        if (!fmpz_is_one(fmpq_denref(e)))
            domain = ball_root(x, index, bits, out);
        else
            acb_set(out, x);
        if (fmpq_sgn(e) <= 0 && acb_contains_zero(x))
            domain = MATH_UNDEFINED;
        acb_pow_fmpz(out, out, fmpq_numref(e), bits);
        fmpq_clear(index);
    } else {
        if (!arb_is_positive(acb_realref(x)) || !arb_is_zero(acb_imagref(x)))
            domain = MATH_COMPLEX;
        acb_pow(out, x, y, bits);
    }
    fmpq_clear(e);
    return domain;
}

static enum math_domain ball_log(const struct math_node *m, const struct math_env *env,
                                 const acb_t x, const acb_t base, slong bits, acb_t out)
{
    enum math_domain domain = arb_is_positive(acb_realref(x)) ? MATH_REAL : MATH_COMPLEX;
    acb_t divisor;
    acb_init(divisor);
    if (m->n == 2)
        acb_log(divisor, base, bits);
    else if (m->func == MATH_LOG && env->log10)
        arb_const_log10(acb_realref(divisor), bits);
    else
        acb_one(divisor);
    acb_log(out, x, bits);
    acb_div(out, out, divisor, bits);
    acb_clear(divisor);
    return domain;
}

static bool ball_trig(enum math_function f, const acb_t x, slong bits, acb_t out)
{
    switch (f) {
    case MATH_SIN:
        acb_sin(out, x, bits);
        return true;
    case MATH_COS:
        acb_cos(out, x, bits);
        return true;
    case MATH_TAN:
        acb_tan(out, x, bits);
        return true;
    case MATH_COT:
        acb_cot(out, x, bits);
        return true;
    case MATH_SEC:
        acb_sec(out, x, bits);
        return true;
    case MATH_CSC:
        acb_csc(out, x, bits);
        return true;
    case MATH_ASIN:
        acb_asin(out, x, bits);
        return true;
    case MATH_ACOS:
        acb_acos(out, x, bits);
        return true;
    case MATH_ATAN:
        acb_atan(out, x, bits);
        return true;
    case MATH_ACOT:
        acb_inv(out, x, bits);
        acb_atan(out, out, bits);
        return true;
    case MATH_SINH:
        acb_sinh(out, x, bits);
        return true;
    case MATH_COSH:
        acb_cosh(out, x, bits);
        return true;
    case MATH_TANH:
        acb_tanh(out, x, bits);
        return true;
    default:
        return false;
    }
}

static enum math_domain ball_real_function(enum math_function f, const acb_t x, slong bits,
                                           acb_t out)
{
    bool real = arb_is_zero(acb_imagref(x));
    if (f == MATH_ABS) {
        arb_t size;
        arb_init(size);
        acb_abs(size, x, bits);
        acb_set_arb(out, size);
        arb_clear(size);
        return MATH_REAL;
    }
    if (!real)
        return MATH_UNDEFINED;
    if (f == MATH_FLOOR)
        arb_floor(acb_realref(out), acb_realref(x), bits);
    else
        arb_ceil(acb_realref(out), acb_realref(x), bits);
    return MATH_REAL;
}

static enum math_domain ball_function(const struct math_node *m, const struct math_env *env,
                                      const acb_t x, const acb_t y, slong bits, acb_t out)
{
    if (m->func == MATH_LN || m->func == MATH_LOG)
        return ball_log(m, env, x, y, bits, out);
    if (m->func == MATH_MAX || m->func == MATH_MIN) {
        if (m->n != 2 || !arb_is_zero(acb_imagref(x)) || !arb_is_zero(acb_imagref(y)))
            return MATH_UNDEFINED;
        (m->func == MATH_MAX ? arb_max : arb_min)(acb_realref(out), acb_realref(x), acb_realref(y),
                                                  bits);
        return MATH_REAL;
    }
    if (m->n != 1)
        return MATH_UNDEFINED;
    if (m->func == MATH_ABS || m->func == MATH_FLOOR || m->func == MATH_CEIL)
        return ball_real_function(m->func, x, bits, out);
    if (log2_size(x) > 1000)
        return MATH_UNDEFINED;
    if (m->func == MATH_EXP) {
        if (log2_size(x) > 20)
            return MATH_UNDEFINED;
        acb_exp(out, x, bits);
        return MATH_REAL;
    }
    if (!ball_trig(m->func, x, bits, out))
        return MATH_UNDEFINED;
    return arb_is_zero(acb_imagref(out)) ? MATH_REAL : MATH_COMPLEX;
}

static enum math_domain ball_fold(const struct math_node *m, const struct math_env *env, slong bits,
                                  acb_t out)
{
    acb_t x;
    enum math_domain domain = MATH_REAL;
    acb_init(x);
    acb_set_si(out, m->kind == MATH_MUL);
    for (int i = 0; i < m->n && domain != MATH_UNDEFINED; i++) {
        domain = worse(domain, math_ball(m->arg[i], env, bits, x));
        if (m->kind == MATH_MUL)
            acb_mul(out, out, x, bits);
        else
            acb_add(out, out, x, bits);
    }
    acb_clear(x);
    return domain;
}

/* n! / (k! (n - k)!), 0 for whole k < 0 and k > n. */
static enum math_domain ball_binomial(const acb_t n, const acb_t k, slong bits, acb_t out)
{
    acb_t x;
    if (log2_size(n) > 16 || log2_size(k) > 16)
        return MATH_UNDEFINED;
    acb_init(x);
    acb_add_ui(x, n, 1, bits);
    acb_gamma(out, x, bits);
    acb_add_ui(x, k, 1, bits);
    acb_rgamma(x, x, bits);
    acb_mul(out, out, x, bits);
    acb_sub(x, n, k, bits);
    acb_add_ui(x, x, 1, bits);
    acb_rgamma(x, x, bits);
    acb_mul(out, out, x, bits);
    acb_clear(x);
    return MATH_REAL;
}

static enum math_domain ball_pair(const struct math_node *m, const struct math_env *env,
                                  const acb_t x, const acb_t y, slong bits, acb_t out)
{
    fmpq_t index;
    enum math_domain domain = MATH_UNDEFINED;
    switch (m->kind) {
    case MATH_NEG:
        acb_neg(out, x);
        return MATH_REAL;
    case MATH_PERCENT:
        acb_div_ui(out, x, 100, bits);
        return MATH_REAL;
    case MATH_DEGREE:
        acb_const_pi(out, bits);
        acb_mul(out, out, x, bits);
        acb_div_ui(out, out, 180, bits);
        return MATH_REAL;
    case MATH_DIV:
        if (acb_contains_zero(y))
            return MATH_UNDEFINED;
        acb_div(out, x, y, bits);
        return MATH_REAL;
    case MATH_POW:
        return ball_power(m, env, x, y, bits, out);
    case MATH_ROOT:
        fmpq_init(index);
        if (math_rational(m->arg[1], env->effort, index))
            domain = ball_root(x, index, bits, out);
        fmpq_clear(index);
        return domain;
    case MATH_FACTORIAL:
        if (log2_size(x) > 16)
            return MATH_UNDEFINED;
        acb_add_ui(out, x, 1, bits);
        acb_gamma(out, out, bits);
        return MATH_REAL;
    case MATH_BINOMIAL:
        return ball_binomial(x, y, bits, out);
    case MATH_FUNCTION:
        return ball_function(m, env, x, y, bits, out);
    default:
        return MATH_UNDEFINED;
    }
}

static bool look_up(const struct math_node *m, const struct math_env *env, acb_t out)
{
    for (int i = 0; i < env->n; i++) {
        if (strcmp(env->name[i], m->text) == 0) {
            acb_set(out, &env->value[i]);
            return true;
        }
    }
    return false;
}

/* In multiplications, roughly. */
static double cost_of(const struct math_node *m)
{
    switch (m->kind) {
    case MATH_FACTORIAL:
    case MATH_BINOMIAL:
        return 500;
    case MATH_FUNCTION:
    case MATH_ROOT:
    case MATH_POW:
        return 20;
    default:
        return 1;
    }
}

enum math_domain math_ball(const struct math_node *m, const struct math_env *env, slong bits,
                           acb_t out)
{
    fmpq_t q;
    acb_t x, y;
    enum math_domain domain = MATH_REAL;
    acb_zero(out);
    if (!math_spend(env->effort, cost_of(m) * (double)bits))
        return MATH_UNDEFINED;
    if (m->kind == MATH_NAME)
        return look_up(m, env, out) ? MATH_REAL : MATH_UNDEFINED;
    if (m->kind == MATH_PI)
        acb_const_pi(out, bits);
    else if (m->kind == MATH_E)
        arb_const_e(acb_realref(out), bits);
    else if (m->kind == MATH_I)
        acb_onei(out);
    else if (m->kind == MATH_NUMBER || m->kind == MATH_BASED) {
        fmpq_init(q);
        domain = math_rational(m, env->effort, q) ? MATH_REAL : MATH_UNDEFINED;
        acb_set_fmpq(out, q, bits);
        fmpq_clear(q);
    } else if (m->kind == MATH_ADD || m->kind == MATH_MUL) {
        domain = ball_fold(m, env, bits, out);
    } else if (m->n < 1 || m->n > 2 || m->kind > MATH_DEGREE || m->kind == MATH_PLUSMINUS) {
        return MATH_UNDEFINED;
    } else {
        acb_init(x);
        acb_init(y);
        domain = math_ball(m->arg[0], env, bits, x);
        if (m->n == 2 && domain != MATH_UNDEFINED)
            domain = worse(domain, math_ball(m->arg[1], env, bits, y));
        if (domain != MATH_UNDEFINED)
            domain = worse(domain, ball_pair(m, env, x, y, bits, out));
        acb_clear(x);
        acb_clear(y);
    }
    return acb_is_finite(out) ? domain : MATH_UNDEFINED;
}
