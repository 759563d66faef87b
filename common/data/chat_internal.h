/* chat_internal.h - a rendered conversation; for chat*.c only. */
#ifndef TP_DATA_CHAT_INTERNAL_H
#define TP_DATA_CHAT_INTERNAL_H

#include "base/mem.h"
#include "data/chat.h"
#include "data/jinja.h"

struct chat_view {
    const struct tokenizer *t;
    const struct chat *chat;
    const struct jinja *template;
    struct jinja_input input;
    struct jinja_output out;
};

/* What the assistant wrote, in order: each turn from behind what a generation prompt gives to the
 * token that ends it; or what the template itself marks.  The caller frees out->spans. */
int chat_find_spans(const struct chat_view *v, struct jinja_spans *out,
                    struct err *err) WARN_UNUSED;

#endif
