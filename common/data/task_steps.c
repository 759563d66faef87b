/* task_steps.c - arithmetic as it is done on paper: one digit's operation a line. */
#include <stdlib.h>

#include "data/task_internal.h"

static void digit_line(struct problem *p, const char *expression, int64_t result,
                       const char *passed)
{
    if (passed)
        task_line(p, "%s = %lld %s 1", expression, (long long)result, passed);
    else
        task_line(p, "%s = %lld", expression, (long long)result);
}

/* x + y by digits; a digit that has nothing added to it needs no line. */
static void add_digits(struct problem *p, int64_t x, int64_t y)
{
    int carry = 0;
    for (bool first = true; x > 0 || y > 0; x /= 10, y /= 10, first = false) {
        int sum = (int)(x % 10 + y % 10) + carry;
        struct strbuf e = {0};
        if (!first && (x == 0 || y == 0) && !carry)
            break;
        if (x == 0 || y == 0)
            strbuf_addf(&e, "%d", (int)((x ? x : y) % 10));
        else
            strbuf_addf(&e, "%d + %d", (int)(x % 10), (int)(y % 10));
        if (carry)
            strbuf_adds(&e, " + 1");
        if (x > 0 && y > 0 ? true : carry)
            digit_line(p, e.buf, sum, sum >= 10 ? "carry" : NULL);
        carry = sum >= 10;
        strbuf_release(&e);
    }
}

/* x - y by digits, x >= y. */
static void subtract_digits(struct problem *p, int64_t x, int64_t y)
{
    int borrow = 0;
    for (; y > 0 || borrow; x /= 10, y /= 10) {
        int digit = (int)(x % 10), rest = digit - (int)(y % 10) - borrow;
        bool lend = rest < 0;
        struct strbuf e = {0};
        if (lend)
            strbuf_adds(&e, "10 + ");
        strbuf_addf(&e, "%d", digit);
        if (y > 0)
            strbuf_addf(&e, " - %d", (int)(y % 10));
        if (borrow)
            strbuf_adds(&e, " - 1");
        digit_line(p, e.buf, lend ? rest + 10 : rest, lend ? "borrow" : NULL);
        borrow = lend;
        strbuf_release(&e);
    }
}

static void add_magnitudes(struct problem *p, int64_t x, int64_t y)
{
    if (x >= 10 || y >= 10)
        add_digits(p, x, y);
}

static void subtract_magnitudes(struct problem *p, int64_t x, int64_t y)
{
    if (x < y) {
        int64_t swap = x;
        x = y;
        y = swap;
    }
    if (x >= 10)
        subtract_digits(p, x, y);
}

static int64_t steps_signed(struct problem *p, int64_t a, char op, int64_t b)
{
    int64_t result = op == '+' ? a + b : a - b;
    if ((a < 0) == (op == '-') || a == 0)
        add_magnitudes(p, llabs(a), b);
    else
        subtract_magnitudes(p, llabs(a), b);
    task_line(p, "%lld %c %lld = %lld", (long long)a, op, (long long)b, (long long)result);
    return result;
}

int64_t task_steps_add(struct problem *p, int64_t a, int64_t b)
{
    return steps_signed(p, a, '+', b);
}

int64_t task_steps_subtract(struct problem *p, int64_t a, int64_t b)
{
    return steps_signed(p, a, '-', b);
}

/* x times one digit. */
static int64_t multiply_digit(struct problem *p, int64_t x, int digit)
{
    int64_t rest = x;
    int carry = 0;
    for (; x >= 10 && rest > 0; rest /= 10) {
        int product = (int)(rest % 10) * digit + carry;
        if (carry)
            task_line(p, "%d * %d + %d = %d", (int)(rest % 10), digit, carry, product);
        else
            task_line(p, "%d * %d = %d", (int)(rest % 10), digit, product);
        carry = product / 10;
        if (carry && rest >= 10)
            strbuf_addf(&p->trace, " carry %d", carry);
    }
    task_line(p, "%lld * %d = %lld", (long long)x, digit, (long long)(x * digit));
    return x * digit;
}

int64_t task_steps_multiply(struct problem *p, int64_t a, int64_t b)
{
    int64_t sum = 0, last = 0, unit = 1, result = a * b;
    if (a < 10 && b >= 10) {
        int64_t swap = a;
        a = b;
        b = swap;
    }
    if (b < 10)
        return multiply_digit(p, a, (int)b);
    for (int64_t rest = b; rest > 0; rest /= 10, unit *= 10) {
        int digit = (int)(rest % 10);
        if (digit == 0)
            continue;
        int64_t part = multiply_digit(p, a, digit) * unit;
        if (unit > 1)
            task_line(p, "%lld * %lld = %lld", (long long)a, (long long)(digit * unit),
                      (long long)part);
        sum = sum ? task_steps_add(p, sum, part) : part;
        last = part;
    }
    if (sum != last) /* else the line stands there already */
        task_line(p, "%lld * %lld = %lld", (long long)a, (long long)b, (long long)result);
    return result;
}
