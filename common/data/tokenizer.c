/* tokenizer.c - loading tokenizer.json, and what is asked of a loaded one. */
#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/jinja.h"
#include "data/stream.h"
#include "data/tokenizer_internal.h"

void token_list_add(struct token_list *t, int32_t id)
{
    GROW(t->ids, t->n, t->cap);
    t->ids[t->n++] = id;
}

void token_list_release(struct token_list *t)
{
    free(t->ids);
    *t = (struct token_list){0};
}

/* --- from JSON ------------------------------------------------------------------------------ */

static int read_normalizer(struct tokenizer *t, const json_t *spec, struct err *err)
{
    const json_t *item;
    const char *type;
    size_t i;
    if (!spec || json_is_null(spec))
        return 0;
    if (json_get_str(spec, "type", &type, err) < 0)
        return err_prefix(err, "normalizer");
    if (strcmp(type, "NFC") == 0) {
        t->nfc = true;
        return 0;
    }
    if (strcmp(type, "Sequence") != 0)
        return err_set(err, "normalizer '%s' is not supported, only NFC", type);
    json_array_foreach (json_object_get(spec, "normalizers"), i, item)
        if (read_normalizer(t, item, err) < 0)
            return -1;
    return 0;
}

static int check_decoder(const json_t *spec, struct err *err)
{
    const json_t *item;
    const char *type;
    size_t i;
    if (!spec || json_is_null(spec))
        return 0;
    if (json_get_str(spec, "type", &type, err) < 0)
        return err_prefix(err, "decoder");
    if (strcmp(type, "Sequence") != 0)
        return strcmp(type, "ByteLevel") == 0
                   ? 0
                   : err_set(err, "decoder '%s' is not supported, only ByteLevel", type);
    json_array_foreach (json_object_get(spec, "decoders"), i, item)
        if (check_decoder(item, err) < 0)
            return -1;
    return 0;
}

static int read_added_token(struct tokenizer *t, const json_t *spec, struct err *err)
{
    struct added_token *a = &t->added[t->n_added];
    const char *content;
    int64_t id;
    *a = (struct added_token){0};
    if (json_get_int(spec, "id", &id, err) < 0 || json_get_str(spec, "content", &content, err) < 0)
        return -1;
    if (strlen(content) != json_string_length(json_object_get(spec, "content")))
        return err_set(err, "a NUL byte in 'content' is not supported");
    a->special = false;
    a->normalized = true;
    if (json_opt_bool(spec, "single_word", &a->single_word, err) < 0 ||
        json_opt_bool(spec, "lstrip", &a->lstrip, err) < 0 ||
        json_opt_bool(spec, "rstrip", &a->rstrip, err) < 0 ||
        json_opt_bool(spec, "normalized", &a->normalized, err) < 0 ||
        json_opt_bool(spec, "special", &a->special, err) < 0)
        return -1;
    a->id = (int32_t)id;
    size_t n;
    a->content = xstrdup(content);
    if (!a->normalized || !t->nfc || !tokenizer_nfc(content, strlen(content), &a->match, &n))
        a->match = xstrdup(content);
    bpe_model_set_piece(&t->model, a->id, a->special ? PIECE_SPECIAL : PIECE_ADDED, content,
                        strlen(content));
    t->n_added++;
    return 0;
}

static int read_added_tokens(struct tokenizer *t, const json_t *list, struct err *err)
{
    const json_t *spec;
    size_t i;
    t->added = xcalloc(json_array_size(list) + 1, sizeof *t->added);
    json_array_foreach (list, i, spec)
        if (read_added_token(t, spec, err) < 0)
            return err_prefix(err, "added_tokens[%zu]", i);
    return 0;
}

static bool in_raw_text(const struct added_token *a)
{
    return !a->normalized;
}

static bool in_normal_text(const struct added_token *a)
{
    return a->normalized;
}

/* Runs of spaces are text, not markers: a model that has tokens for them expects them, and nobody
 * can forge anything with them. */
static bool is_blank(const struct added_token *a)
{
    return strspn(a->match, " \t\r\n") == strlen(a->match);
}

static bool in_raw_plain_text(const struct added_token *a)
{
    return in_raw_text(a) && is_blank(a);
}

static bool in_normal_plain_text(const struct added_token *a)
{
    return in_normal_text(a) && is_blank(a);
}

static int read_document(struct tokenizer *t, const json_t *doc, struct err *err)
{
    const json_t *added = json_object_get(doc, "added_tokens");
    if (!json_is_object(doc))
        return err_set(err, "%s, expected an object", doc ? json_type_name(doc) : "nothing");
    /* The model first: of several unsupported parts, its name says most. */
    if (bpe_model_from_json(&t->model, json_object_get(doc, "model"), added, err) < 0 ||
        read_normalizer(t, json_object_get(doc, "normalizer"), err) < 0 ||
        pretok_from_json(&t->pretok, json_object_get(doc, "pre_tokenizer"), err) < 0 ||
        check_decoder(json_object_get(doc, "decoder"), err) < 0 ||
        read_added_tokens(t, added, err) < 0)
        return -1;
    if (!t->pretok.byte_level)
        return err_set(err, "no pre_tokenizer is 'ByteLevel': only byte-level tokenizers are "
                            "supported");
    added_set_build(&t->sets[1][0], t->added, t->n_added, in_raw_text);
    added_set_build(&t->sets[1][1], t->added, t->n_added, in_normal_text);
    added_set_build(&t->sets[0][0], t->added, t->n_added, in_raw_plain_text);
    added_set_build(&t->sets[0][1], t->added, t->n_added, in_normal_plain_text);
    return 0;
}

static struct tokenizer *from_json(const json_t *doc, const char *name, struct err *err)
{
    struct tokenizer *t = xcalloc(1, sizeof *t);
    t->bos = t->eos = t->pad = -1;
    if (read_document(t, doc, err) < 0) {
        err_prefix(err, "%s", name);
        tokenizer_free(t);
        return NULL;
    }
    return t;
}

struct tokenizer *tokenizer_from_json(const json_t *doc, const char *name, struct err *err)
{
    struct tokenizer *t = from_json(doc, name, err);
    struct strbuf text = {0};
    if (!t)
        return NULL;
    json_write(&text, doc);
    bytes_digest(text.buf, text.len, t->digest);
    strbuf_release(&text);
    return t;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n_added; i++) {
        free(t->added[i].content);
        free(t->added[i].match);
    }
    for (int i = 0; i < 4; i++)
        added_set_release(&t->sets[i / 2][i % 2]);
    free(t->added);
    free(t->stop_ids);
    free(t->chat_template);
    free(t->tool_template);
    jinja_free(t->jinja);
    jinja_free(t->tool_jinja);
    json_decref(t->special_tokens);
    pretok_release(&t->pretok);
    bpe_model_release(&t->model);
    free(t);
}

/* --- from files ----------------------------------------------------------------------------- */

static int read_stream(const char *path, struct strbuf *out, struct err *err)
{
    struct stream *s = stream_open(path, err);
    int rc = s ? stream_read_all(s, out, err) : -1;
    stream_close(s);
    return rc;
}

/* Owned; NULL if the folder has none. */
static char *find_in_dir(const char *dir)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.json.zst"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *file = path_join(dir, names[i]);
        if (file_exists(file))
            return file;
        free(file);
    }
    return NULL;
}

bool tokenizer_exists(const char *dir)
{
    char *file = find_in_dir(dir);
    bool found = file != NULL;
    free(file);
    return found;
}

/* Owned; the tokenizer.json (or .zst) that path means. */
static char *find_file(const char *path, struct err *err)
{
    if (file_exists(path))
        return xstrdup(path);
    if (!dir_exists(path)) {
        err_set(err, "cannot open '%s': no such file or folder", path);
        return NULL;
    }
    char *file = find_in_dir(path), *other = path_join(path, "tokenizer.model");
    if (!file)
        err_set(err, "'%s' has no tokenizer.json%s", path,
                file_exists(other) ? ", only a tokenizer.model: sentencepiece is not supported" : "");
    free(other);
    return file;
}

static struct tokenizer *load_file(const char *path, json_t **doc, struct err *err)
{
    struct strbuf text = {0};
    struct tokenizer *t = NULL;
    if (read_stream(path, &text, err) == 0) {
        *doc = json_parse(text.buf, text.len, err);
        if (!*doc)
            err_prefix(err, "%s", path);
        else if ((t = from_json(*doc, path, err)))
            bytes_digest(text.buf, text.len, t->digest);
    }
    strbuf_release(&text);
    return t;
}

struct tokenizer *tokenizer_load_doc(const char *path, json_t **doc, struct err *err)
{
    char *file = find_file(path, err);
    if (!file)
        return NULL;
    char *dir = path_dirname(file);
    struct tokenizer *t = load_file(file, doc, err);
    if (t && tokenizer_load_config(t, dir, err) < 0) {
        tokenizer_free(t);
        t = NULL;
    }
    free(dir);
    free(file);
    return t;
}

struct tokenizer *tokenizer_load(const char *path, struct err *err)
{
    json_t *doc = NULL;
    struct tokenizer *t = tokenizer_load_doc(path, &doc, err);
    json_decref(doc);
    return t;
}

static int copy_file(const char *src, const char *dir, const char *name, struct err *err)
{
    struct strbuf bytes = {0};
    char *to = path_join(dir, name);
    int rc = read_stream(src, &bytes, err);
    if (rc == 0)
        rc = file_write_atomic(to, bytes.buf, bytes.len, err);
    strbuf_release(&bytes);
    free(to);
    return rc;
}

int tokenizer_copy_files(const char *src, const char *dir, struct err *err)
{
    static const char *const beside[] = {"tokenizer_config.json", "chat_template.jinja",
                                         "generation_config.json"};
    char *file = find_file(src, err);
    if (!file)
        return -1;
    char *from = path_dirname(file);
    int rc = copy_file(file, dir, "tokenizer.json", err); /* decompressed: others read it too */
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(beside); i++) {
        char *path = path_join(from, beside[i]);
        if (file_exists(path))
            rc = copy_file(path, dir, beside[i], err);
        free(path);
    }
    char *tools = path_join(from, TOOL_TEMPLATE), *folder = path_join(dir, "additional_chat_templates");
    if (rc == 0 && file_exists(tools) && (rc = dir_make(folder, err)) == 0)
        rc = copy_file(tools, dir, TOOL_TEMPLATE, err);
    free(tools);
    free(folder);
    free(from);
    free(file);
    return rc;
}

/* --- questions ------------------------------------------------------------------------------ */

int32_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->model.n_ids;
}

int32_t tokenizer_token_id(const struct tokenizer *t, const char *content)
{
    struct strbuf bytes = {0};
    int32_t id = -1;
    for (int i = 0; i < t->n_added; i++)
        if (strcmp(t->added[i].content, content) == 0)
            return t->added[i].id;
    if (content[0] && byte_level_read(&bytes, content, strlen(content)))
        id = bpe_model_find(&t->model, bytes.buf, bytes.len);
    strbuf_release(&bytes);
    return id;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->model.n_ids && t->model.pieces[id].kind == PIECE_SPECIAL;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_pad(const struct tokenizer *t)
{
    return t->pad;
}

int tokenizer_stop_ids(const struct tokenizer *t, const int32_t **ids)
{
    *ids = t->stop_ids;
    return t->n_stop;
}

const char *tokenizer_chat_template(const struct tokenizer *t)
{
    return t->chat_template;
}

bool tokenizer_has_tool_template(const struct tokenizer *t)
{
    return t->tool_template != NULL;
}

const struct jinja *tokenizer_jinja(const struct tokenizer *t, bool tools, struct err *err)
{
    if (tools && t->tool_template) {
        if (!t->tool_jinja)
            err_set(err, "%s", t->tool_err.text);
        return t->tool_jinja;
    }
    if (!t->chat_template)
        err_set(err, "the tokenizer has no chat template");
    else if (!t->jinja)
        err_set(err, "%s", t->jinja_err.text);
    return t->jinja;
}

const json_t *tokenizer_special_tokens(const struct tokenizer *t)
{
    return t->special_tokens;
}

const char *tokenizer_digest(const struct tokenizer *t)
{
    return t->digest;
}
