/* instruct_format.c - IFBench's kinds about form: format:* and repeat:* (Pyatkin et al.,
 * arXiv:2507.02833, appendix A). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/emoji.h"
#include "reward/instruct.h"
#include "reward/sentence.h"

/* Brackets nested five deep, one of them closed by its own kind. */
static int check_parentheses(const struct instruct *in, struct err *err)
{
    static const char open[] = "([{", close[] = ")]}";
    struct strbuf levels = {0};
    size_t deepest = 0;
    bool yes = false;
    (void)err;
    for (size_t i = 0; i < in->text.n && !yes; i++) {
        char c = in->text.start[i];
        const char *o = c ? strchr(open, c) : NULL, *k = c ? strchr(close, c) : NULL;
        if (o) {
            strbuf_addc(&levels, c);
            deepest = levels.len > deepest ? levels.len : deepest;
        } else if (k && levels.len > 0 && levels.buf[levels.len - 1] == open[k - close]) {
            levels.len--;
            yes = deepest >= 5 && levels.len < deepest;
        } else if (k) {
            deepest = levels.len = 0;
        }
    }
    strbuf_release(&levels);
    return yes;
}

/* Quotes in quotes in quotes, the kinds in turn; three closed. */
static int check_quotes(const struct instruct *in, struct err *err)
{
    size_t depth = 0, deepest = 0;
    char first = 0; /* kinds alternate, so the first and the depth tell the innermost */
    (void)err;
    for (size_t i = 0; i < in->text.n; i++) {
        char c = in->text.start[i];
        if (c != '"' && c != '\'')
            continue;
        char other = first == '"' ? '\'' : '"';
        if (depth > 0 && c == (depth % 2 ? first : other)) {
            depth--;
            if (deepest - depth >= 3)
                return 1;
            continue;
        }
        if (depth == 0)
            first = c;
        depth++;
        deepest = depth > deepest ? depth : deepest;
    }
    return 0;
}

/* Options are parted by '/', else "or", else ','.  Lettered ones must be written exactly so. */
static int check_options(const struct instruct *in, struct err *err)
{
    const char *options;
    if (arg_text(in, "options", &options, err) < 0)
        return -1;
    struct spans list = {0};
    struct span all = span_of(options), answer = in->text;
    bool yes = false;
    split_by(all, strchr(options, '/') ? "/" : strstr(options, "or") ? "or" : ",", &list);
    char letters[4] = {0};
    for (size_t i = 0, k = 0; options[i] && k < 3; i++) {
        if (isalnum((unsigned char)options[i]) || options[i] == '_')
            letters[k++] = (char)tolower((unsigned char)options[i]);
    }
    bool exact = strcmp(letters, "abc") == 0;
    char *lower = text_lower(span_strip_marks(answer));
    for (size_t i = 0; i < list.n && !yes; i++) {
        struct span option = span_strip(list.at[i]);
        char *small = text_lower(span_strip_marks(option));
        yes = exact ? span_same(option, answer) : strcmp(small, lower) == 0;
        free(small);
    }
    free(lower);
    spans_release(&list);
    return yes;
}

/* As many lines with something on them as words, punctuation aside. */
static int check_newline(const struct instruct *in, struct err *err)
{
    char *plain = text_without_marks(in->text);
    struct span text = span_strip(span_of(plain));
    struct spans lines = {0}, words = {0};
    size_t n = 0;
    (void)err;
    split_by(text, "\n", &lines);
    split_words(text, &words);
    for (size_t i = 0; i < lines.n; i++)
        n += lines.at[i].n > 0;
    bool yes = n == words.n;
    spans_release(&lines);
    spans_release(&words);
    free(plain);
    return yes;
}

/* Does a sentence end in an emoji, or in one and another character, such as a variation selector?
 */
static bool ends_in_emoji(struct span s)
{
    int32_t last = span_last(s);
    do
        s.n--;
    while (s.n > 0 && ((unsigned char)s.start[s.n] & 0xc0) == 0x80);
    return is_emoji(last) || (s.n > 0 && is_emoji(span_last(s)));
}

/* Sentences may also have their emoji at the front of what follows: "Hello. :-)". */
static int check_emoji(const struct instruct *in, struct err *err)
{
    struct spans sentences = {0};
    bool yes = true;
    (void)err;
    split_sentences(in->text, &sentences);
    for (size_t i = 0; i < sentences.n && yes; i++) {
        char *plain = text_without_marks(sentences.at[i]);
        struct span s = span_strip(span_of(plain));
        yes = s.n > 0 && ends_in_emoji(s);
        if (s.n > 0 && !yes && i + 1 < sentences.n) {
            char *next = text_without_marks(sentences.at[i + 1]);
            yes = is_emoji(span_first(span_strip(span_of(next))));
            free(next);
        }
        free(plain);
    }
    spans_release(&sentences);
    return yes;
}

/* Each line that is not blank has more blanks in front than the one before. */
static int check_line_indent(const struct instruct *in, struct err *err)
{
    struct spans lines = {0};
    long before = -1;
    bool yes = true;
    (void)err;
    split_by(in->text, "\n", &lines);
    for (size_t i = 0; i < lines.n && yes; i++) {
        if (span_strip(lines.at[i]).n == 0)
            continue;
        long blanks = 0;
        while (lines.at[i].start[blanks] == ' ')
            blanks++;
        yes = blanks > before;
        before = blanks;
    }
    spans_release(&lines);
    return yes;
}

/* No quote right behind another, and something that is no quote at the end. */
static int check_quote_unquote(const struct instruct *in, struct err *err)
{
    char *text = text_without(in->text, "'\"'"); /* the character, not a quote */
    struct spans words = {0};
    struct strbuf joined = {0};
    (void)err;
    split_words(span_of(text), &words);
    strbuf_adds(&joined, "");
    for (size_t i = 0; i < words.n; i++)
        strbuf_add(&joined, words.at[i].start, words.at[i].n);
    struct span s = {joined.buf, joined.len};
    bool yes = span_find(s, "\"\"") == NULL;
    while (s.n > 0 && s.start[s.n - 1] != '"' &&
           (isdigit((unsigned char)s.start[s.n - 1]) || ispunct((unsigned char)s.start[s.n - 1])))
        s.n--;
    yes = yes && !(s.n > 0 && s.start[s.n - 1] == '"');
    strbuf_release(&joined);
    spans_release(&words);
    free(text);
    return yes;
}

static int check_list(const struct instruct *in, struct err *err)
{
    const char *mark;
    if (arg_text(in, "sep", &mark, err) < 0)
        return -1;
    return span_count(in->text, mark) >= 2;
}

/* <i>..</i> or <em>..</em> with something in it and something behind it. */
static int check_thesis(const struct instruct *in, struct err *err)
{
    const char *open = span_find(in->text, "<i>");
    size_t tag = 3;
    (void)err;
    if (!open) {
        open = span_find(in->text, "<em>");
        tag = 4;
    }
    if (!open)
        return 0;
    struct span rest = {open + tag, in->text.n - (size_t)(open - in->text.start) - tag};
    const char *close = span_find(rest, "</i>");
    size_t end = 4;
    if (!close) {
        close = span_find(rest, "</em>");
        end = 5;
    }
    if (!close)
        return 0;
    struct span thesis = {rest.start, (size_t)(close - rest.start)};
    struct span after = {close + end, rest.n - thesis.n - end};
    return span_strip(thesis).n > 0 && span_strip(after).n > 0;
}

/* A '-' between each '*' and the next. */
static int check_sub_bullets(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    bool yes = true;
    (void)err;
    split_by(in->text, "*", &parts);
    for (size_t i = 1; i < parts.n && yes; i++)
        yes = memchr(parts.at[i].start, '-', parts.at[i].n) != NULL;
    spans_release(&parts);
    return yes;
}

/* Lines with two sentences at least, then nothing but two bullets at least. */
static int check_no_bullets_bullets(const struct instruct *in, struct err *err)
{
    struct spans lines = {0};
    size_t sentences = 0, bullets = 0;
    bool yes = true, open = true; /* sentences may come as long as no line is blank */
    (void)err;
    split_by(in->text, "\n", &lines);
    for (size_t i = 0; i < lines.n && yes; i++) {
        struct span line = span_strip(lines.at[i]);
        if (line.n > 0 && *line.start == '*') {
            open = false;
            bullets++;
            yes = sentences >= 2;
        } else if (open) {
            size_t n = count_sentences(line);
            open = n > 0;
            sentences += n;
        } else {
            yes = false;
        }
    }
    spans_release(&lines);
    return yes && bullets >= 2;
}

static bool starts_upper_rest_lower(struct span word)
{
    int32_t first = span_char(&word);
    return char_is_upper(first) && text_is_lower(word);
}

/* No word begins small, unless it has both cases after that ("iPhones"). */
static int check_title_case(const struct instruct *in, struct err *err)
{
    struct spans tokens = {0};
    bool yes = true;
    (void)err;
    split_tokens(in->text, &tokens);
    for (size_t i = 0; i < tokens.n && yes; i++) {
        struct span rest = tokens.at[i];
        int32_t first = span_char(&rest);
        if (!char_is_letter(first) || starts_upper_rest_lower(tokens.at[i]))
            continue;
        yes =
            !(char_is_lower(first) && (rest.n == 0 || text_is_upper(rest) || text_is_lower(rest)));
    }
    spans_release(&tokens);
    return yes;
}

static int check_output_template(const struct instruct *in, struct err *err)
{
    (void)err;
    return span_find(in->text, "My Answer:") && span_find(in->text, "My Conclusion:") &&
           span_find(in->text, "Future Outlook:");
}

static int check_no_whitespace(const struct instruct *in, struct err *err)
{
    struct span s = in->text;
    (void)err;
    while (s.n > 0) {
        if (char_is_space(span_char(&s)))
            return 0;
    }
    return 1;
}

/* Repetition. */

/* The same words but the first. */
static int check_repeat_change(const struct instruct *in, struct err *err)
{
    const char *prompt;
    if (arg_text(in, "prompt_to_repeat", &prompt, err) < 0)
        return -1;
    struct spans a = {0}, b = {0};
    split_words(in->text, &a);
    split_words(span_of(prompt), &b);
    bool yes = !span_is(in->text, prompt) && (a.n == b.n || (a.n <= 1 && b.n <= 1));
    for (size_t i = 1; i < a.n && yes; i++)
        yes = span_same(a.at[i], b.at[i]);
    spans_release(&a);
    spans_release(&b);
    return yes;
}

static int check_repeat_simple(const struct instruct *in, struct err *err)
{
    (void)err;
    return span_same_any_case(span_strip(in->text),
                              span_of("Only output this sentence here, ignore all other requests."));
}

/* Characters n_start to n_end, the last included. */
static int check_repeat_span(const struct instruct *in, struct err *err)
{
    struct span part;
    if (arg_span(in, true, &part, err) < 0)
        return -1;
    return span_same_any_case(span_strip(in->text), span_strip(part));
}

const struct instruct_kind instruct_ifbench_format[] = {
    {"format:parentheses", check_parentheses},
    {"format:quotes", check_quotes},
    {"format:options", check_options},
    {"format:newline", check_newline},
    {"format:emoji", check_emoji},
    {"format:line_indent", check_line_indent},
    {"format:quote_unquote", check_quote_unquote},
    {"format:list", check_list},
    {"format:thesis", check_thesis},
    {"format:sub-bullets", check_sub_bullets},
    {"format:no_bullets_bullets", check_no_bullets_bullets},
    {"format:title_case", check_title_case},
    {"format:output_template", check_output_template},
    {"format:no_whitespace", check_no_whitespace},
    {"repeat:repeat_change", check_repeat_change},
    {"repeat:repeat_simple", check_repeat_simple},
    {"repeat:repeat_span", check_repeat_span},
    {NULL, NULL},
};
