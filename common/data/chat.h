/* chat.h - conversations to token ids, with the loss mask from the same rendering.
 *
 * One rendering makes both the ids and the mask, so they cannot disagree.  The
 * template is the tokenizer's own (Jinja, see jinja.h), or one known by name:
 *   chatml        <|im_start|>role\n content <|im_end|>\n ; generation prompt
 *                 <|im_start|>assistant\n
 *   chatml-think  the same, and the generation prompt opens <think>\n
 *   plain         contents joined; an assistant turn ends in eos
 *
 * In these three, `reasoning_content` of an assistant is rendered as
 * <think>\n{reasoning}\n</think>\n{content}.  Markers that the template writes are
 * encoded as their added tokens; contents are encoded plain, except that inside an
 * assistant's own content <think>, </think> and added tokens that are not special
 * become their tokens.
 *
 *     struct chat chat;
 *     if (chat_read(&chat, record, err) < 0) ...
 *     chat.messages = messages;
 *     rc = chat_encode(tokenizer, CHAT_AUTO, &chat, &tokens, err);
 *     chat_release(&chat);
 */
#ifndef TP_DATA_CHAT_H
#define TP_DATA_CHAT_H

#include "base/opt.h"
#include "data/tokenizer.h"

enum chat_template { CHAT_AUTO, CHAT_CHATML, CHAT_CHATML_THINK, CHAT_PLAIN };
extern const struct opt_enum chat_template_names[];

/* The Jinja text our tok-train writes for a template, so that transformers renders the same. */
const char *chat_template_jinja(enum chat_template t);
/* CHAT_AUTO becomes the template above that the tokenizer's own is, or stays CHAT_AUTO: its own.
 * Refuses a tokenizer without one, and a template that cannot be read. */
int chat_resolve(const struct tokenizer *t, enum chat_template wanted, enum chat_template *out,
                 struct err *err) WARN_UNUSED;

/* A conversation and what a template may see beside it. */
struct chat {
    const json_t *messages; /* array of {role, content, ...} */
    size_t n_context;       /* the first so many messages are not trained on */
    bool add_generation_prompt;
    bool continue_final; /* the text ends where the last message does, for a model to go on */
    json_t *tools;       /* owned; NULL = none */
    const json_t *documents, *variables;
};
/* `tools` (a list, or its JSON), `documents`, `chat_template_kwargs` and `continue_final_message` of a record. */
int chat_read(struct chat *c, const json_t *record, struct err *err) WARN_UNUSED;
void chat_release(struct chat *c);

struct chat_tokens {
    struct token_list ids;
    int64_t mask_cap;
    uint8_t *mask; /* [ids.n] 1 = assistant's own tokens, end of turn included */
};
void chat_tokens_release(struct chat_tokens *c);

/* Appends to out.  Our own templates take `developer` for `system`, `environment` for `tool`, and a
 * list of text parts for a content; others decide for themselves.  Where the loss mask of a template
 * cannot be known, the row is refused. */
int chat_encode(const struct tokenizer *t, enum chat_template tpl, const struct chat *c,
                struct chat_tokens *out, struct err *err) WARN_UNUSED;
/* The rendered text, for people. */
int chat_render(const struct tokenizer *t, enum chat_template tpl, const struct chat *c,
                struct strbuf *out, struct err *err) WARN_UNUSED;

/* Does a prompt end in <think>, so that what is generated begins inside the reasoning? */
bool chat_opens_think(const char *prompt, size_t n);
bool chat_ids_open_think(const struct tokenizer *t, const int32_t *ids, int64_t n);
/* Completion text to an assistant message: splits reasoning at the first </think> when the text (or
 * the prompt) opened one.  New reference; NULL if text is not UTF-8. */
json_t *chat_parse_completion(bool think_opened, const char *text);

#endif
