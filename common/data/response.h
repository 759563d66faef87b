/* response.h - the two halves of a generation record: what was asked and what was answered.
 *
 * The answer is `completion` (text, or messages), else the assistant turn that
 * ends `messages`, else `response`.  Reasoning in a field of its own is put in
 * front of the content as <think>..</think>, so that every form reads the same.
 *
 *     struct response r;
 *     if (response_read(rec->obj, &r, err) < 0)
 *         return -1;
 *     ... r.text, r.answer ...
 *     response_release(&r);
 */
#ifndef TP_DATA_RESPONSE_H
#define TP_DATA_RESPONSE_H

#include <stdbool.h>

#include "data/json.h"

struct response {
    char *text;            /* owned: everything generated, thinking included */
    const char *answer;    /* in text: what follows the thinking; "" if the thinking never ends */
    const json_t *message; /* borrowed: the assistant message, or NULL if there was only text */
    bool think_opened;     /* by the prompt: the text begins inside the thinking */
    bool truncated;        /* finish_reason is "length" */
};

/* Fails where there is no answer, or one of the fields named above, or finish_reason, is of another type. */
int response_read(const json_t *record, struct response *out, struct err *err) WARN_UNUSED;
void response_release(struct response *r);
/* As an assistant message with its reasoning apart.  New reference. */
json_t *response_message(const struct response *r);

/* Fails where `prompt` is neither text nor messages. */
int response_check_prompt(const json_t *record, struct err *err) WARN_UNUSED;
/* The prompt as messages (without the answer) or as a string; NULL if there are token ids at most.
 * New reference. */
json_t *response_prompt(const json_t *record);
/* Equal for records that ask the same thing: roles and contents of the messages, else the prompt
 * text, else its token ids.  false if the record has none of them. */
bool response_prompt_key(const json_t *record, struct strbuf *out);
/* Adds a message's content, a string or a list of text parts. */
void response_add_content(struct strbuf *out, const json_t *content);

#endif
