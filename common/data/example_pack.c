/* example_pack.c - records to a token shard: read a batch, encode it on all threads, write it. */
#include "data/example_pack.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/shard_record.h"

#define BATCH 1024

struct item {
    struct record rec;
    struct example example;
    struct err err;
    int rc;
};

struct pack {
    const struct example_reader *reader;
    struct jsonl_reader *in;
    struct shard_writer *out;
    struct item *items; /* [BATCH] */
    int n_items;
};

static int read_batch(struct pack *p, struct err *err)
{
    for (p->n_items = 0; p->n_items < BATCH; p->n_items++) {
        struct item *item = &p->items[p->n_items];
        *item = (struct item){0};
        int rc = jsonl_reader_next(p->in, &item->rec, err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static void encode_item(void *arg, int64_t i, int thread)
{
    struct item *item = &((struct pack *)arg)->items[i];
    (void)thread;
    item->rc = example_parse(((struct pack *)arg)->reader, item->rec.obj, &item->example, &item->err);
}

static int reject_item(struct item *item, struct err *err)
{
    struct strbuf raw = {0};
    json_write(&raw, item->rec.obj);
    int rc = jsonl_bad_record(item->rec.file, item->rec.line, raw.buf, raw.len, &item->err);
    if (rc < 0)
        *err = item->err;
    strbuf_release(&raw);
    return rc;
}

static int write_item(struct pack *p, struct item *item, struct err *err)
{
    const struct example *e = &item->example;
    struct shard_seq seq = {.id = e->id,
                            .domain = shard_record_domain(item->rec.obj),
                            .n_tokens = e->n_tokens,
                            .tokens = e->tokens,
                            .loss_mask = e->loss_mask};
    if (item->rc < 0)
        return reject_item(item, err);
    int rc = shard_writer_add(p->out, &seq, &item->err);
    if (rc == 0) {
        tool_counts.out++;
        return 0;
    }
    if (rc != SHARD_WRITE_FAILED)
        return reject_item(item, err);
    *err = item->err;
    return -1;
}

static int write_batch(struct pack *p, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < p->n_items; i++) {
        struct item *item = &p->items[i];
        if (rc == 0)
            rc = write_item(p, item, err);
        example_release(&item->example);
        json_decref(item->rec.obj);
    }
    return rc;
}

int example_pack(const struct example_reader *r, const char **files, int n_files,
                 struct shard_writer *w, struct err *err)
{
    struct pack p = {.reader = r, .out = w, .in = jsonl_reader_open(files, n_files, err)};
    if (!p.in)
        return -1;
    p.items = xcalloc(BATCH, sizeof *p.items);
    int more = 1;
    while (more > 0) {
        /* A line that cannot be read ends the run, but what came before it is reported first. */
        more = read_batch(&p, err);
        pool_for(p.n_items, encode_item, &p);
        struct err earlier = {0};
        if (write_batch(&p, &earlier) < 0) {
            *err = earlier;
            more = -1;
        }
    }
    free(p.items);
    jsonl_reader_close(p.in);
    return more;
}
