/* task_date.c - days of the week and dates some days away, in the Gregorian calendar. */
#include "base/mem.h"
#include "data/task_internal.h"

struct date {
    int year, month, day;
};

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year));
}

static struct date draw_date(struct rng *rng, int first, int last)
{
    struct date d = {.year = (int)task_between(rng, first, last),
                     .month = (int)task_between(rng, 1, 12)};
    d.day = (int)task_between(rng, 1, month_days(d.year, d.month));
    return d;
}

/* Day of the week some days from another. */
static void make_weekday_shift(int64_t max_days, struct rng *rng, struct problem *p)
{
    int64_t n = task_between(rng, 1, max_days);
    int day = (int)rng_below(rng, 7), step = rng_below(rng, 2) ? 1 : 6;
    strbuf_addf(&p->prompt, "What day is %lld days %s %s?", (long long)n,
                step == 1 ? "after" : "before", day_names[day]);
    task_line(p, "%lld mod 7 = %lld", (long long)n, (long long)(n % 7));
    task_line(p, "0 %s", day_names[day]);
    for (int i = 1; i <= n % 7; i++) {
        day = (day + step) % 7;
        task_line(p, "%d %s", i, day_names[day]);
    }
    strbuf_adds(&p->truth, day_names[day]);
    p->dataset = "string_matcher";
}

static void next_month(struct date *d)
{
    d->month = d->month % 12 + 1;
    d->year += d->month == 1;
}

static void previous_month(struct date *d)
{
    d->month = d->month == 1 ? 12 : d->month - 1;
    d->year -= d->month == 12;
}

static void month_line(struct problem *p, const struct date *d)
{
    task_line(p, "%04d-%02d has %d", d->year, d->month, month_days(d->year, d->month));
}

/* Month by month: the days left in this one are taken off. */
static void walk_forward(struct problem *p, struct date *d, int n)
{
    for (;;) {
        int length = month_days(d->year, d->month), left = length - d->day;
        month_line(p, d);
        if (d->day > 0)
            task_line(p, "%d - %d = %d", length, d->day, left);
        if (n <= left)
            break;
        task_line(p, "%d - %d = %d", n, left, n - left);
        n -= left;
        d->day = 0;
        next_month(d);
    }
    if (d->day > 0)
        task_line(p, "%d + %d = %d", d->day, n, d->day + n);
    d->day += n;
}

static void walk_back(struct problem *p, struct date *d, int n)
{
    while (n >= d->day) {
        task_line(p, "%d - %d = %d", n, d->day, n - d->day);
        n -= d->day;
        previous_month(d);
        month_line(p, d);
        d->day = month_days(d->year, d->month);
    }
    task_line(p, "%d - %d = %d", d->day, n, d->day - n);
    d->day -= n;
}

static void make_date_shift(int max_days, bool may_go_back, struct rng *rng, struct problem *p)
{
    struct date d = draw_date(rng, 1950, 2050);
    int n = (int)task_between(rng, 1, max_days);
    bool back = may_go_back && rng_below(rng, 2);
    strbuf_addf(&p->prompt, "Date %d days %s %04d-%02d-%02d?", n, back ? "before" : "after", d.year,
                d.month, d.day);
    if (back)
        walk_back(p, &d, n);
    else
        walk_forward(p, &d, n);
    strbuf_addf(&p->truth, "%04d-%02d-%02d", d.year, d.month, d.day);
}

/* The key-value method: codes of month and century, then everything modulo 7. */
static void make_weekday_of(int first, int last, struct rng *rng, struct problem *p)
{
    static const int month_codes[] = {0, 3, 3, 6, 1, 4, 6, 2, 5, 0, 3, 5};
    static const int century_codes[] = {6, 4, 2, 0}; /* 1600, 1700, ... and again from 2000 */
    struct date d = draw_date(rng, first, last);
    int yy = d.year % 100, century = d.year / 100;
    strbuf_addf(&p->prompt, "What day was %04d-%02d-%02d?", d.year, d.month, d.day);
    task_line(p, "%d div 4 = %d", yy, yy / 4);
    int sum = yy + yy / 4;
    task_line(p, "%d + %d = %d", yy, yy / 4, sum);
    const struct {
        const char *name;
        int of, code;
    } parts[] = {
        {"month", d.month, month_codes[d.month - 1]},
        {"day", d.day, d.day},
        {"century", century, century_codes[century % 4]},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].of != parts[i].code)
            task_line(p, "%s %d code %d", parts[i].name, parts[i].of, parts[i].code);
        task_line(p, "%d + %d = %d", sum, parts[i].code, sum + parts[i].code);
        sum += parts[i].code;
    }
    if (leap(d.year) && d.month <= 2) {
        task_line(p, "leap year");
        task_line(p, "%d - 1 = %d", sum, sum - 1);
        sum--;
    }
    task_line(p, "%d mod 7 = %d", sum, sum % 7);
    strbuf_adds(&p->truth, day_names[sum % 7]);
    p->dataset = "string_matcher";
}

void task_make_date(int level, struct rng *rng, struct problem *p)
{
    switch (level) {
    case 1:
        make_weekday_shift(999, rng, p);
        return;
    case 2:
        make_date_shift(28, false, rng, p);
        return;
    case 3:
        make_date_shift(99, true, rng, p);
        return;
    case 4:
        if (rng_below(rng, 2))
            make_date_shift(400, true, rng, p);
        else
            make_weekday_of(2000, 2099, rng, p);
        return;
    default:
        if (rng_below(rng, 2))
            make_date_shift(999, true, rng, p);
        else
            make_weekday_of(1600, 2399, rng, p);
    }
}
