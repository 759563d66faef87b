/* dedup_report.c - which records were dropped, and for which. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/dedup_internal.h"
#include "data/stream.h"
#include "data/utf8.h"

/* An id is its length and its bytes in `ids`. */
struct dropped {
    int64_t kept, order; /* number of the kept one; in the order they were dropped */
    size_t id;           /* where its id begins */
    float similarity;
    bool exact;
};

void dedup_report_init(struct dedup_report *r, const struct dedup_options *o)
{
    *r = (struct dedup_report){.path = o->report};
    bigarray_init(&r->ids, o->index);
    bigarray_init(&r->kept, o->index);
    bigarray_init(&r->dropped, o->index);
}

static int add_id(struct dedup_report *r, const char *id, size_t n, size_t *at, struct err *err)
{
    uint32_t bytes = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    *at = r->ids_bytes;
    if (bigarray_reserve(&r->ids, *at + sizeof bytes + bytes, err) < 0)
        return -1;
    memcpy(r->ids.bytes + *at, &bytes, sizeof bytes);
    memcpy(r->ids.bytes + *at + sizeof bytes, id, bytes);
    r->ids_bytes += sizeof bytes + bytes;
    return 0;
}

int dedup_report_kept(struct dedup_report *r, const char *id, size_t n, struct err *err)
{
    size_t at;
    if (!r->path)
        return 0;
    if (add_id(r, id, n, &at, err) < 0 ||
        bigarray_reserve(&r->kept, (size_t)(r->n_kept + 1) * sizeof at, err) < 0)
        return -1;
    memcpy(r->kept.bytes + (size_t)r->n_kept++ * sizeof at, &at, sizeof at);
    return 0;
}

int dedup_report_dropped(struct dedup_report *r, const struct neardup_hit *hit, const char *id,
                         size_t n, struct err *err)
{
    struct dropped d = {.kept = hit->kept,
                        .order = r->n_dropped,
                        .similarity = (float)hit->similarity,
                        .exact = hit->exact};
    if (!r->path)
        return 0;
    if (add_id(r, id, n, &d.id, err) < 0 ||
        bigarray_reserve(&r->dropped, (size_t)(r->n_dropped + 1) * sizeof d, err) < 0)
        return -1;
    memcpy(r->dropped.bytes + (size_t)r->n_dropped++ * sizeof d, &d, sizeof d);
    return 0;
}

static int by_cluster(const void *a, const void *b)
{
    const struct dropped *x = a, *y = b;
    if (x->kept != y->kept)
        return (x->kept > y->kept) - (x->kept < y->kept);
    return (x->order > y->order) - (x->order < y->order);
}

static json_t *id_string(const struct dedup_report *r, size_t at)
{
    uint32_t n;
    struct strbuf id = {0};
    memcpy(&n, r->ids.bytes + at, sizeof n);
    strbuf_reserve(&id, 0);
    utf8_repair(&id, r->ids.bytes + at + sizeof n, n);
    json_t *value = json_stringn(id.buf, id.len);
    strbuf_release(&id);
    return value;
}

/* The dropped [i, end) of one kept record. */
static json_t *cluster(const struct dedup_report *r, const struct dropped *d, int64_t n)
{
    size_t at;
    int64_t n_exact = 0;
    json_t *line = json_object(), *members = json_array();
    memcpy(&at, r->kept.bytes + (size_t)d->kept * sizeof at, sizeof at);
    for (int64_t i = 0; i < n; i++) {
        json_t *m = json_object();
        json_object_set_new(m, "id", id_string(r, d[i].id));
        json_object_set_new(m, "kind", json_string(d[i].exact ? "exact" : "near"));
        json_object_set_new(m, "similarity", json_float(d[i].similarity));
        json_array_append_new(members, m);
        n_exact += d[i].exact;
    }
    json_object_set_new(line, "kept", id_string(r, at));
    json_object_set_new(line, "size", json_integer(n + 1));
    json_object_set_new(line, "exact", json_integer(n_exact));
    json_object_set_new(line, "near", json_integer(n - n_exact));
    json_object_set_new(line, "dropped", members);
    return line;
}

static int write_clusters(const struct dedup_report *r, struct stream_out *out, struct err *err)
{
    const struct dropped *d = (const void *)r->dropped.bytes;
    struct strbuf line = {0};
    int rc = 0;
    for (int64_t i = 0, end; i < r->n_dropped && rc == 0; i = end) {
        for (end = i; end < r->n_dropped && d[end].kept == d[i].kept; end++)
            ;
        json_t *obj = cluster(r, d + i, end - i);
        strbuf_clear(&line);
        json_write(&line, obj);
        strbuf_addc(&line, '\n');
        json_decref(obj);
        rc = stream_out_write(out, line.buf, line.len, err);
    }
    strbuf_release(&line);
    return rc;
}

int dedup_report_save(struct dedup_report *r, struct err *err)
{
    if (!r->path)
        return 0;
    if (r->n_dropped > 1)
        qsort(r->dropped.bytes, (size_t)r->n_dropped, sizeof(struct dropped), by_cluster);
    struct stream_out *out = stream_out_open(r->path, err);
    if (!out)
        return -1;
    if (write_clusters(r, out, err) < 0) {
        stream_out_abort(out);
        return -1;
    }
    return stream_out_commit(out, err);
}

void dedup_report_release(struct dedup_report *r)
{
    bigarray_release(&r->ids);
    bigarray_release(&r->kept);
    bigarray_release(&r->dropped);
}
