/* stoptext.h - ending a generation when the text it makes contains a given string. */
#ifndef TP_GEN_STOPTEXT_H
#define TP_GEN_STOPTEXT_H

#include "base/opt.h"
#include "data/tokenizer.h"

struct stop_text {
    const struct tokenizer *tokenizer;
    const struct opt_list *strings; /* borrowed, like the tokenizer */
    size_t longest;
    struct strbuf tail;
};
void stop_text_init(struct stop_text *s, const struct tokenizer *t, const struct opt_list *strings);
void stop_text_release(struct stop_text *s);
/* True if one of the strings has just been completed; fits gen_request.stop_text, arg is a struct
 * stop_text.  The token that completes it is kept, with whatever it has after the string. */
bool stop_text_found(void *arg, const int32_t *tokens, int64_t n);

#endif
