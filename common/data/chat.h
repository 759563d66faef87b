/* chat.h - conversations to token ids, with the loss mask from the same rendering.
 *
 * One function makes both the ids and the mask, so they cannot disagree.  The
 * templates known by name:
 *   chatml        <|im_start|>role\n content <|im_end|>\n ; generation prompt
 *                 <|im_start|>assistant\n
 *   chatml-think  the same, and the generation prompt opens <think>\n
 *   plain         contents joined; an assistant turn ends in eos
 * A model directory whose tokenizer_config.json has a template we do not know is
 * refused unless --template names one.
 *
 * Assistant text with reasoning: `reasoning_content` is rendered as
 * <think>\n{reasoning}\n</think>\n{content}.  Markers are encoded as their added
 * tokens; contents are encoded plain, except that <think> and </think> inside an
 * assistant's own content become their tokens.
 */
#ifndef TP_DATA_CHAT_H
#define TP_DATA_CHAT_H

#include "base/opt.h"
#include "data/tokenizer.h"

enum chat_template { CHAT_AUTO, CHAT_CHATML, CHAT_CHATML_THINK, CHAT_PLAIN };
extern const struct opt_enum chat_template_names[];

/* The Jinja text our tok-train writes for a template, so that transformers renders the same. */
const char *chat_template_jinja(enum chat_template t);
/* CHAT_AUTO resolved by the tokenizer's own chat_template; refuses an unknown one. */
int chat_resolve(const struct tokenizer *t, enum chat_template wanted, enum chat_template *out,
                 struct err *err) WARN_UNUSED;

struct chat_tokens {
    struct token_list ids;
    int64_t mask_cap;
    uint8_t *mask; /* [ids.n] 1 = assistant's own tokens, end of turn included */
};
void chat_tokens_release(struct chat_tokens *c);

/* messages: array of {role, content}; `developer` is `system`, `environment` is `tool`; content may
 * be a list of text parts.  add_generation_prompt appends the assistant header.  Appends to out, and
 * a conversation may be given in pieces: each message's tokens depend on that message alone. */
int chat_encode(const struct tokenizer *t, enum chat_template tpl, const json_t *messages,
                bool add_generation_prompt, struct chat_tokens *out, struct err *err) WARN_UNUSED;
/* The rendered text, for people. */
int chat_render(const struct tokenizer *t, enum chat_template tpl, const json_t *messages,
                bool add_generation_prompt, struct strbuf *out, struct err *err) WARN_UNUSED;
/* Completion text to an assistant message: splits reasoning at the first </think> when the text (or
 * the generation prompt) opened one.  New reference; NULL if text is not UTF-8. */
json_t *chat_parse_completion(enum chat_template tpl, const char *text);

#endif
