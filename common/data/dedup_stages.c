/* dedup_stages.c - sign, match and drop: any order of preference, any number of processes.
 *
 * Files in the folder, of i in 1..n shards:
 *
 *     sign-i-of-n   64 bytes of head, then an entry a record: its place in the order of
 *                   preference, its index, where its id is, its signature
 *     ids-i-of-n    the ids, each with four bytes of length before it (with a report)
 *     verdicts      a head, then 16 bytes a record
 *
 * Each appears whole or not at all, so a stage that was killed is simply run again.
 */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/dedup_internal.h"
#include "data/jsonl_line.h"

#define KEY_BYTES 24
#define NO_RECORD (-2) /* a bad line */
#define IS_KEPT (-1)

struct head {
    char magic[8];
    int64_t ngram, bands, rows, exact, seed, i,
        n; /* i and n of the shard; n records for verdicts */
};

struct entry {
    unsigned char key[KEY_BYTES]; /* bytewise order: the preferred first */
    int64_t index;
    uint64_t id_at;
    struct neardup_sign sign;
};

struct verdict {
    int64_t kept;  /* index of the record it is a duplicate of, or one of the two above */
    uint32_t line; /* hash of the line */
    uint32_t spare;
};

static char *stage_path(const struct dedup_options *o, const char *what,
                        const struct jsonl_shard *s)
{
    int64_t n = s->n ? s->n : 1;
    return xasprintf("%s/%s-%lld-of-%lld", o->index, what, (long long)(s->n ? s->i + 1 : 1),
                     (long long)n);
}

static struct head make_head(const struct dedup_options *o, const char *magic)
{
    struct head h = {.ngram = o->near.ngram,
                     .bands = o->near.bands,
                     .rows = o->near.rows,
                     .exact = o->near.exact,
                     .seed = o->near.seed};
    memcpy(h.magic, magic, sizeof h.magic);
    return h;
}

/* The order of preference. */

static void key_of_number(unsigned char key[KEY_BYTES], double x, bool most_first)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | (uint64_t)1 << 63; /* ordered as unsigned numbers */
    if (most_first)
        bits = ~bits;
    for (int i = 0; i < 8; i++)
        key[i + 1] = (unsigned char)(bits >> (56 - 8 * i));
}

static void key_of_string(unsigned char key[KEY_BYTES], const json_t *s, bool most_first)
{
    size_t n = json_string_length(s) < KEY_BYTES - 1 ? json_string_length(s) : KEY_BYTES - 1;
    memcpy(key + 1, json_string_value(s), n);
    key[0] = 1;
    for (int i = 1; i < KEY_BYTES && most_first; i++)
        key[i] = (unsigned char)~key[i];
}

/* Numbers before strings before nothing. */
static int key_of_field(unsigned char key[KEY_BYTES], const struct record *rec, const char *field,
                        bool most_first, struct err *err)
{
    json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
    if (!obj)
        return -1;
    const json_t *value = json_object_get(obj, field);
    if (json_is_number(value))
        key_of_number(key, json_number_value(value), most_first);
    else if (json_is_string(value))
        key_of_string(key, value, most_first);
    else
        key[0] = 2;
    json_decref(obj);
    return 0;
}

static int order_key(unsigned char key[KEY_BYTES], const char *keep, const struct record *rec,
                     size_t text_bytes, struct err *err)
{
    memset(key, 0, KEY_BYTES);
    if (strcmp(keep, "last") == 0)
        key_of_number(key, (double)rec->index, true);
    else if (strcmp(keep, "longest") == 0 || strcmp(keep, "shortest") == 0)
        key_of_number(key, (double)text_bytes, keep[0] == 'l');
    else if (strncmp(keep, "max:", 4) == 0 || strncmp(keep, "min:", 4) == 0)
        return key_of_field(key, rec, keep + 4, keep[1] == 'a', err);
    return 0;
}

/* Sign. */

struct signing {
    struct dedup_signer signer;
    struct atomic_file signs, ids;
    uint64_t ids_bytes;
    struct entry *entry; /* being written */
    size_t entry_bytes;
};

/* Behind signature and id in rec->scratch: the key. */
static int sign_record(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct signing *s = self;
    unsigned char key[KEY_BYTES];
    size_t text_bytes;
    (void)out;
    if (dedup_sign_record(&s->signer, rec, &text_bytes, err) < 0 ||
        order_key(key, s->signer.o->keep, rec, text_bytes, err) < 0)
        return -1;
    strbuf_add(rec->scratch, key, sizeof key);
    return 0;
}

static int write_entry(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct signing *s = self;
    const char *bytes = rec->scratch->buf;
    size_t n = s->signer.sign_bytes, n_id = rec->scratch->len - n - KEY_BYTES;
    uint32_t id_bytes = (uint32_t)n_id;
    (void)out;
    memcpy(s->entry->key, bytes + n + n_id, KEY_BYTES);
    s->entry->index = rec->index;
    s->entry->id_at = s->ids_bytes;
    memcpy(&s->entry->sign, bytes, n);
    s->ids_bytes += sizeof id_bytes + n_id;
    if (file_put(s->signs.fp, s->entry, s->entry_bytes, s->signs.path, err) < 0 ||
        file_put(s->ids.fp, &id_bytes, sizeof id_bytes, s->ids.path, err) < 0 ||
        file_put(s->ids.fp, bytes + n, n_id, s->ids.path, err) < 0)
        return JSONL_STOP;
    return 0;
}

static int write_signatures(struct signing *s, const char **files, int n_files, struct err *err)
{
    const struct dedup_options *o = s->signer.o;
    struct head h = make_head(o, "tpdedup1");
    h.i = o->shard.n ? o->shard.i : 0;
    h.n = o->shard.n ? o->shard.n : 1;
    struct jsonl_filter f = {.self = s,
                             .process = sign_record,
                             .decide = write_entry,
                             .unparsed = true,
                             .shard = o->shard};
    if (file_put(s->signs.fp, &h, sizeof h, s->signs.path, err) < 0)
        return -1;
    return jsonl_run(&f, files, n_files, err);
}

static int sign_stage(const struct dedup_options *o, const char **files, int n_files,
                      struct err *err)
{
    struct signing s = {.ids_bytes = 0};
    char *signs = stage_path(o, "sign", &o->shard), *ids = stage_path(o, "ids", &o->shard);
    int rc = -1;
    dedup_signer_init(&s.signer, o);
    s.entry_bytes = offsetof(struct entry, sign) + s.signer.sign_bytes;
    s.entry = xcalloc(1, s.entry_bytes);
    if (atomic_file_open(&s.signs, signs, err) < 0)
        goto out;
    if (atomic_file_open(&s.ids, ids, err) < 0) {
        atomic_file_abort(&s.signs);
        goto out;
    }
    rc = write_signatures(&s, files, n_files, err);
    if (rc == 0 && atomic_file_commit(&s.ids, err) == 0)
        rc = atomic_file_commit(&s.signs, err);
    else {
        rc = -1;
        atomic_file_abort(&s.ids);
        atomic_file_abort(&s.signs);
    }
out:
    dedup_signer_release(&s.signer);
    free(s.entry);
    free(signs);
    free(ids);
    return rc;
}

/* Match. */

struct matching {
    const struct dedup_options *o;
    struct file_view *signs, *ids; /* [n_shards] */
    int64_t n_shards, n, last;     /* entries; the highest index */
    size_t entry_bytes;
    const struct entry **order; /* [n] the preferred first */
};

/* How many shards the folder's files are of: the file of the first one tells. */
static int64_t count_shards(const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    int64_t found = 0;
    if (!dir)
        return err_errno(err, "cannot read folder '%s'", folder);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct err unused = {0};
        int64_t n;
        if (strncmp(e->d_name, "sign-1-of-", 10) != 0 ||
            parse_int(e->d_name + 10, 1, 1e6, &n, &unused) < 0)
            continue;
        if (found)
            err_set(err, "'%s' has signatures of %lld and of %lld shards", folder, (long long)found,
                    (long long)n);
        found = n;
    }
    closedir(dir);
    if (!err->set && !found)
        err_set(err, "'%s' has no signatures: run --stage sign first", folder);
    return err->set ? -1 : found;
}

static int open_shard(struct matching *m, int64_t i, struct err *err)
{
    struct jsonl_shard shard = {i, m->n_shards};
    struct head want = make_head(m->o, "tpdedup1"), h = {.n = 0};
    char *signs = stage_path(m->o, "sign", &shard), *ids = stage_path(m->o, "ids", &shard);
    want.i = i;
    want.n = m->n_shards;
    int rc = file_view_open(&m->signs[i], signs, err);
    if (rc == 0 && m->signs[i].n >= sizeof h)
        memcpy(&h, m->signs[i].bytes, sizeof h);
    if (rc == 0 && memcmp(&h, &want, sizeof h) != 0)
        rc = err_set(err, "'%s' was not made by this program with the same options", signs);
    if (rc == 0 && (m->signs[i].n - sizeof h) % m->entry_bytes != 0)
        rc = err_set(err, "'%s' is cut", signs);
    if (rc == 0)
        rc = file_view_open(&m->ids[i], ids, err);
    free(signs);
    free(ids);
    return rc;
}

static int by_preference(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    int c = memcmp(x->key, y->key, KEY_BYTES);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static int open_signatures(struct matching *m, struct err *err)
{
    m->signs = xcalloc((size_t)m->n_shards, sizeof *m->signs);
    m->ids = xcalloc((size_t)m->n_shards, sizeof *m->ids);
    for (int64_t i = 0; i < m->n_shards; i++)
        if (open_shard(m, i, err) < 0)
            return -1;
    for (int64_t i = 0; i < m->n_shards; i++)
        m->n += (int64_t)((m->signs[i].n - sizeof(struct head)) / m->entry_bytes);
    m->order = xcalloc((size_t)m->n, sizeof *m->order);
    m->last = -1;
    int64_t at = 0;
    for (int64_t i = 0; i < m->n_shards; i++) {
        const char *bytes = m->signs[i].bytes;
        for (size_t p = sizeof(struct head); p < m->signs[i].n; p += m->entry_bytes) {
            const struct entry *e = (const void *)(bytes + p);
            m->order[at++] = e;
            m->last = e->index > m->last ? e->index : m->last;
        }
    }
    qsort(m->order, (size_t)m->n, sizeof *m->order, by_preference);
    return 0;
}

static int entry_id(const struct matching *m, const struct entry *e, const char **id, size_t *n,
                    struct err *err)
{
    const struct file_view *v = &m->ids[e->index % m->n_shards];
    uint32_t bytes = 0;
    if (e->id_at + sizeof bytes <= v->n)
        memcpy(&bytes, (const char *)v->bytes + e->id_at, sizeof bytes);
    *n = bytes;
    *id = (const char *)v->bytes + e->id_at + sizeof bytes;
    if (e->id_at + sizeof bytes + bytes > v->n)
        return err_set(err, "a file of ids in '%s' is cut", m->o->index);
    if (m->o->report && bytes == 0)
        return err_set(err, "'%s' was signed without --report, so there are no ids to report",
                       m->o->index);
    return 0;
}

static int judge_all(struct matching *m, struct verdict *verdicts, struct dedup_report *report,
                     struct dedup_counts *counts, struct err *err)
{
    struct neardup *index = neardup_open(&m->o->near);
    int64_t *kept = xcalloc((size_t)m->n, sizeof *kept), number = 0;
    int rc = 0;
    for (int64_t i = 0; i < m->n && rc >= 0; i++) {
        const struct entry *e = m->order[i];
        const char *id;
        size_t n_id;
        int64_t duplicate_of;
        rc = entry_id(m, e, &id, &n_id, err);
        if (rc == 0)
            rc = dedup_judge(index, report, counts, &e->sign, id, n_id, &duplicate_of, err);
        if (rc < 0)
            break;
        verdicts[e->index] =
            (struct verdict){.kept = rc ? kept[duplicate_of] : IS_KEPT, .line = e->sign.line};
        if (rc == 0)
            kept[number++] = e->index;
    }
    dedup_count_index(index, counts);
    neardup_close(index);
    free(kept);
    return rc < 0 ? -1 : 0;
}

static int save_verdicts(const struct dedup_options *o, const struct verdict *v, int64_t n,
                         struct err *err)
{
    struct head h = make_head(o, "tpverdct");
    struct atomic_file f;
    char *path = path_join(o->index, "verdicts");
    h.n = n;
    int rc = atomic_file_open(&f, path, err);
    if (rc == 0) {
        if (file_put(f.fp, &h, sizeof h, path, err) == 0 &&
            file_put(f.fp, v, (size_t)n * sizeof *v, path, err) == 0)
            rc = atomic_file_commit(&f, err);
        else {
            atomic_file_abort(&f);
            rc = -1;
        }
    }
    free(path);
    return rc;
}

static int match_stage(const struct dedup_options *o, struct dedup_counts *counts, struct err *err)
{
    struct matching m = {.o = o, .n_shards = count_shards(o->index, err)};
    struct dedup_report report;
    struct verdict *verdicts = NULL;
    int rc = m.n_shards < 0 ? -1 : 0;
    dedup_report_init(&report, o);
    m.entry_bytes = offsetof(struct entry, sign) + neardup_sign_bytes(&o->near);
    if (rc == 0)
        rc = open_signatures(&m, err);
    if (rc == 0) {
        verdicts = xcalloc((size_t)(m.last + 1), sizeof *verdicts);
        for (int64_t i = 0; i <= m.last; i++)
            verdicts[i].kept = NO_RECORD;
        rc = judge_all(&m, verdicts, &report, counts, err);
    }
    if (rc == 0)
        rc = save_verdicts(o, verdicts, m.last + 1, err);
    if (rc == 0)
        rc = dedup_report_save(&report, err);
    for (int64_t i = 0; i < m.n_shards && m.signs; i++) {
        file_view_release(&m.signs[i]);
        file_view_release(&m.ids[i]);
    }
    free(m.signs);
    free(m.ids);
    free(m.order);
    free(verdicts);
    dedup_report_release(&report);
    return rc;
}

/* Drop. */

struct dropping {
    struct file_view view;
    const struct verdict *verdicts;
    int64_t n;
};

static int drop_record(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct dropping *d = self;
    const struct verdict *v = rec->index < d->n ? &d->verdicts[rec->index] : NULL;
    if (v && v->kept == NO_RECORD)
        return 0; /* set aside when it was signed */
    if (!v || v->line != (uint32_t)XXH3_64bits(rec->text, rec->n)) {
        err_set(err, "%s:%lld: not the record that was signed", rec->file, (long long)rec->line);
        return JSONL_STOP;
    }
    if (v->kept == IS_KEPT)
        emit_line(out, rec);
    return 0;
}

static int open_verdicts(struct dropping *d, const char *folder, struct err *err)
{
    struct head h = {.n = 0};
    char *path = path_join(folder, "verdicts");
    int rc = file_view_open(&d->view, path, err);
    if (rc == 0 && d->view.n >= sizeof h)
        memcpy(&h, d->view.bytes, sizeof h);
    if (rc == 0 && (memcmp(h.magic, "tpverdct", 8) != 0 || h.n < 0 ||
                    d->view.n != sizeof h + (size_t)h.n * sizeof(struct verdict)))
        rc = err_set(err, "'%s' is not a whole file of verdicts", path);
    if (rc == 0) {
        d->verdicts = (const void *)((const char *)d->view.bytes + sizeof h);
        d->n = h.n;
    }
    free(path);
    return rc;
}

static int drop_all(struct dropping *d, const struct dedup_options *o, const char **files,
                    int n_files, struct err *err)
{
    struct jsonl_filter f = {
        .self = d, .process = drop_record, .unparsed = true, .shard = o->shard};
    return jsonl_run(&f, files, n_files, err);
}

static int drop_stage(const struct dedup_options *o, const char **files, int n_files,
                      struct err *err)
{
    struct dropping d = {.n = 0};
    int rc = open_verdicts(&d, o->index, err);
    if (rc == 0)
        rc = drop_all(&d, o, files, n_files, err);
    file_view_release(&d.view);
    return rc;
}

/* All three in one process. */

static int check_readable_twice(const char **files, int n_files, const char *keep, struct err *err)
{
    for (int i = 0; i < (n_files ? n_files : 1); i++) {
        struct err why = {0};
        struct stream *s = stream_open(n_files ? files[i] : "-", err);
        if (!s)
            return -1;
        bool regular = stream_rewind(s, &why);
        bool is_stdin = !n_files || strcmp(files[i], "-") == 0;
        stream_close(s);
        if (!regular || is_stdin) {
            err->status = EXIT_USAGE;
            return err_set(err, "--keep %s reads its input twice: name files, not a pipe", keep);
        }
    }
    return 0;
}

static int all_stages(const struct dedup_options *o, const char **files, int n_files,
                      struct dedup_counts *counts, struct err *err)
{
    struct dedup_options with = *o;
    char *own = NULL;
    const char *tmp = getenv("TMPDIR");
    if (check_readable_twice(files, n_files, o->keep, err) < 0)
        return -1;
    own = xasprintf("%s/corpus-dedup.XXXXXX", o->index ? o->index : tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(own)) {
        int failed = err_errno(err, "cannot create a folder for the index, '%s'", own);
        free(own);
        return failed;
    }
    with.index = own;
    struct dropping d = {.n = 0};
    struct err unused = {0};
    int rc = sign_stage(&with, files, n_files, err);
    if (rc == 0)
        rc = match_stage(&with, counts, err);
    if (rc == 0)
        rc = open_verdicts(&d, own, err);
    /* Mapped files outlive their names: a closed pipe ends this program and leaves nothing. */
    if (dir_remove(own, rc == 0 ? err : &unused) < 0)
        rc = -1;
    free(own);
    tool_counts.in = 0; /* they are read again, and what was set aside is passed over */
    jsonl_options.max_line_bytes = (int64_t)1 << 33;
    if (rc == 0)
        rc = drop_all(&d, &with, files, n_files, err);
    file_view_release(&d.view);
    return rc;
}

int dedup_stages(const struct dedup_options *o, const char **files, int n_files,
                 struct dedup_counts *counts, struct err *err)
{
    switch ((enum dedup_stage)o->stage) {
    case DEDUP_SIGN:
        return sign_stage(o, files, n_files, err);
    case DEDUP_MATCH:
        return match_stage(o, counts, err);
    case DEDUP_DROP:
        return drop_stage(o, files, n_files, err);
    case DEDUP_ALL:
        break;
    }
    return all_stages(o, files, n_files, counts, err);
}
