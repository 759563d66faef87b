/* shard_info.c - what is in a token shard. */
#include "data/shard_info.h"

#include <stdio.h>

#include "base/err.h"
#include "data/shard_field.h"

void shard_info_init(struct shard_info *s)
{
    *s = (struct shard_info){.max_token = -1, .fields = json_array(), .domains = json_object()};
    s->digest = XXH64_createState();
    if (!s->digest)
        BUG("no memory for a hash state");
    XXH64_reset(s->digest, 0);
}

void shard_info_release(struct shard_info *s)
{
    json_decref(s->fields);
    json_decref(s->domains);
    XXH64_freeState(s->digest);
    *s = (struct shard_info){0};
}

static void add_to_member(json_t *obj, const char *key, int64_t n)
{
    json_object_set_new(obj, key, json_integer(json_integer_value(json_object_get(obj, key)) + n));
}

static void add_to_domain(struct shard_info *s, const struct shard_seq *seq)
{
    if (!seq->domain || !*seq->domain) {
        s->no_domain_seqs++;
        s->no_domain_tokens += seq->n_tokens;
        return;
    }
    json_t *entry = json_object_get(s->domains, seq->domain);
    if (!entry) {
        entry = json_object();
        json_object_set_new(s->domains, seq->domain, entry);
    }
    add_to_member(entry, "n_seqs", 1);
    add_to_member(entry, "n_tokens", seq->n_tokens);
}

static void add_to_digest(struct shard_info *s, const struct shard_seq *seq)
{
    XXH64_update(s->digest, &seq->n_tokens, sizeof seq->n_tokens);
    XXH64_update(s->digest, seq->tokens, (size_t)seq->n_tokens * sizeof *seq->tokens);
    for (int f = 0; f < n_shard_fields; f++) {
        const void *array = shard_seq_field(seq, f);
        size_t n = shard_fields[f].per_seq ? 1 : (size_t)seq->n_tokens;
        if (array)
            XXH64_update(s->digest, array, n * st_dtype_bytes(shard_fields[f].dtype));
    }
}

static void add_seq(struct shard_info *s, const struct shard_seq *seq)
{
    int64_t n = seq->n_tokens;
    s->min_length = s->n_seqs == 0 || n < s->min_length ? n : s->min_length;
    s->max_length = n > s->max_length ? n : s->max_length;
    s->n_seqs++;
    s->n_tokens += n;
    for (int64_t i = 0; i < n; i++)
        s->max_token = seq->tokens[i] > s->max_token ? seq->tokens[i] : s->max_token;
    for (int64_t i = 0; seq->loss_mask && i < n; i++)
        s->n_trained += seq->loss_mask[i] != 0;
    add_to_domain(s, seq);
    add_to_digest(s, seq);
}

void shard_info_add(struct shard_info *s, const struct shard_batch *b)
{
    for (int64_t i = 0; i < b->n_seqs; i++) {
        struct shard_seq seq = shard_batch_seq(b, i);
        add_seq(s, &seq);
    }
    s->n_blobs++;
    s->has_mask |= b->loss_mask != NULL;
    shard_batch_add_fields(b, s->fields);
}

/* Each domain with its share; "" is what has none, if others have one. */
static json_t *domains_json(const struct shard_info *s)
{
    json_t *all = json_object(), *entry;
    const char *name;
    json_object_foreach(s->domains, name, entry) json_object_set_new(all, name, json_copy(entry));
    if (json_object_size(all) > 0 && s->no_domain_seqs > 0)
        json_object_set_new(all, "", json_pack("{sI sI}", "n_seqs", (json_int_t)s->no_domain_seqs,
                                               "n_tokens", (json_int_t)s->no_domain_tokens));
    json_object_foreach(all, name, entry)
    {
        double n = (double)json_integer_value(json_object_get(entry, "n_tokens"));
        json_object_set_new(entry, "share", json_number(s->n_tokens ? n / (double)s->n_tokens : 0));
    }
    return all;
}

json_t *shard_info_json(const struct shard_info *s)
{
    char digest[20];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)XXH64_digest(s->digest));
    json_t *obj = json_pack("{ss ss sI sI sI sO sI sI}", "kind", "tokens", "dtype", "i32", "n_blobs",
                            (json_int_t)s->n_blobs, "n_seqs", (json_int_t)s->n_seqs, "n_tokens",
                            (json_int_t)s->n_tokens, "fields", s->fields, "min_length",
                            (json_int_t)s->min_length, "max_length", (json_int_t)s->max_length);
    double mean = s->n_seqs ? (double)s->n_tokens / (double)s->n_seqs : 0;
    json_object_set_new(obj, "mean_length", json_number(mean));
    json_object_set_new(obj, "max_token", s->max_token < 0 ? json_null() : json_integer(s->max_token));
    if (s->has_mask)
        json_object_set_new(obj, "n_trained", json_integer((json_int_t)s->n_trained));
    if (json_object_size(s->domains) > 0)
        json_object_set_new(obj, "domains", domains_json(s));
    json_object_set_new(obj, "xxh64", json_string(digest));
    return obj;
}
