/* tokenizer_config.c - what stands beside tokenizer.json: special ids, chat template, stop ids. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/jinja.h"
#include "data/tokenizer_internal.h"

/* NULL without err set: there is no such file. */
static json_t *load_beside(const char *dir, const char *name, struct err *err)
{
    char *path = path_join(dir, name);
    json_t *doc = NULL;
    if (file_exists(path)) {
        doc = json_load_path(path, err);
        if (doc && !json_is_object(doc)) {
            err_set(err, "%s: %s, expected an object", path, json_type_name(doc));
            json_decref(doc);
            doc = NULL;
        }
    }
    free(path);
    return doc;
}

/* "<|x|>" or {"content": "<|x|>"} */
static int32_t named_token(const struct tokenizer *t, const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    return json_is_string(value) ? tokenizer_token_id(t, json_string_value(value)) : -1;
}

/* What a chat template may name: bos_token and so on. */
static void read_special_tokens(struct tokenizer *t, const json_t *config)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    t->special_tokens = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_t *value = json_object_get(config, names[i]);
        if (json_is_object(value))
            value = json_object_get(value, "content");
        if (json_string_length(value) > 0)
            json_object_set(t->special_tokens, names[i], value);
    }
}

static void add_stop_id(struct tokenizer *t, int64_t id)
{
    if (id < 0 || id >= t->model.n_ids)
        return;
    for (int i = 0; i < t->n_stop; i++)
        if (t->stop_ids[i] == id)
            return;
    t->stop_ids = xreallocarray(t->stop_ids, (size_t)t->n_stop + 1, sizeof *t->stop_ids);
    t->stop_ids[t->n_stop++] = (int32_t)id;
}

static int32_t id_or(const struct tokenizer *t, int32_t have, const json_t *doc, const char *key)
{
    const json_t *value = json_object_get(doc, key);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    if (have >= 0 || !json_is_integer(value))
        return have;
    int64_t id = json_integer_value(value);
    return id >= 0 && id < t->model.n_ids ? (int32_t)id : -1;
}

static void read_generation_config(struct tokenizer *t, const json_t *doc)
{
    const json_t *eos = json_object_get(doc, "eos_token_id"), *id;
    size_t i;
    if (json_is_integer(eos))
        add_stop_id(t, json_integer_value(eos));
    json_array_foreach (eos, i, id)
        if (json_is_integer(id))
            add_stop_id(t, json_integer_value(id));
    t->bos = id_or(t, t->bos, doc, "bos_token_id");
    t->eos = id_or(t, t->eos, doc, "eos_token_id");
    t->pad = id_or(t, t->pad, doc, "pad_token_id");
}

/* A string, or a list of {name, template}, of which the default may be called otherwise. */
static const char *template_of(const json_t *config, const char *wanted)
{
    const json_t *value = json_object_get(config, "chat_template"), *item;
    const char *first = NULL;
    size_t i;
    bool is_default = strcmp(wanted, "default") == 0;
    if (json_is_string(value))
        return is_default ? json_string_value(value) : NULL;
    json_array_foreach (value, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *text = json_string_value(json_object_get(item, "template"));
        if (name && text && strcmp(name, wanted) == 0)
            return text;
        first = first ? first : text;
    }
    return is_default ? first : NULL;
}

/* The file wins over the field.  A template that cannot be read is no matter until it is needed. */
static int read_template(const char *dir, const char *file, char **template, struct jinja **compiled,
                         struct err *why, struct err *err)
{
    char *path = path_join(dir, file);
    struct strbuf text = {0};
    int rc = file_exists(path) ? file_read(path, &text, err) : 0;
    if (rc == 0 && text.buf) {
        free(*template);
        *template = strbuf_detach(&text, NULL);
    } else {
        free(path);
        path = path_join(dir, "tokenizer_config.json: chat_template");
    }
    if (*template)
        *compiled = jinja_compile(*template, strlen(*template), path, why);
    strbuf_release(&text);
    free(path);
    return rc;
}

static int read_templates(struct tokenizer *t, const char *dir, struct err *err)
{
    if (read_template(dir, "chat_template.jinja", &t->chat_template, &t->jinja, &t->jinja_err, err) < 0)
        return -1;
    return read_template(dir, TOOL_TEMPLATE, &t->tool_template, &t->tool_jinja,
                         &t->tool_err, err);
}

/* A template may end a turn in an eos that only generation_config.json names. */
static void name_eos(struct tokenizer *t)
{
    struct strbuf text = {0};
    struct err err = {0};
    if (t->eos >= 0 && !json_object_get(t->special_tokens, "eos_token") &&
        tokenizer_decode(t, &t->eos, 1, false, &text, &err) == 0)
        json_object_set_new(t->special_tokens, "eos_token", json_stringn(text.buf, text.len));
    strbuf_release(&text);
}

/* A model may stop at the end of a turn though its generation_config does not say so. */
static void add_end_of_turn(struct tokenizer *t)
{
    static const char *const names[] = {"<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>"};
    for (size_t i = 0; t->chat_template && i < ARRAY_SIZE(names); i++)
        if (strstr(t->chat_template, names[i]))
            add_stop_id(t, tokenizer_token_id(t, names[i]));
}

int tokenizer_load_config(struct tokenizer *t, const char *dir, struct err *err)
{
    json_t *config = load_beside(dir, "tokenizer_config.json", err);
    read_special_tokens(t, config);
    json_t *generation = err->set ? NULL : load_beside(dir, "generation_config.json", err);
    if (config) {
        t->bos = named_token(t, config, "bos_token");
        t->eos = named_token(t, config, "eos_token");
        t->pad = named_token(t, config, "pad_token");
        t->add_bos = json_is_true(json_object_get(config, "add_bos_token"));
        const char *text = template_of(config, "default"), *tool = template_of(config, "tool_use");
        t->chat_template = text ? xstrdup(text) : NULL;
        t->tool_template = tool ? xstrdup(tool) : NULL;
    }
    if (generation)
        read_generation_config(t, generation);
    json_decref(config);
    json_decref(generation);
    if (err->set || read_templates(t, dir, err) < 0)
        return -1;
    name_eos(t);
    add_stop_id(t, t->eos);
    add_end_of_turn(t);
    return 0;
}
