/* axis.c - a chart's axis: round ticks and where a value lies. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 4e307 /* so that hi - lo is finite */

#define SMALLEST 1e-290 /* powers of ten below are not exact any more */

static double clamp(double x)
{
    return x > LARGEST ? LARGEST : x < -LARGEST ? -LARGEST : x;
}

static double clamp_log(double x)
{
    return fmax(SMALLEST, fmin(1 / SMALLEST, x));
}

/* The smallest of 1, 2, 5 times a power of ten that is not below x. */
static double round_up(double x)
{
    double power = pow(10, floor(log10(x))), m = x / power;
    return (m <= 1 + 1e-9 ? 1 : m <= 2 + 1e-9 ? 2 : m <= 5 + 1e-9 ? 5 : 10) * power;
}

/* Equal ends, or ends that no double lies between in any number, are moved apart. */
static void open_range(double *lo, double *hi)
{
    double size = fmax(fabs(*lo), fabs(*hi));
    if (*hi - *lo > fmax(size * 1e-10, SMALLEST))
        return;
    double half = size > SMALLEST ? size / 2 : 1;
    *lo -= half;
    *hi += half;
}

void axis_linear(struct axis *a, double lo, double hi, int n_ticks, bool widen)
{
    lo = clamp(lo);
    hi = clamp(hi);
    open_range(&lo, &hi);
    double step = round_up((hi - lo) / n_ticks);
    *a = (struct axis){.lo = lo, .hi = hi};
    double first = widen ? floor(lo / step + 1e-9) : ceil(lo / step - 1e-9);
    double last = widen ? ceil(hi / step - 1e-9) : floor(hi / step + 1e-9);
    for (double i = first; i <= last && a->n_ticks < AXIS_MAX_TICKS; i++)
        a->ticks[a->n_ticks++] = i * step + 0.0; /* never -0 */
    if (widen) {
        a->lo = fmin(lo, first * step);
        a->hi = fmax(hi, last * step);
    }
}

static void log_ticks(struct axis *a, const double *marks, int n_marks, int every)
{
    a->n_ticks = 0;
    for (int e = (int)floor(log10(a->lo)); e <= (int)ceil(log10(a->hi)); e += every)
        for (int i = 0; i < n_marks; i++) {
            double tick = marks[i] * pow(10, e);
            if (tick >= a->lo * (1 - 1e-9) && tick <= a->hi * (1 + 1e-9) &&
                a->n_ticks < AXIS_MAX_TICKS)
                a->ticks[a->n_ticks++] = tick;
        }
}

void axis_log(struct axis *a, double lo, double hi, int n_ticks)
{
    static const double marks[] = {1, 2, 5};
    lo = clamp_log(lo);
    hi = clamp_log(hi);
    double decades = log10(hi) - log10(lo), margin = pow(10, 0.03 * decades);
    lo /= margin;
    hi *= margin;
    if (decades < 0.5) { /* too narrow for round marks: ticks of a linear axis */
        axis_linear(a, lo, hi, n_ticks, false);
        a->lo = a->lo > 0 ? a->lo : lo / 2;
        a->log = true;
        return;
    }
    *a = (struct axis){.lo = lo, .hi = hi, .log = true};
    if (decades * 3 <= n_ticks)
        log_ticks(a, marks, 3, 1);
    else
        log_ticks(a, marks, 1, (int)ceil(decades / n_ticks));
}

double axis_place(const struct axis *a, double v)
{
    if (a->log)
        return (log(clamp_log(v)) - log(a->lo)) / (log(a->hi) - log(a->lo));
    return (clamp(v) - a->lo) / (a->hi - a->lo);
}

/* "1.50" to "1.5", "2.0e-05" to "2e-5". */
static void tidy(char *text)
{
    char *e = strchr(text, 'e'), *end = e ? e : text + strlen(text);
    int power = e ? atoi(e + 1) : 0;
    if (memchr(text, '.', (size_t)(end - text))) {
        while (end[-1] == '0')
            end--;
        if (end[-1] == '.')
            end--;
    }
    if (e)
        snprintf(end, (size_t)(AXIS_LABEL - (end - text)), "e%d", power);
    else
        *end = '\0';
    if (strcmp(text, "-0") == 0)
        strcpy(text, "0");
}

/* x with the digits that tell apart values that are `unit` apart. */
static void label(double x, double unit, char out[AXIS_LABEL])
{
    static const struct {
        double from, by;
        const char *suffix;
    } forms[] = {{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e3, 1e3, "k"}};
    double size = fabs(x), by = 1;
    const char *suffix = "";
    for (int i = 0; i < 4 && by == 1; i++)
        if (size >= forms[i].from * (1 - 1e-12) && size < 1e15) {
            by = forms[i].by;
            suffix = forms[i].suffix;
        }
    /* 1e-9: a unit of 0.001 must not need four digits because of its last bit. */
    double digits = unit > 0 ? -floor(log10(unit / by) + 1e-9) : 6;
    if (size > 0 && (size >= 1e15 || size < 1e-3))
        snprintf(out, AXIS_LABEL, "%.*e", (int)fmin(9, fmax(0, floor(log10(size)) + digits)), x);
    else
        snprintf(out, AXIS_LABEL, "%.*f", (int)fmin(12, fmax(0, digits)), x / by);
    tidy(out);
    if (strcmp(out, "0") != 0)
        strncat(out, suffix, AXIS_LABEL - strlen(out) - 1);
}

void axis_label(const struct axis *a, int tick, char out[AXIS_LABEL])
{
    double x = a->ticks[tick], unit = fabs(x);
    if (a->n_ticks > 1 && !a->log)
        unit = a->ticks[1] - a->ticks[0];
    label(x, unit, out);
}

void number_short(double x, int digits, char out[AXIS_LABEL])
{
    label(x, x != 0 ? pow(10, floor(log10(fabs(x))) - digits + 1) : 1, out);
}

void number_exact(double x, char out[AXIS_LABEL])
{
    if (x == floor(x) && fabs(x) < 1e15) {
        snprintf(out, AXIS_LABEL, "%.0f", x + 0.0); /* never -0 */
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, AXIS_LABEL, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            return;
    }
}
