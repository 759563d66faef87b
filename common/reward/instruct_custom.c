/* instruct_custom.c - IFBench's kinds that are one task each: custom:* (Pyatkin et al.,
 * arXiv:2507.02833, appendix A). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/instruct.h"
#include "reward/sentence.h"

/* Every number in the text, in order: 14, 21, .. 49. */
static int check_multiples(const struct instruct *in, struct err *err)
{
    int wanted = 14;
    (void)err;
    for (size_t i = 0; i < in->text.n; i++) {
        if (!isdigit((unsigned char)in->text.start[i]))
            continue;
        size_t n = strspn(in->text.start + i, "0123456789");
        if (n != 2 || wanted > 49 ||
            (in->text.start[i] - '0') * 10 + in->text.start[i + 1] - '0' != wanted)
            return 0;
        wanted += 7;
        i += n;
    }
    return wanted == 56;
}

/* Questions. */

/* Bytes of "Question 3: " at the front, 0 if it is not there. */
static size_t question_label(struct span s)
{
    size_t i = strlen("Question ");
    if (!span_starts(s, "Question ") || i >= s.n || !isdigit((unsigned char)s.start[i]))
        return 0;
    while (i < s.n && isdigit((unsigned char)s.start[i]))
        i++;
    if (i < s.n && strchr(".|):;", s.start[i]))
        i++;
    struct span rest = {s.start + i, s.n - i};
    while (rest.n > 0 && char_is_space(span_first(rest)))
        span_char(&rest);
    return s.n - rest.n;
}

/* "A) word" */
static bool is_option(struct span line)
{
    if (line.n < 3 || !strchr("ABCDEabcde", *line.start) || !strchr(".|)", line.start[1]))
        return false;
    return char_is_word(span_first(span_strip((struct span){line.start + 2, line.n - 2})));
}

/* Length of a question's text before its five options, -1 if they are not five. */
static long question_length(struct span question)
{
    struct spans lines = {0};
    size_t length = 0, options = 0;
    split_by(question, "\n", &lines);
    for (size_t i = 0; i < lines.n; i++) {
        struct span line = span_strip(lines.at[i]);
        if (is_option(line))
            options++;
        else if (options == 0)
            length += span_length(line) + (length > 0 || line.n > 0 ? 1 : 0);
    }
    spans_release(&lines);
    return options == 5 ? (long)length : -1;
}

static void split_questions(struct span text, struct spans *out)
{
    const char *start = text.start;
    while (text.n > 0) {
        const char *at = span_find(text, "Question ");
        if (!at)
            break;
        text = (struct span){at, text.n - (size_t)(at - text.start)};
        size_t label = question_label(text);
        if (label > 0) {
            spans_add(out, start, (size_t)(at - start));
            start = at + label;
        }
        text = (struct span){at + (label ? label : 1), text.n - (label ? label : 1)};
    }
    spans_add(out, start, (size_t)(text.start + text.n - start));
}

static int check_questions(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    size_t n = 0;
    long before = -1;
    (void)err;
    if (!span_starts(in->text, "Question"))
        return 0;
    split_questions(in->text, &parts);
    bool yes = true;
    for (size_t i = 0; i < parts.n && yes; i++) {
        struct span question = span_strip(parts.at[i]);
        if (question.n == 0)
            continue;
        long length = question_length(question);
        yes = length > before;
        before = length;
        n++;
    }
    spans_release(&parts);
    return yes && n == 4;
}

/* Orders. */

/* Lines from the first that names Zimbabwe on, 52 at least, in falling order without accents. */
static int check_reverse_newline(const struct instruct *in, struct err *err)
{
    struct spans lines = {0};
    char *before = NULL;
    size_t n = 0;
    bool yes = true;
    (void)err;
    split_by(in->text, "\n", &lines);
    for (size_t i = 0; i < lines.n && yes; i++) {
        struct span line = span_strip_marks(lines.at[i]);
        if (line.n == 0 || (n == 0 && !span_find(line, "Zimbabwe")))
            continue;
        char *plain = text_plain(line);
        yes = !before || strcmp(before, plain) >= 0;
        free(before);
        before = plain;
        n++;
    }
    free(before);
    spans_release(&lines);
    return yes && n >= 52;
}

/* The words backwards are one sentence about the bald eagle. */
static int check_word_reverse(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text), *plain = text_without_marks(span_of(lower));
    struct spans words = {0};
    bool yes = false;
    (void)err;
    split_words(span_of(plain), &words);
    for (size_t i = 1; i < words.n && !yes; i++)
        yes = span_ends(words.at[i], "bald") && span_starts(words.at[i - 1], "eagle");
    spans_release(&words);
    free(lower);
    free(plain);
    return yes;
}

static int check_character_reverse(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    bool yes = strstr(lower, "elgae dlab") != NULL;
    (void)err;
    free(lower);
    return yes;
}

static int check_sentence_alphabet(const struct instruct *in, struct err *err)
{
    struct spans sentences = {0};
    (void)err;
    split_sentences(in->text, &sentences);
    bool yes = sentences.n == 26;
    for (size_t i = 0; i < sentences.n && yes; i++)
        yes = tolower((unsigned char)*sentences.at[i].start) == (int)('a' + i);
    spans_release(&sentences);
    return yes;
}

static int check_capitals(const struct instruct *in, struct err *err)
{
    static const char *const order[] = {
        "Reykjavik",  "Helsinki", "Oslo",     "Tallinn",    "Stockholm", "Riga",      "Moscow",
        "Copenhagen", "Vilnius",  "Minsk",    "Dublin",     "Berlin",    "Amsterdam", "Warsaw",
        "London",     "Brussels", "Prague",   "Luxembourg", "Paris",     "Vienna",    "Bratislava",
        "Budapest",   "Vaduz",    "Chisinau", "Bern",       "Ljubljana", "Zagreb",
    };
    char *plain = text_plain(in->text);
    struct spans list = {0};
    size_t n = 0;
    bool yes = true;
    (void)err;
    split_by(span_of(plain), ",", &list);
    for (size_t i = 0; i < list.n && yes; i++) {
        struct span city = span_strip(list.at[i]);
        if (city.n == 0)
            continue;
        yes = n < ARRAY_SIZE(order) && span_is(city, order[n]);
        n++;
    }
    spans_release(&list);
    free(plain);
    return yes && n == ARRAY_SIZE(order);
}

/* Tables. */

/* Fields of a CSV text; a quote inside a quoted field is doubled (RFC 4180).  Quotes are kept. */
struct table {
    struct spans fields;
    size_t rows, row_of[64]; /* fields in each of the first rows */
};

/* The end of the field at `at`; a quoted one may hold separators and newlines. */
static size_t field_end(struct span s, size_t at, char separator)
{
    bool quoted = false;
    if (at < s.n && s.start[at] == '"') {
        quoted = true;
        at++;
    }
    for (; at < s.n; at++) {
        char c = s.start[at];
        if (quoted && c == '"') {
            if (at + 1 < s.n && s.start[at + 1] == '"')
                at++;
            else
                quoted = false;
        } else if (!quoted && (c == separator || c == '\n')) {
            break;
        }
    }
    return at;
}

static void read_table(struct span s, char separator, struct table *t)
{
    *t = (struct table){0};
    for (size_t at = 0; at < s.n;) {
        size_t fields = 0, end = at;
        bool more = s.start[at] != '\n';
        while (more) {
            end = field_end(s, at, separator);
            struct span field = {s.start + at, end - at};
            if (field.n > 0 && field.start[field.n - 1] == '\r')
                field.n--;
            spans_add(&t->fields, field.start, field.n);
            fields++;
            more = end < s.n && s.start[end] == separator;
            at = end + 1;
        }
        if (fields == 0)
            at++;
        if (t->rows < ARRAY_SIZE(t->row_of))
            t->row_of[t->rows] = fields;
        t->rows++;
    }
}

/* All rows from the first'th on have five fields. */
static bool has_five(const struct table *t, size_t first)
{
    for (size_t i = first; i < t->rows; i++) {
        if (i >= ARRAY_SIZE(t->row_of) || t->row_of[i] != 5)
            return false;
    }
    return true;
}

static struct span unquoted(struct span field)
{
    field = span_strip(field);
    if (field.n >= 2 && *field.start == '"' && field.start[field.n - 1] == '"')
        return (struct span){field.start + 1, field.n - 2};
    return field;
}

static bool has_header(const struct table *t, const char *const names[5])
{
    if (t->rows == 0 || t->row_of[0] != 5)
        return false;
    for (size_t i = 0; i < 5; i++) {
        if (!span_is(unquoted(t->fields.at[i]), names[i]))
            return false;
    }
    return true;
}

static int check_csv_city(const struct instruct *in, struct err *err)
{
    static const char *const names[] = {"ID", "Country", "City", "Year", "Count"};
    struct table t;
    (void)err;
    read_table(in->text, ',', &t);
    bool yes = t.rows == 8 && has_header(&t, names) && has_five(&t, 1);
    for (size_t i = 0; i < 5 && yes; i++) /* no blanks around the names */
        yes = t.fields.at[i].n == strlen(names[i]) || *t.fields.at[i].start == '"';
    spans_release(&t.fields);
    return yes;
}

/* Some mark in a field in quotes. */
static bool has_special(struct span field)
{
    if (field.n < 3 || *field.start != '"' || field.start[field.n - 1] != '"')
        return false;
    struct span inside = {field.start + 1, field.n - 2};
    while (inside.n > 0) {
        int32_t c = span_char(&inside);
        if (!char_is_word(c) && !char_is_space(c))
            return true;
    }
    return false;
}

static int check_csv_special(const struct instruct *in, struct err *err)
{
    static const char *const names[] = {"ProductID", "Category", "Brand", "Price", "Stock"};
    struct table t;
    bool special = false;
    (void)err;
    read_table(in->text, ',', &t);
    bool yes = t.rows == 15 && has_header(&t, names) && has_five(&t, 1);
    for (size_t i = 5; i < t.fields.n && yes && !special; i++)
        special = has_special(t.fields.at[i]);
    spans_release(&t.fields);
    return yes && special;
}

static int check_csv_quotes(const struct instruct *in, struct err *err)
{
    static const char *const names[] = {"StudentID", "Subject", "Grade", "Semester", "Score"};
    struct table t;
    (void)err;
    read_table(in->text, '\t', &t);
    bool yes = t.rows == 4 && has_header(&t, names) && has_five(&t, 0);
    for (size_t i = 0; i < t.fields.n && yes; i++) {
        struct span field = span_strip(t.fields.at[i]);
        yes = field.n > 1 && *field.start == '"' && field.start[field.n - 1] == '"';
    }
    spans_release(&t.fields);
    return yes;
}

/* Dates. */

static int digits_at(const char *s, size_t n)
{
    int x = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)s[i]))
            return -1;
        x = x * 10 + (s[i] - '0');
    }
    return x;
}

/* YYYY-MM-DD in Napoleon's life. */
static bool is_date(struct span s)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (s.n != 10 || s.start[4] != '-' || s.start[7] != '-')
        return false;
    int year = digits_at(s.start, 4), month = digits_at(s.start + 5, 2),
        day = digits_at(s.start + 8, 2);
    return year >= 1769 && year <= 1821 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1];
}

static int check_dates(const struct instruct *in, struct err *err)
{
    struct spans list = {0};
    bool yes = true;
    (void)err;
    split_by(in->text, ",", &list);
    for (size_t i = 0; i < list.n && yes; i++)
        yes = is_date(span_strip(list.at[i]));
    spans_release(&list);
    return yes;
}

const struct instruct_kind instruct_ifbench_custom[] = {
    {"custom:multiples", check_multiples},
    {"custom:mcq_count_length", check_questions},
    {"custom:reverse_newline", check_reverse_newline},
    {"custom:word_reverse", check_word_reverse},
    {"custom:character_reverse", check_character_reverse},
    {"custom:sentence_alphabet", check_sentence_alphabet},
    {"custom:european_capitals_sort", check_capitals},
    {"custom:csv_city", check_csv_city},
    {"custom:csv_special_character", check_csv_special},
    {"custom:csv_quotes", check_csv_quotes},
    {"custom:date_format_list", check_dates},
    {NULL, NULL},
};
