/* math_eval.c - balls around values, and what an evaluation may cost. */
#include "reward/math_eval.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define MAX_BALL_LOG2 1e7 /* of the size of a number in a ball */

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
    if (!pthread_getspecific(
            cleanup_key)) /* any pointer will do; without one there is no cleaning */
        pthread_setspecific(cleanup_key, &cleanup_once);
}

bool math_spend(struct math_effort *effort, double bits)
{
    effort->left -= bits + 200;
    return effort->left >= 0;
}

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
    if (!math_small_integer(index, 1000, &k) || k == 0)
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
