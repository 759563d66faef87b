/* test_decontam.c - items in texts: the n-gram rule against a count over all substrings of words,
 * the weighted one against scores by hand. */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/decontam.h"

static char dir[] = "/tmp/test_decontam.XXXXXX";

static struct decontam *open_items(const struct decontam_options *o, const char *lines)
{
    struct err err = {0};
    char *path = path_join(dir, "items.jsonl");
    FILE *fp = fopen(path, "w");
    CHECK(fp && fputs(lines, fp) >= 0 && fclose(fp) == 0);
    struct decontam *d = decontam_open(o);
    CHECK_MSG(decontam_add_set(d, "set", path, &err) == 0, "%s", err.text);
    decontam_index(d);
    free(path);
    return d;
}

/* Words of one digit or more, so that texts are easy to make and to compare. */
static int random_words(struct rng *r, char words[][8], int n, int kinds)
{
    for (int i = 0; i < n; i++)
        snprintf(words[i], 8, "w%d", (int)rng_below(r, (uint64_t)kinds));
    return n;
}

static void join(char *out, char words[][8], int n)
{
    *out = '\0';
    for (int i = 0; i < n; i++) {
        strcat(out, words[i]);
        strcat(out, i % 7 == 6 ? ", " : " ");
    }
}

/* Share of the item's words that are in some n words running that the text has, too. */
static double share_by_hand(char item[][8], int n_item, char text[][8], int n_text, int n)
{
    bool found[100] = {false};
    int count = 0;
    for (int i = 0; i + n <= n_item; i++) {
        for (int j = 0; j + n <= n_text; j++) {
            int k = 0;
            while (k < n && strcmp(item[i + k], text[j + k]) == 0)
                k++;
            for (int m = 0; k == n && m < n; m++)
                found[i + m] = true;
        }
    }
    for (int i = 0; i < n_item; i++)
        count += found[i];
    return (double)count / n_item;
}

static void test_ngram_rule(void)
{
    struct decontam_options o = {.rule = RULE_NGRAM, .ngram = 3, .threshold = 0.4};
    struct decontam_scratch s = {0};
    struct rng r;
    int n_found = 0, n_wrong = 0;
    rng_init(&r, 1, "test", 0, 0);
    for (int round = 0; round < 300; round++) {
        char item[40][8], text[200][8], line[1000] = "{\"question\": \"", body[2000];
        int n_item = random_words(&r, item, 5 + (int)rng_below(&r, 30), 8);
        int n_text = random_words(&r, text, 20 + (int)rng_below(&r, 100), 8);
        join(body, item, n_item);
        strcat(line, body);
        strcat(line, "\"}\n");
        struct decontam *d = open_items(&o, line);
        join(body, text, n_text);
        decontam_find(d, &s, body, strlen(body));
        double share = share_by_hand(item, n_item, text, n_text, 3);
        bool expected = share + 1e-6 >= o.threshold;
        n_found += expected;
        n_wrong += s.n_matches != (size_t)expected ||
                   (expected && fabs((double)s.matches[0].score - share) > 1e-5);
        decontam_close(d);
    }
    CHECK_MSG(n_wrong == 0, "%d of 300 are wrong", n_wrong);
    CHECK_MSG(n_found > 30 && n_found < 270, "%d of 300 found", n_found);
    decontam_scratch_release(&s);
}

static const struct decontam_match *find(const struct decontam *d, struct decontam_scratch *s,
                                         const char *text)
{
    decontam_find(d, s, text, strlen(text));
    return s->n_matches ? &s->matches[0] : NULL;
}

#define ITEM                                                                                       \
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "    \
    "sixteen seventeen eighteen nineteen twenty"

static void test_rare_rule(void)
{
    struct decontam_options o = {.threshold = 0.6, .min_words = 8};
    struct decontam_scratch s = {0};
    struct decontam *d = open_items(
        &o, "{\"id\":\"a\",\"question\":\"" ITEM "\",\"answer\":\"the answer\"}\n"
            "{\"id\":7,\"problem\":\"red green blue cyan gold pink grey lime teal plum\"}\n"
            "{\"question\":\"" ITEM "\",\"answer\":\"The Answer!\"}\n"
            "{\"question\":\"too short to be found\"}\n");
    const struct decontam_counts *c = decontam_counts(d);
    CHECK(c->items == 3 && c->repeated == 1 && c->too_short == 1);
    const struct decontam_match *m = find(d, &s, "so: " ITEM " - that.");
    CHECK(m && m->item == 0 && m->score > 0.9999f && m->begin == 4 && m->end == 4 + strlen(ITEM));
    m = find(d, &s,
             "One, TWO three: four FIVE six seven-eight nine ten eleven twelve thirteen "
             "fourteen fifteen sixteen seventeen eighteen nineteen twenty? The answer.");
    CHECK(m && m->score > 0.9999f && m->parts[PART_ANSWER] > 0.99f);
    /* 18 of 20 words beside a neighbour; all words weigh the same. */
    m = find(d, &s,
             "one two three four five six X eight nine ten eleven twelve thirteen Y fifteen "
             "sixteen seventeen eighteen nineteen twenty");
    CHECK(m != NULL);
    CHECK_CLOSE(m ? (double)m->parts[PART_QUESTION] : 0, 0.9, 1e-5, 0);
    CHECK_CLOSE(m ? (double)m->score : 0, 0.9, 1e-5, 0);
    /* The answer makes up for a fifth of what lacks. */
    m = find(d, &s,
             "one two three four five six X eight nine ten eleven twelve thirteen Y fifteen "
             "sixteen seventeen eighteen nineteen twenty the answer");
    CHECK_CLOSE(m ? (double)m->score : 0, 0.92, 1e-5, 0);
    /* 12 of 20 words are not enough for a part of 20 words, which needs more than 0.6. */
    CHECK(!find(d, &s, "one two three four five six seven eight nine ten eleven twelve"));
    /* Words far apart are no item. */
    char far[4000] = "";
    for (int i = 0; i < 4; i++) {
        static const char *const fives[] = {"one two three four five ", "six seven eight nine ten ",
                                            "eleven twelve thirteen fourteen fifteen ",
                                            "sixteen seventeen eighteen nineteen twenty "};
        strcat(far, fives[i]);
        for (int k = 0; k < 100; k++)
            strcat(far, "filler ");
    }
    CHECK(!find(d, &s, far));
    /* Nine of the ten words of a short item. */
    CHECK(find(d, &s, "red green blue cyan gold pink grey lime teal plum") != NULL);
    CHECK(!find(d, &s, "red green blue cyan gold pink grey lime"));
    CHECK(!find(d, &s, "too short to be found"));
    CHECK(!find(d, &s, "") && !find(d, &s, "one"));
    CHECK_STR(decontam_item(d, 0)->id, "a");
    CHECK_STR(decontam_item(d, 1)->id, "7");
    CHECK(decontam_item(d, 1)->line == 2);
    decontam_close(d);

    /* An item shorter than the n-gram is found whole. */
    o.min_words = 2;
    d = open_items(&o, "{\"question\":\"ab cd ef\"}\n{\"messages\":[{\"role\":\"user\",\"content\":"
                       "\"gh ij kl mn\"},{\"role\":\"assistant\",\"content\":\"no\"}]}\n");
    CHECK((m = find(d, &s, "xx ab cd ef yy")) && m->item == 0 && m->score > 0.99f);
    CHECK((m = find(d, &s, "gh ij kl mn")) && m->item == 1);
    CHECK(!find(d, &s, "ab cd xx ef gh ij kl"));
    decontam_close(d);
    decontam_scratch_release(&s);
}

int main(void)
{
    struct err err = {0};
    mem_init();
    CHECK(mkdtemp(dir) != NULL);
    test_ngram_rule();
    test_rare_rule();
    CHECK(dir_remove(dir, &err) == 0);
    return check_done();
}
