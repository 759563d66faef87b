/* test_report.c - ticks, labels, smoothing, reduction, merging of series, escaping. */
#include "base/mem.h"
#include "check.h"
#include "report/axis.h"
#include "report/html.h"
#include "report/metric_rules.h"
#include "report/series.h"
#include "report/style.h"

static void check_ticks(const struct axis *a, const char *want)
{
    struct strbuf s = {0};
    char label[AXIS_LABEL];
    for (int i = 0; i < a->n_ticks; i++) {
        axis_label(a, i, label);
        strbuf_addf(&s, "%s%s", i ? " " : "", label);
        CHECK_MSG(axis_place(a, a->ticks[i]) > -1e-9 && axis_place(a, a->ticks[i]) < 1 + 1e-9, "%s",
                  label);
    }
    CHECK_STR(s.buf, want);
    strbuf_release(&s);
}

static void test_linear(void)
{
    struct axis a;
    axis_linear(&a, 0, 1, 5, true);
    check_ticks(&a, "0 0.2 0.4 0.6 0.8 1");
    axis_linear(&a, 0.3, 4.7, 5, true);
    check_ticks(&a, "0 1 2 3 4 5");
    CHECK(a.lo == 0 && a.hi == 5);
    axis_linear(&a, 0.3, 4.7, 5, false);
    check_ticks(&a, "1 2 3 4");
    CHECK(a.lo == 0.3 && a.hi == 4.7);
    axis_linear(&a, 1, 1500, 6, false);
    check_ticks(&a, "500 1k 1.5k");
    axis_linear(&a, -3e-5, 2e-5, 5, true);
    check_ticks(&a, "-3e-5 -2e-5 -1e-5 0 1e-5 2e-5");
    axis_linear(&a, 10000, 10010, 5, true);
    check_ticks(&a, "10k 10.002k 10.004k 10.006k 10.008k 10.01k");
    axis_linear(&a, 7, 7, 5, true); /* one value: not at the edge */
    CHECK(a.lo < 7 && a.hi > 7 && a.n_ticks > 1);
    axis_linear(&a, 0, 0, 5, true);
    CHECK(a.lo < 0 && a.hi > 0);
    axis_linear(&a, -1.7e308, 1.7e308, 5, true); /* the range overflows a double */
    CHECK(isfinite(a.lo) && isfinite(a.hi) && isfinite(axis_place(&a, 1.7e308)));
    axis_linear(&a, 0, 5e-324, 5, true);
    CHECK(a.hi > a.lo && isfinite(axis_place(&a, 0)));
    axis_linear(&a, 1e15, 1e15 + 0.25, 5, true); /* no room between doubles */
    CHECK(a.n_ticks > 1 && a.n_ticks <= AXIS_MAX_TICKS);
}

static void test_log(void)
{
    struct axis a;
    axis_log(&a, 1, 1000, 6);
    check_ticks(&a, "1 10 100 1k");
    CHECK_CLOSE(axis_place(&a, sqrt(1000)), 0.5, 1e-12, 0);
    axis_log(&a, 0.1, 10, 6);
    check_ticks(&a, "0.1 0.2 0.5 1 2 5 10");
    axis_log(&a, 1e-12, 1e12, 6);
    CHECK(a.n_ticks >= 4 && a.n_ticks <= 8);
    axis_log(&a, 5e-324, 1.7e308, 6); /* the margin must not leave the doubles */
    CHECK(a.lo > 0 && isfinite(a.hi) && isfinite(axis_place(&a, 1.7e308)) &&
          isfinite(axis_place(&a, 5e-324)));
    axis_log(&a, 1.5, 2, 6); /* narrower than the marks */
    CHECK(a.log && a.n_ticks > 1);
    axis_log(&a, 3, 3, 6);
    CHECK(a.lo > 0 && a.lo < 3 && a.hi > 3);
}

static void check_number(double x, int digits, const char *want)
{
    char text[AXIS_LABEL];
    number_short(x, digits, text);
    CHECK_STR(text, want);
}

static void test_numbers(void)
{
    char text[AXIS_LABEL];
    check_number(0, 4, "0");
    check_number(0.123456, 4, "0.1235");
    check_number(-1234567, 4, "-1.235M");
    check_number(1000, 3, "1k");
    check_number(999, 4, "999");
    check_number(2.5e9, 4, "2.5G");
    check_number(1.25e-5, 4, "1.25e-5");
    check_number(1e300, 4, "1e300");
    number_exact(0.1, text);
    CHECK_STR(text, "0.1");
    number_exact(100000, text);
    CHECK_STR(text, "100000");
    number_exact(-0.0, text);
    CHECK_STR(text, "0");
}

static struct curve curve_of(const double *y, int n)
{
    struct curve c = {0};
    for (int i = 0; i < n; i++)
        curve_add(&c, i + 1, y[i]);
    return c;
}

/* Against the definition, on lengths and windows around each other. */
static void test_smooth(void)
{
    double y[40];
    for (int i = 0; i < 40; i++)
        y[i] = i % 7 == 3 ? (double)NAN : (i * 37 % 11) - 4.5;
    for (int n = 1; n <= 40; n += 3)
        for (int w = 1; w <= 45; w += 2) {
            struct curve c = curve_of(y, n), s;
            curve_smooth(&c, w, &s);
            CHECK(s.n == n);
            for (int i = 0; i < n; i++) {
                double sum = 0, count = 0;
                for (int k = i - w / 2; k <= i + w / 2; k++)
                    if (k >= 0 && k < n && !isnan(y[k])) {
                        sum += y[k];
                        count++;
                    }
                CHECK(isnan(s.y[i]) == isnan(y[i]));
                if (!isnan(y[i]))
                    CHECK_CLOSE(s.y[i], sum / count, 1e-12, 0);
            }
            curve_release(&c);
            curve_release(&s);
        }
    /* A wild value is gone from the mean as soon as it is out of the window. */
    double wild[] = {1, 1, 1e300, 1, 1, 1, 1};
    struct curve c = curve_of(wild, 7), s;
    curve_smooth(&c, 3, &s);
    CHECK(s.y[0] == 1 && s.y[4] == 1 && s.y[5] == 1 && s.y[6] == 1);
    curve_release(&c);
    curve_release(&s);
}

static void test_reduce(void)
{
    struct curve c = {0}, r;
    double lo, hi, want_lo, want_hi;
    for (int i = 0; i < 100000; i++)
        curve_add(&c, i, i == 54321 ? 1e6 : i == 12345 ? -1e6 : i == 777 ? (double)NAN : sin(i));
    curve_reduce(&c, 0, 99999, 300, &r);
    CHECK_MSG(r.n <= 601, "%lld", (long long)r.n);
    CHECK(curve_range(&r, &lo, &hi) && curve_range(&c, &want_lo, &want_hi) && lo == want_lo &&
          hi == want_hi);
    CHECK(curve_n_missing(&r) == 1);
    for (int64_t i = 1; i < r.n; i++)
        CHECK(r.x[i] >= r.x[i - 1]);
    curve_release(&r);
    curve_reduce(&c, 0, 99999, 50000, &r); /* short enough: as it is */
    CHECK(r.n == c.n && memcmp(r.x, c.x, (size_t)c.n * sizeof *c.x) == 0);
    curve_release(&r);
    CHECK(curve_tail_mean(&c, 1) == c.y[c.n - 1]);
    double huge[] = {1.5e308, 1.5e308, 1.5e308};
    struct curve h = curve_of(huge, 3);
    CHECK_CLOSE(curve_tail_mean(&h, 3), 1.5e308, 0, 1e-12);
    curve_release(&h);
    CHECK_CLOSE(curve_tail_mean(&c, 2), (c.y[c.n - 1] + c.y[c.n - 2]) / 2, 1e-15, 0);
    curve_release(&c);
}

static void add_line(struct series_set *s, const char *run, const char *text)
{
    struct err err = {0};
    json_t *obj = json_parse(text, strlen(text), &err);
    CHECK_MSG(obj && series_add(s, series_run_find(s, run), obj, &err) == 0, "%s: %s", text,
              err.text);
    json_decref(obj);
}

static void check_series(const struct series_set *s, int run, const char *metric, const char *want)
{
    struct strbuf text = {0};
    struct curve c;
    series_curve(&s->runs[run], series_metric(s, metric), &c);
    for (int64_t i = 0; i < c.n; i++)
        strbuf_addf(&text, "%s%g:%g", i ? " " : "", c.x[i], c.y[i]);
    CHECK_STR(text.len ? text.buf : "", want);
    strbuf_release(&text);
    curve_release(&c);
}

static void test_series(void)
{
    struct series_set s = {0};
    struct err err = {0};
    add_line(&s, "a", "{\"step\":1,\"loss\":4,\"note\":\"text\",\"ok\":true}");
    add_line(&s, "a", "{\"step\":2,\"loss\":3,\"kl\":0.5}");
    add_line(&s, "b", "{\"step\":10,\"reward\":1}");
    add_line(&s, "a", "{\"step\":3,\"loss\":null}");
    add_line(&s, "a", "{\"step\":2,\"loss\":2.5,\"eval/x\":7}"); /* resumed after step 1 */
    add_line(&s, "a", "{\"step\":4,\"loss\":1}");
    add_line(&s, "a", "{\"step\":0,\"loss\":9}"); /* files in another order */
    json_t *bad = json_pack("{s:i}", "loss", 1);
    CHECK(series_add(&s, series_run_find(&s, "a"), bad, &err) < 0 &&
          strstr(err.text, "'step' is missing"));
    json_decref(bad);
    series_finish(&s);
    CHECK(s.n_runs == 2 && s.n_metrics == 4);
    CHECK(s.runs[0].n_lines == 6 && s.runs[0].n_rows == 5);
    check_series(&s, 0, "loss", "0:9 1:4 2:2.5 3:nan 4:1");
    check_series(&s, 0, "kl", "2:0.5"); /* the later line of step 2 has none */
    check_series(&s, 0, "eval/x", "2:7");
    check_series(&s, 0, "reward", "");
    check_series(&s, 1, "reward", "10:1");
    check_series(&s, 1, "loss", "");
    CHECK(series_metric(&s, "note") < 0 && series_metric(&s, "ok") < 0 &&
          series_metric(&s, "step") < 0);
    series_release(&s);
}

static void test_rules(void)
{
    CHECK(metric_rule_find("loss")->group == GROUP_LOSS);
    CHECK(metric_rule_find("rewards/format")->group == GROUP_REWARD);
    CHECK(metric_rule_find("rewards/chosen")->group == GROUP_PREFERENCE);
    CHECK(metric_rule_find("sampling/mismatch_k3")->group == GROUP_MISMATCH);
    CHECK(metric_rule_find("eval/a/b")->group == GROUP_EVALUATION);
    CHECK(metric_rule_find("anything else")->group == GROUP_OTHER);
    CHECK(metric_rule_find("time")->group == GROUP_SPEED);
    CHECK(metric_rule_find("loss") < metric_rule_find("reward"));
    CHECK(metric_rule_find("anything else") < metric_rule_find("time"));
}

static void test_text(void)
{
    struct strbuf s = {0};
    html_text(&s, "<a href=\"x\">'&\x01\xff\xc3\xa9");
    CHECK_STR(s.buf, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
    strbuf_clear(&s);
    html_name(&s, "a/b_<c");
    CHECK_STR(s.buf, "a/<wbr/>b_<wbr/>&lt;c");
    strbuf_clear(&s);
    html_duration(&s, 7260);
    strbuf_addc(&s, '|');
    html_duration(&s, 3599.9);
    CHECK_STR(s.buf, "2 h 01 min|1 h 00 min");
    strbuf_release(&s);
    /* They stand in the page as they are. */
    CHECK(!strpbrk(report_css, "<&") && !strpbrk(report_script, "<&"));
}

int main(void)
{
    test_linear();
    test_log();
    test_numbers();
    test_smooth();
    test_reduce();
    test_series();
    test_rules();
    test_text();
    return check_done();
}
