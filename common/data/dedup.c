/* dedup.c - records without the duplicates of what is kept: one pass. */
#include "data/dedup.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/dedup_internal.h"
#include "data/record_text.h"

const struct opt_enum dedup_stage_names[] = {
    {"all", DEDUP_ALL}, {"sign", DEDUP_SIGN}, {"match", DEDUP_MATCH}, {"drop", DEDUP_DROP},
    {NULL, 0},
};

const struct opt_enum dedup_exact_names[] = {
    {"space", EXACT_SPACE},
    {"raw", EXACT_RAW},
    {"words", EXACT_WORDS},
    {NULL, 0},
};

/* Signing. */

struct scratch {
    struct neardup_scratch near;
    struct strbuf text;
};

void dedup_signer_init(struct dedup_signer *s, const struct dedup_options *o)
{
    *s = (struct dedup_signer){
        .o = o, .sign_bytes = neardup_sign_bytes(&o->near), .scratch = FREELIST_INIT};
    neardup_signer_init(&s->signer, &o->near);
}

void dedup_signer_release(struct dedup_signer *s)
{
    for (struct scratch *t; (t = freelist_take(&s->scratch)) != NULL; free(t)) {
        neardup_scratch_release(&t->near);
        strbuf_release(&t->text);
    }
    freelist_release(&s->scratch);
    neardup_signer_release(&s->signer);
}

int dedup_sign_record(struct dedup_signer *s, struct record *rec, size_t *text_bytes,
                      struct err *err)
{
    struct scratch *t = freelist_take(&s->scratch);
    if (!t)
        t = xcalloc(1, sizeof *t);
    int rc = record_text(rec, &s->o->text_fields, &t->text, err);
    if (rc == 0) {
        strbuf_clear(rec->scratch);
        strbuf_reserve(rec->scratch, s->sign_bytes + 16);
        struct neardup_sign *sign = (void *)rec->scratch->buf;
        neardup_sign(&s->signer, &t->near, t->text.buf, t->text.len, sign);
        sign->line = (uint32_t)XXH3_64bits(rec->text, rec->n);
        rec->scratch->len = s->sign_bytes;
        *text_bytes = t->text.len;
        if (s->o->report) {
            record_id(rec, &t->text);
            strbuf_add(rec->scratch, t->text.buf, t->text.len);
        }
    }
    freelist_give(&s->scratch, t);
    return rc;
}

int dedup_judge(struct neardup *index, struct dedup_report *report, struct dedup_counts *counts,
                const struct neardup_sign *sign, const char *id, size_t n_id, int64_t *kept,
                struct err *err)
{
    struct neardup_hit hit;
    int rc = neardup_add(index, sign, &hit, err);
    if (rc < 0)
        return -1;
    if (rc == 0) {
        counts->kept++;
        return dedup_report_kept(report, id, n_id, err);
    }
    *kept = hit.kept;
    counts->exact += hit.exact;
    counts->near += !hit.exact;
    return dedup_report_dropped(report, &hit, id, n_id, err) < 0 ? -1 : 1;
}

void dedup_count_index(const struct neardup *index, struct dedup_counts *counts)
{
    counts->index_bytes = neardup_bytes(index);
    counts->unwalked = neardup_unwalked(index);
}

/* One pass. */

struct pass {
    struct dedup_signer signer;
    struct neardup *index;
    struct dedup_report report;
    struct dedup_counts *counts;
};

static int process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct pass *p = self;
    size_t text_bytes;
    (void)out;
    return dedup_sign_record(&p->signer, rec, &text_bytes, err);
}

static int decide(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct pass *p = self;
    size_t n = p->signer.sign_bytes;
    int64_t kept;
    int rc = dedup_judge(p->index, &p->report, p->counts, (const void *)rec->scratch->buf,
                         rec->scratch->buf + n, rec->scratch->len - n, &kept, err);
    if (rc < 0)
        return JSONL_STOP;
    if (rc == 0)
        emit_line(out, rec);
    return 0;
}

static int one_pass(const struct dedup_options *o, const char **files, int n_files,
                    struct dedup_counts *counts, struct err *err)
{
    struct pass p = {.index = neardup_open(&o->near), .counts = counts};
    dedup_signer_init(&p.signer, o);
    dedup_report_init(&p.report, o);
    struct jsonl_filter f = {
        .self = &p, .process = process, .decide = decide, .unparsed = true, .shard = o->shard};
    int rc = jsonl_run(&f, files, n_files, err);
    if (rc == 0)
        rc = dedup_report_save(&p.report, err);
    dedup_count_index(p.index, counts);
    dedup_report_release(&p.report);
    dedup_signer_release(&p.signer);
    neardup_close(p.index);
    return rc;
}

int dedup_run(const struct dedup_options *o, const char **files, int n_files,
              struct dedup_counts *counts, struct err *err)
{
    *counts = (struct dedup_counts){0};
    if (o->stage != DEDUP_ALL || strcmp(o->keep, "first") != 0)
        return dedup_stages(o, files, n_files, counts, err);
    return one_pass(o, files, n_files, counts, err);
}
