/* example.c - records to token sequences with their side arrays. */
#include "data/example_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void example_release(struct example *e)
{
    free(e->tokens);
    free(e->loss_mask);
    free(e->logprobs);
    free(e->old_logprobs);
    free(e->ref_logprobs);
    free(e->policy_version);
    free(e->id);
    *e = (struct example){0};
}

static void example_init(struct example *e)
{
    *e = (struct example){.temperature = 1, .top_p = 1, .group = -1, .sample = -1};
}

/* The context of a sequence that does not say where it ends: what comes before the first trained
 * token. */
static int64_t leading_zeros(const struct example *e)
{
    int64_t n = 0;
    while (n < e->n_tokens && !e->loss_mask[n])
        n++;
    return n;
}

/* --- token ids ------------------------------------------------------------------------------ */

static int from_tokens(const json_t *obj, struct example *e, struct err *err)
{
    e->n_tokens = json_get_i32s(obj, "tokens", true, &e->tokens, err);
    if (e->n_tokens < 0) {
        e->n_tokens = 0;
        return -1;
    }
    struct example_span s = {.obj = obj, .prefix = "", .ids_key = "tokens", .n = e->n_tokens};
    if (example_read_arrays(&s, e, err) < 0)
        return -1;
    e->n_prompt = leading_zeros(e);
    return 0;
}

/* prompt_token_ids + PREFIXtoken_ids */
static int from_ids(const json_t *obj, const char *prefix, struct example *e, struct err *err)
{
    char key[64];
    int32_t *prompt = NULL, *ids = NULL;
    snprintf(key, sizeof key, "%stoken_ids", prefix);
    int64_t n_prompt = json_get_i32s(obj, "prompt_token_ids", true, &prompt, err);
    int64_t n = n_prompt < 0 ? -1 : json_get_i32s(obj, key, true, &ids, err);
    if (n < 0) {
        free(prompt);
        return -1;
    }
    e->n_prompt = n_prompt;
    e->n_tokens = n_prompt + n;
    e->tokens = xreallocarray(prompt, (size_t)e->n_tokens + 1, sizeof *e->tokens);
    if (n > 0)
        memcpy(e->tokens + n_prompt, ids, (size_t)n * sizeof *ids);
    free(ids);
    struct example_span s = {obj, prefix, key, n_prompt, n};
    return example_read_arrays(&s, e, err);
}

/* --- text ----------------------------------------------------------------------------------- */

static int need_tokenizer(const struct example_reader *r, struct err *err)
{
    return r->tokenizer ? 0
                        : err_set(err, "the record has text but no token ids, and there is no "
                                       "tokenizer to encode it");
}

static int encode_string(const struct example_reader *r, const json_t *text, struct token_list *out,
                         struct err *err)
{
    return tokenizer_encode(r->tokenizer, json_string_value(text), json_string_length(text),
                            TOKENIZE_PLAIN, out, err);
}

static int add_eos(const struct example_reader *r, struct token_list *out, struct err *err)
{
    int32_t eos = tokenizer_eos(r->tokenizer);
    if (r->no_eos)
        return 0;
    if (eos < 0)
        return err_set(err, "the tokenizer has no eos token to end a text with");
    token_list_add(out, eos);
    return 0;
}

/* Moves c's arrays to e; the first n_prompt tokens are not trained on. */
static void take(struct example *e, struct chat_tokens *c, int64_t n_prompt)
{
    e->n_tokens = c->ids.n;
    e->tokens = xreallocarray(c->ids.ids, (size_t)c->ids.n + 1, sizeof *e->tokens);
    e->loss_mask = xrealloc(c->mask, (size_t)c->ids.n + 1);
    memset(e->loss_mask, 0, (size_t)n_prompt);
    e->n_prompt = leading_zeros(e);
    *c = (struct chat_tokens){0};
}

static int from_strings(const struct example_reader *r, const json_t *prompt,
                        const json_t *completion, bool ends, struct example *e, struct err *err)
{
    struct chat_tokens c = {0};
    int64_t n_prompt = 0;
    int rc = prompt ? encode_string(r, prompt, &c.ids, err) : 0;
    if (rc == 0) {
        n_prompt = c.ids.n;
        rc = encode_string(r, completion, &c.ids, err);
    }
    if (rc == 0 && ends)
        rc = add_eos(r, &c.ids, err);
    if (rc == 0) {
        c.mask = xmalloc((size_t)c.ids.n + 1);
        memset(c.mask, 1, (size_t)c.ids.n);
        take(e, &c, n_prompt);
        e->n_prompt = n_prompt;
    }
    chat_tokens_release(&c);
    return rc;
}

/* One after the other; a may be NULL.  New reference. */
static json_t *joined(const json_t *a, const json_t *b)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(a); i++)
        json_array_append(out, json_array_get(a, i));
    for (size_t i = 0; i < json_array_size(b); i++)
        json_array_append(out, json_array_get(b, i));
    return out;
}

/* prompt may be NULL or empty: then every assistant turn is trained on.  obj has the tools. */
static int from_messages(const struct example_reader *r, const json_t *obj, const json_t *prompt,
                         const json_t *completion, struct example *e, struct err *err)
{
    struct chat_tokens c = {0};
    struct chat chat;
    if (!json_is_array(completion))
        return err_set(err, "the messages are %s, expected an array", json_type_name(completion));
    if (chat_read(&chat, obj, err) < 0)
        return -1;
    json_t *all = joined(prompt, completion);
    chat.continue_final = false; /* that is for whoever writes the completion */
    chat.messages = all;
    chat.n_context = json_array_size(prompt);
    int rc = chat_encode(r->tokenizer, r->tpl, &chat, &c, err);
    if (rc == 0)
        take(e, &c, 0);
    json_decref(all);
    chat_release(&chat);
    chat_tokens_release(&c);
    return rc;
}

/* The prompt as the generator of a completion saw it. */
static int prompt_opens_think(const struct example_reader *r, const json_t *obj,
                              const json_t *prompt, bool *opens, struct err *err)
{
    struct strbuf text = {0};
    struct chat chat;
    if (chat_read(&chat, obj, err) < 0)
        return -1;
    chat.messages = prompt;
    chat.add_generation_prompt = true;
    int rc = chat_render(r->tokenizer, r->tpl, &chat, &text, err);
    *opens = rc == 0 && chat_opens_think(text.buf, text.len);
    chat_release(&chat);
    strbuf_release(&text);
    return rc;
}

/* Messages, then what the model wrote as text: becomes an assistant turn. */
static int from_mixed(const struct example_reader *r, const json_t *obj, const json_t *prompt,
                      const json_t *completion, struct example *e, struct err *err)
{
    bool opens;
    if (json_is_true(json_object_get(obj, "continue_final_message")))
        return err_set(err, "with 'continue_final_message' the completion is only the end of a message: "
                            "'prompt_token_ids' and 'token_ids' are needed");
    if (prompt_opens_think(r, obj, prompt, &opens, err) < 0)
        return -1;
    json_t *turn = chat_parse_completion(opens, json_string_value(completion));
    json_t *turns = json_pack("[o]", turn);
    if (!turns)
        return err_set(err, "the completion cannot be made an assistant's message");
    int rc = from_messages(r, obj, prompt, turns, e, err);
    json_decref(turns);
    return rc;
}

static int from_prompt(const struct example_reader *r, const json_t *obj, const json_t *prompt,
                       const json_t *completion, struct example *e, struct err *err)
{
    if (need_tokenizer(r, err) < 0)
        return -1;
    if (json_is_string(prompt) && json_is_string(completion))
        return from_strings(r, prompt, completion, !e->truncated, e, err);
    if (json_is_array(prompt) && json_is_array(completion))
        return from_messages(r, obj, prompt, completion, e, err);
    if (json_is_array(prompt) && json_is_string(completion))
        return from_mixed(r, obj, prompt, completion, e, err);
    return err_set(err,
                   "the prompt is %s and the completion %s, expected two strings or two "
                   "lists of messages",
                   prompt ? json_type_name(prompt) : "missing",
                   completion ? json_type_name(completion) : "missing");
}

static json_t *slice(const json_t *array, size_t begin, size_t end)
{
    json_t *out = json_array();
    for (size_t i = begin; i < end; i++)
        json_array_append(out, json_array_get(array, i));
    return out;
}

/* The conversation to answer: messages without the answer they may end in.  New reference. */
static json_t *question_of(const json_t *messages)
{
    size_t n = json_array_size(messages);
    const char *role =
        n > 1 ? json_string_value(json_object_get(json_array_get(messages, n - 1), "role")) : NULL;
    return slice(messages, 0, role && strcmp(role, "assistant") == 0 ? n - 1 : n);
}

/* In a row with both, the messages are the prompt and `prompt` is there for people. */
static int from_completion(const struct example_reader *r, const json_t *obj, struct example *e,
                           struct err *err)
{
    const json_t *completion = json_object_get(obj, "completion");
    const json_t *messages = json_object_get(obj, "messages");
    if (!json_is_array(messages))
        return from_prompt(r, obj, json_object_get(obj, "prompt"), completion, e, err);
    json_t *question = question_of(messages);
    int rc = from_prompt(r, obj, question, completion, e, err);
    json_decref(question);
    return rc;
}

static int from_text(const struct example_reader *r, const json_t *obj, struct example *e,
                     struct err *err)
{
    const char *text;
    if (json_get_str(obj, "text", &text, err) < 0 || need_tokenizer(r, err) < 0)
        return -1;
    return from_strings(r, NULL, json_object_get(obj, "text"), true, e, err);
}

static int from_any(const struct example_reader *r, const json_t *obj, struct example *e,
                    struct err *err)
{
    if (example_has(obj, "tokens"))
        return from_tokens(obj, e, err);
    if (example_has(obj, "token_ids"))
        return from_ids(obj, "", e, err);
    if (example_has(obj, "completion"))
        return from_completion(r, obj, e, err);
    if (example_has(obj, "messages"))
        return need_tokenizer(r, err) < 0
                   ? -1
                   : from_messages(r, obj, NULL, json_object_get(obj, "messages"), e, err);
    if (example_has(obj, "text"))
        return from_text(r, obj, e, err);
    return err_set(err, "the record has no 'tokens', 'token_ids', 'messages', 'prompt' with "
                        "'completion', or 'text'");
}

/* --- checks that hold for all --------------------------------------------------------------- */

static int check_ids(const struct example_reader *r, const int32_t *ids, int64_t n, struct err *err)
{
    int64_t end = r->vocab_size  ? r->vocab_size
                  : r->tokenizer ? tokenizer_vocab_size(r->tokenizer)
                                 : INT32_MAX;
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= end)
            return err_set(err, "token %lld has id %d, not between 0 and %lld", (long long)i,
                           ids[i], (long long)end - 1);
    return 0;
}

static int check_size(const struct example_reader *r, int64_t *n, struct err *err)
{
    if (r->max_tokens <= 0 || *n <= r->max_tokens)
        return 0;
    if (!r->truncate)
        return err_set(err, "%lld tokens, more than the %lld allowed", (long long)*n,
                       (long long)r->max_tokens);
    *n = r->max_tokens;
    return 0;
}

bool example_trains(const struct example *e)
{
    for (int64_t i = 1; i < e->n_tokens; i++)
        if (e->loss_mask[i])
            return true;
    return false;
}

int example_check(const struct example_reader *r, struct example *e, struct err *err)
{
    int64_t n = e->n_tokens;
    if (check_ids(r, e->tokens, n, err) < 0 || check_size(r, &e->n_tokens, err) < 0)
        return -1;
    e->cut = e->n_tokens < n;
    if (r->max_positions > 0 && e->n_tokens > r->max_positions + 1)
        return err_set(err, "the sequence has %lld tokens, the model's context is %lld",
                       (long long)e->n_tokens, (long long)r->max_positions);
    if (e->n_prompt > e->n_tokens)
        e->n_prompt = e->n_tokens;
    return 0;
}

int example_parse(const struct example_reader *r, const json_t *obj, struct example *out,
                  struct err *err)
{
    example_init(out);
    if (example_read_properties(obj, "", out, err) == 0 && from_any(r, obj, out, err) == 0 &&
        example_check(r, out, err) == 0)
        return 0;
    example_release(out);
    return -1;
}

/* --- pairs ---------------------------------------------------------------------------------- */

bool example_is_pair(const json_t *obj)
{
    return (example_has(obj, "chosen") && example_has(obj, "rejected")) ||
           (example_has(obj, "chosen_token_ids") && example_has(obj, "rejected_token_ids"));
}

static bool starts_with(const json_t *messages, const json_t *prompt)
{
    size_t n = json_array_size(prompt);
    if (json_array_size(messages) <= n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!json_equal(json_array_get(messages, i), json_array_get(prompt, i)))
            return false;
    return true;
}

/* How many messages two conversations share, leaving each at least one of its own. */
static size_t common_prefix(const json_t *a, const json_t *b)
{
    size_t n = 0;
    while (n + 1 < json_array_size(a) && n + 1 < json_array_size(b) &&
           json_equal(json_array_get(a, n), json_array_get(b, n)))
        n++;
    return n;
}

/* The prompt of a pair and how many leading messages of each answer repeat it.  New reference. */
static json_t *pair_prompt(const json_t *obj, size_t *n_repeated, struct err *err)
{
    const json_t *chosen = json_object_get(obj, "chosen");
    const json_t *rejected = json_object_get(obj, "rejected");
    json_t *prompt = json_object_get(obj, "prompt");
    *n_repeated = 0;
    if (!json_is_array(chosen) || !json_is_array(rejected)) {
        if (!prompt)
            err_set(err, "'prompt' is missing");
        return json_incref(prompt);
    }
    if (json_is_array(prompt)) {
        if (starts_with(chosen, prompt) && starts_with(rejected, prompt))
            *n_repeated = json_array_size(prompt);
        return json_incref(prompt);
    }
    *n_repeated = common_prefix(chosen, rejected);
    if (*n_repeated > 0)
        return slice(chosen, 0, *n_repeated);
    if (json_is_string(prompt)) /* a question, as in rows whose answers have no user's turn */
        return json_pack("[{ss sO}]", "role", "user", "content", prompt);
    err_set(err, "'chosen' and 'rejected' begin with different messages and there is no 'prompt'");
    return NULL;
}

static int parse_side(const struct example_reader *r, const json_t *obj, const json_t *prompt,
                      size_t n_repeated, const char *name, struct example *e, struct err *err)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s_", name);
    if (example_read_properties(obj, prefix, e, err) < 0)
        return -1;
    if (!prompt)
        return from_ids(obj, prefix, e, err) < 0 ? -1 : example_check(r, e, err);
    json_t *answer = json_incref(json_object_get(obj, name));
    if (json_is_array(answer)) {
        json_t *own = slice(answer, n_repeated, json_array_size(answer));
        json_decref(answer);
        answer = own;
    }
    int rc = from_prompt(r, obj, prompt, answer, e, err);
    json_decref(answer);
    return rc < 0 ? -1 : example_check(r, e, err);
}

int example_parse_pair(const struct example_reader *r, const json_t *obj, struct example *chosen,
                       struct example *rejected, struct err *err)
{
    json_t *prompt = NULL;
    size_t n_repeated = 0;
    bool ids = example_has(obj, "chosen_token_ids") && example_has(obj, "rejected_token_ids");
    int rc = -1;

    example_init(chosen);
    example_init(rejected);
    if (!example_is_pair(obj))
        err_set(err, "the record has no 'chosen' and 'rejected'");
    else if (ids || (prompt = pair_prompt(obj, &n_repeated, err))) {
        if (parse_side(r, obj, prompt, n_repeated, "chosen", chosen, err) < 0)
            err_prefix(err, "chosen");
        else if (parse_side(r, obj, prompt, n_repeated, "rejected", rejected, err) < 0)
            err_prefix(err, "rejected");
        else
            rc = 0;
    }
    json_decref(prompt);
    if (rc < 0) {
        example_release(chosen);
        example_release(rejected);
    }
    return rc;
}

/* --- prompts -------------------------------------------------------------------------------- */

static int prompt_from_messages(const struct example_reader *r, const json_t *obj,
                                const json_t *messages, struct token_list *out, struct err *err)
{
    struct chat_tokens c = {0};
    struct chat chat;
    if (chat_read(&chat, obj, err) < 0)
        return -1;
    json_t *question = chat.continue_final ? slice(messages, 0, json_array_size(messages)) : question_of(messages);
    chat.messages = question;
    chat.add_generation_prompt = !chat.continue_final;
    int rc = chat_encode(r->tokenizer, r->tpl, &chat, &c, err);
    for (int64_t i = 0; rc == 0 && i < c.ids.n; i++)
        token_list_add(out, c.ids.ids[i]);
    json_decref(question);
    chat_release(&chat);
    chat_tokens_release(&c);
    return rc;
}

static int prompt_from_ids(const json_t *obj, struct token_list *out, struct err *err)
{
    int32_t *ids;
    int64_t n = json_get_i32s(obj, "prompt_token_ids", true, &ids, err);
    for (int64_t i = 0; i < n; i++)
        token_list_add(out, ids[i]);
    free(ids);
    return n < 0 ? -1 : 0;
}

static int prompt_from_any(const struct example_reader *r, const json_t *obj,
                           struct token_list *out, struct err *err)
{
    const char *key = example_has(obj, "messages") ? "messages" : "prompt";
    const json_t *prompt = json_object_get(obj, key);
    if (example_has(obj, "prompt_token_ids"))
        return prompt_from_ids(obj, out, err);
    if (!example_has(obj, key))
        return err_set(err, "the record has no 'prompt_token_ids', 'messages' or 'prompt'");
    if (need_tokenizer(r, err) < 0)
        return -1;
    if (json_is_array(prompt))
        return prompt_from_messages(r, obj, prompt, out, err);
    if (example_has(obj, "messages"))
        return err_set(err, "'messages' is %s, expected an array", json_type_name(prompt));
    if (json_is_string(prompt))
        return encode_string(r, prompt, out, err);
    return err_set(err, "'prompt' is %s, expected a string or messages", json_type_name(prompt));
}

int example_parse_prompt(const struct example_reader *r, const json_t *obj, struct token_list *out,
                         struct err *err)
{
    struct token_list new = {0};
    int rc = prompt_from_any(r, obj, &new, err);
    if (rc == 0)
        rc = check_ids(r, new.ids, new.n, err);
    if (rc == 0)
        rc = check_size(r, &new.n, err);
    for (int64_t i = 0; rc == 0 && i < new.n; i++)
        token_list_add(out, new.ids[i]);
    token_list_release(&new);
    return rc;
}
