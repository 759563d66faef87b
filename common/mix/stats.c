/* stats.c - ranks, errors, and small dense linear algebra. */
#include "mix/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

struct ranked {
    double x;
    int64_t i;
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

void mid_ranks(const double *x, int64_t n, double *ranks)
{
    struct ranked *r = xcalloc((size_t)n + 1, sizeof *r);
    for (int64_t i = 0; i < n; i++)
        r[i] = (struct ranked){x[i], i};
    qsort(r, (size_t)n, sizeof *r, by_value);
    for (int64_t i = 0; i < n;) {
        int64_t end = i;
        while (end < n && r[end].x == r[i].x)
            end++;
        for (int64_t k = i; k < end; k++)
            ranks[r[k].i] = 0.5 * (double)(i + 1 + end);
        i = end;
    }
    free(r);
}

static double correlation(const double *a, const double *b, int64_t n)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

/* Not by the variance of the ranks: their mean is rounded, and a tiny variance would rank noise. */
static bool is_constant(const double *x, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

double spearman(const double *a, const double *b, int64_t n)
{
    if (is_constant(a, n) || is_constant(b, n))
        return NAN;
    double *ra = xcalloc((size_t)n + 1, sizeof *ra), *rb = xcalloc((size_t)n + 1, sizeof *rb);
    mid_ranks(a, n, ra);
    mid_ranks(b, n, rb);
    double rho = correlation(ra, rb, n);
    free(ra);
    free(rb);
    return rho;
}

void spearman_interval(double rho, int64_t n, double *low, double *high)
{
    *low = *high = NAN;
    if (n < 4 || !isfinite(rho))
        return;
    double z = atanh(fmin(fmax(rho, -1 + 1e-12), 1 - 1e-12));
    double half = 1.959964 * sqrt((1 + rho * rho / 2) / (double)(n - 3));
    *low = tanh(z - half);
    *high = tanh(z + half);
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *x, int64_t n)
{
    qsort(x, (size_t)n, sizeof *x, by_double);
    return n ? 0.5 * (x[(n - 1) / 2] + x[n / 2]) : NAN;
}

double root_mean_square(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return n ? sqrt(sum / (double)n) : NAN;
}

double mean_absolute(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(a[i] - b[i]);
    return n ? sum / (double)n : NAN;
}

/* One rotation in the plane (p, q), making a[p, q] zero (Golub and Van Loan, section 8.5). */
static void rotate(double *a, int64_t n, int64_t p, int64_t q, double *vectors)
{
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    double t = copysign(1, theta) / (fabs(theta) + hypot(1, theta));
    double c = 1 / hypot(1, t), s = t * c;
    for (int64_t k = 0; k < n; k++) {
        double kp = a[k * n + p], kq = a[k * n + q];
        a[k * n + p] = c * kp - s * kq;
        a[k * n + q] = s * kp + c * kq;
    }
    for (int64_t k = 0; k < n; k++) {
        double pk = a[p * n + k], qk = a[q * n + k];
        a[p * n + k] = c * pk - s * qk;
        a[q * n + k] = s * pk + c * qk;
        double vp = vectors[k * n + p], vq = vectors[k * n + q];
        vectors[k * n + p] = c * vp - s * vq;
        vectors[k * n + q] = s * vp + c * vq;
    }
}

static double off_diagonal(const double *a, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            sum += a[i * n + j] * a[i * n + j];
    return sum;
}

void symmetric_eigen(double *a, int64_t n, double *values, double *vectors)
{
    double scale = 0;
    for (int64_t i = 0; i < n * n; i++) {
        vectors[i] = i % (n + 1) == 0;
        scale += a[i] * a[i];
    }
    for (int sweep = 0; sweep < 60 && off_diagonal(a, n) > 1e-30 * scale; sweep++)
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                if (fabs(a[p * n + q]) > 1e-300)
                    rotate(a, n, p, q, vectors);
    for (int64_t i = 0; i < n; i++)
        values[i] = a[i * n + i];
}

/* a = L L^T in the lower triangle. */
static bool cholesky(double *a, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0))
                return false;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
    return true;
}

bool cholesky_solve(double *a, int64_t n, double *b)
{
    if (!cholesky(a, n))
        return false;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++)
            b[i] -= a[i * n + k] * b[k];
        b[i] /= a[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++)
            b[i] -= a[k * n + i] * b[k];
        b[i] /= a[i * n + i];
    }
    return true;
}
