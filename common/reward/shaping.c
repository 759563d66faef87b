/* shaping.c - what is taken off a reward for the form of the response. */
#include "reward/shaping.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "reward/pieces.h"

double overlong_share(double tokens, double length, double buffer)
{
    double over = tokens - (length - buffer);
    if (over <= 0)
        return 0;
    return over >= buffer ? 1 : over / buffer;
}

static int by_hash(const void *a, const void *b)
{
    const XXH128_hash_t *x = a, *y = b;
    return XXH128_cmp(x, y);
}

/* All words in small letters with one blank between them; starts[i] is where word i begins, and
 * starts[n] one behind the blank that would follow the last.  Both owned. */
static char *join_words(const char *text, size_t **starts, size_t *n)
{
    struct strbuf joined = {0};
    struct spans words = {0};
    char *lower = text_lower(span_of(text));
    split_words(span_of(lower), &words);
    *n = words.n;
    *starts = xcalloc(words.n + 1, sizeof **starts);
    for (size_t i = 0; i < words.n; i++) {
        strbuf_add(&joined, words.at[i].start, words.at[i].n);
        strbuf_addc(&joined, ' ');
        (*starts)[i + 1] = joined.len;
    }
    spans_release(&words);
    free(lower);
    return strbuf_detach(&joined, NULL);
}

double repetition_share(const char *text, int64_t n)
{
    size_t *starts, words, distinct = 0, length = (size_t)n;
    char *buf = join_words(text, &starts, &words);
    size_t grams = n > 0 && words >= length ? words - length + 1 : 0;
    XXH128_hash_t *hashes = xcalloc(grams + 1, sizeof *hashes);
    for (size_t i = 0; i < grams; i++)
        hashes[i] = XXH3_128bits(buf + starts[i], starts[i + length] - starts[i]);
    qsort(hashes, grams, sizeof *hashes, by_hash);
    for (size_t i = 0; i < grams; i++)
        distinct += i == 0 || !XXH128_isEqual(hashes[i], hashes[i - 1]);
    free(hashes);
    free(starts);
    free(buf);
    return grams > 0 ? 1 - (double)distinct / (double)grams : 0;
}

static int count_tokens(const json_t *record, double *out, struct err *err)
{
    const json_t *ids = json_object_get(record, "token_ids");
    const json_t *used = json_object_get(json_object_get(record, "usage"), "completion_tokens");
    if (json_is_array(ids))
        *out = (double)json_array_size(ids);
    else if (json_is_number(used))
        *out = json_number_value(used);
    else
        return err_set(err,
                       "neither 'token_ids' nor 'usage' tells how many tokens there are, which "
                       "--overlong-length needs");
    return 0;
}

static void add(struct shaping *s, const char *name, double taken)
{
    s->items[s->n].name = name;
    s->items[s->n++].taken = taken;
}

int shaping_check(const struct shaping_options *o, struct err *err)
{
    if (o->overlong_length > 0 && o->overlong_buffer > o->overlong_length)
        return err_set(err, "--overlong-buffer is larger than --overlong-length");
    return 0;
}

int shaping_of(const struct shaping_options *o, const struct response *r, const json_t *record,
               struct shaping *out, struct err *err)
{
    *out = (struct shaping){0};
    if (o->overlong_length > 0) {
        double tokens = 0, length = (double)o->overlong_length;
        double buffer = o->overlong_buffer > 0 ? (double)o->overlong_buffer : length / 5;
        if (count_tokens(record, &tokens, err) < 0)
            return -1;
        add(out, "overlong", o->overlong * overlong_share(tokens, length, buffer));
    }
    if (o->repetition != 0)
        add(out, "repetition", o->repetition * repetition_share(r->text, o->repetition_ngram));
    if (r->truncated && o->non_stop != 0)
        add(out, "non_stop", o->non_stop);
    return 0;
}
