/* test_tokenizer_public.c - four real tokenizers against the ids that the Hugging Face library
 * gives for 243 texts each. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "data/stream.h"
#include "data/tokenizer.h"
#include "check.h"

struct vectors {
    const struct tokenizer *t;
    int n, cap, n_round_trips;
    json_t **rows;
    bool bad[1024];
};

static bool encodes_alike(const struct tokenizer *t, const json_t *row)
{
    const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
    struct token_list out = {0};
    struct err err = {0};
    int rc = tokenizer_encode(t, json_string_value(text), json_string_length(text),
                              TOKENIZE_SPECIAL, &out, &err);
    bool same = rc == 0 && (size_t)out.n == json_array_size(ids);
    for (int64_t i = 0; same && i < out.n; i++)
        same = out.ids[i] == json_integer_value(json_array_get(ids, (size_t)i));
    token_list_release(&out);
    return same;
}

static void check_row(void *arg, int64_t i, int thread)
{
    struct vectors *v = arg;
    (void)thread;
    v->bad[i] = !encodes_alike(v->t, v->rows[i]);
}

static bool round_trips(const struct tokenizer *t, const json_t *row)
{
    const json_t *text = json_object_get(row, "text");
    struct err err = {0};
    int32_t *ids;
    int64_t n = json_get_i32s(row, "ids", true, &ids, &err);
    struct strbuf back = {0};
    bool same = n >= 0 && tokenizer_decode(t, ids, n, false, &back, &err) == 0 &&
                back.len == json_string_length(text) &&
                memcmp(back.buf, json_string_value(text), back.len) == 0;
    strbuf_release(&back);
    free(ids);
    return same;
}

static void test_vectors(const char *data, const char *name, int want_round_trips)
{
    struct err err = {0};
    struct vectors v = {0};
    char *dir = path_join(data, name);
    char *rows = xasprintf("%s/vectors/%s.jsonl", data, name);
    struct tokenizer *t = tokenizer_load(dir, &err);
    struct stream *s = stream_open(rows, &err);
    struct strbuf line = {0};
    CHECK_MSG(t && s, "%s", err.text);
    while (t && s && stream_line(s, &line, 0, NULL, &err) == 1) {
        GROW(v.rows, v.n, v.cap);
        v.rows[v.n++] = json_parse(line.buf, line.len, &err);
    }
    v.t = t;
    pool_for(v.n, check_row, &v); /* from several threads at once */
    for (int i = 0; i < v.n; i++) {
        CHECK_MSG(!v.bad[i], "%s row %d", name, i + 1);
        v.n_round_trips += round_trips(t, v.rows[i]);
        json_decref(v.rows[i]);
    }
    CHECK(v.n == 243);
    CHECK_MSG(v.n_round_trips == want_round_trips, "%s: %d round trips", name, v.n_round_trips);
    free(v.rows);
    strbuf_release(&line);
    stream_close(s);
    tokenizer_free(t);
    free(dir);
    free(rows);
}

/* Texts that come back whole: all, or all but five where the tokenizer normalises to NFC. */
int main(void)
{
    char *data = check_need_data("tokenizers");

    mem_init();
    pool_init(4);
    test_vectors(data, "gpt2", 243);
    test_vectors(data, "dolma2", 243);
    test_vectors(data, "gpt-neox-olmo", 238);
    test_vectors(data, "qwen3", 238);
    free(data);
    pool_release();
    return check_done();
}
