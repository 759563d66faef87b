/* stoptext.c - ending a generation when the text it makes contains a given string. */
#include "gen/stoptext.h"

#include <string.h>

void stop_text_init(struct stop_text *s, const struct tokenizer *t, const struct opt_list *strings)
{
    *s = (struct stop_text){.tokenizer = t, .strings = strings};
    for (int i = 0; i < strings->n; i++)
        if (strlen(strings->items[i]) > s->longest)
            s->longest = strlen(strings->items[i]);
}

void stop_text_release(struct stop_text *s)
{
    strbuf_release(&s->tail);
}

/* Every token is at least one byte, so a match that ends in the last token begins at most `longest`
 * tokens back, and what is before that was looked at when it was new. */
bool stop_text_found(void *arg, const int32_t *tokens, int64_t n)
{
    struct stop_text *s = arg;
    int64_t begin = n > (int64_t)s->longest ? n - (int64_t)s->longest : 0;
    struct err ignored = {0};
    strbuf_clear(&s->tail);
    for (int64_t i = begin; i < n; i++)
        if (tokens[i] < tokenizer_vocab_size(s->tokenizer) &&
            tokenizer_decode_bytes(s->tokenizer, &tokens[i], 1, false, &s->tail, &ignored) < 0)
            return false;
    for (int i = 0; i < s->strings->n; i++)
        if (s->tail.len && memmem(s->tail.buf, s->tail.len, s->strings->items[i],
                                  strlen(s->strings->items[i])))
            return true;
    return false;
}
