/* prompts.c - the records a generator works through. */
#include "gen/prompts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

struct prompt_source {
    struct jsonl_reader *reader; /* NULL once everything is in memory */
    bool in_memory;
    struct prompt_options o;
    int64_t n, cap, usable;
    struct record *records; /* obj NULL = found to be bad */
    int64_t pass, at, last; /* place in the pass; index of the last record given */
    int64_t *order;
};

struct prompt_source *prompt_source_open(const char **files, int n_files,
                                         const struct prompt_options *o, struct err *err)
{
    struct prompt_source *s = xcalloc(1, sizeof *s);
    s->o = *o;
    s->in_memory = o->repeat != 1 || o->shuffle;
    s->reader = jsonl_reader_open(files, n_files, err);
    if (!s->reader) {
        free(s);
        return NULL;
    }
    return s;
}

void prompt_source_close(struct prompt_source *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n; i++)
        json_decref(s->records[i].obj);
    jsonl_reader_close(s->reader);
    free(s->records);
    free(s->order);
    free(s);
}

static void start_pass(struct prompt_source *s)
{
    s->at = 0;
    if (s->o.shuffle) {
        struct rng rng;
        rng_init(&rng, s->o.seed, "rollout-gen/shuffle", (uint64_t)s->pass, 0);
        rng_permutation(&rng, s->order, s->n);
        return;
    }
    for (int64_t i = 0; i < s->n; i++)
        s->order[i] = i;
}

static int load_all(struct prompt_source *s, struct err *err)
{
    struct record rec;
    int rc;
    while ((rc = jsonl_reader_next(s->reader, &rec, err)) > 0) {
        GROW(s->records, s->n, s->cap);
        s->records[s->n++] = rec;
    }
    jsonl_reader_close(s->reader);
    s->reader = NULL;
    s->usable = s->n;
    s->order = xreallocarray(NULL, (size_t)s->n + 1, sizeof *s->order);
    start_pass(s);
    return rc;
}

static int next_in_memory(struct prompt_source *s, struct record *rec)
{
    while (s->usable > 0) {
        if (s->at >= s->n) {
            if (s->o.repeat > 0 && s->pass + 1 >= s->o.repeat)
                return 0;
            s->pass++;
            start_pass(s);
        }
        s->last = s->order[s->at++];
        *rec = s->records[s->last];
        if (json_incref(rec->obj))
            return 1;
    }
    return 0;
}

int prompt_source_next(struct prompt_source *s, struct record *rec, struct err *err)
{
    if (!s->in_memory)
        return jsonl_reader_next(s->reader, rec, err);
    if (s->reader && load_all(s, err) < 0)
        return -1;
    return next_in_memory(s, rec);
}

/* A bad record is reported in the first pass and left out of the others. */
int prompt_source_reject(struct prompt_source *s, const struct record *rec, struct err *why)
{
    if (!s->in_memory)
        return jsonl_reader_reject(s->reader, rec, why);
    struct strbuf raw = {0};
    json_write(&raw, rec->obj);
    int rc = jsonl_bad_record(rec->file, rec->line, raw.buf, raw.len, why);
    strbuf_release(&raw);
    json_decref(s->records[s->last].obj);
    s->records[s->last].obj = NULL;
    s->usable--;
    return rc;
}

bool prompt_source_ready(const struct prompt_source *s)
{
    return s->in_memory || jsonl_reader_ready(s->reader);
}
