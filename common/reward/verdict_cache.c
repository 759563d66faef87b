/* verdict_cache.c - an append-only file of verdicts and where in it each one is. */
#include "reward/verdict_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "reward/workers.h"

/* Raised when a verifier says something else than before of the same answer. */
#define RULES 2
#define KEY_DIGITS 32
#define CHUNK ((size_t)1 << 20)

struct place {
    struct verdict_key key;
    int64_t offset, n; /* of the JSON; n = 0: the slot is free */
};

struct verdict_cache {
    int fd;
    char *path;
    int64_t read_to; /* bytes of the file that are in the table */
    struct place *places; /* open addressing, at most half full */
    size_t n_places, cap;
    int64_t n_hits;
    pthread_mutex_t lock;
};

struct verdict_key verdict_key(const struct verifier *v, const struct answer *a,
                               const json_t *truth)
{
    static const char *const bookkeeping[] = {"id",    "group", "sample", "seed",
                                              "model", "usage", "no_verdict"};
    struct strbuf text = {0};
    json_t *record = workers_record(a->record);
    for (size_t i = 0; i < ARRAY_SIZE(bookkeeping); i++)
        json_object_del(record, bookkeeping[i]);
    strbuf_addf(&text, "%s %d %s %d %zu ", TP_VERSION, RULES, v->name, a->think_opened,
                strlen(a->whole));
    if (v->settings)
        v->settings(&text);
    strbuf_adds(&text, a->whole);
    strbuf_addf(&text, " %zu %s ", strlen(a->text), a->text);
    if (truth)
        json_write(&text, truth);
    strbuf_addc(&text, ' ');
    json_write(&text, record);
    XXH128_hash_t h = XXH3_128bits(text.buf, text.len);
    json_decref(record);
    strbuf_release(&text);
    return (struct verdict_key){h.high64, h.low64};
}

/* The table. */

static struct place *find(const struct verdict_cache *c, struct verdict_key key)
{
    size_t i = key.low & (c->cap - 1);
    while (c->places[i].n &&
           (c->places[i].key.low != key.low || c->places[i].key.high != key.high))
        i = (i + 1) & (c->cap - 1);
    return &c->places[i];
}

static void grow(struct verdict_cache *c)
{
    struct place *old = c->places;
    size_t n = c->cap;
    c->cap = n ? n * 2 : 1024;
    c->places = xcalloc(c->cap, sizeof *c->places);
    for (size_t i = 0; i < n; i++) {
        if (old[i].n)
            *find(c, old[i].key) = old[i];
    }
    free(old);
}

/* The last line of a key counts. */
static void enter(struct verdict_cache *c, struct place at)
{
    if ((c->n_places + 1) * 2 > c->cap)
        grow(c);
    struct place *p = find(c, at.key);
    c->n_places += p->n == 0;
    *p = at;
}

/* The file. */

static bool parse_key(const char *line, size_t n, struct verdict_key *key)
{
    uint64_t half[2] = {0};
    if (n < KEY_DIGITS + 2 || line[KEY_DIGITS] != ' ')
        return false;
    for (int i = 0; i < KEY_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = line[i] ? strchr(digits, line[i]) : NULL;
        if (!at)
            return false;
        half[i / 16] = half[i / 16] << 4 | (uint64_t)(at - digits);
    }
    *key = (struct verdict_key){half[0], half[1]};
    return true;
}

static void enter_line(struct verdict_cache *c, const char *line, size_t n, int64_t offset)
{
    struct verdict_key key;
    if (parse_key(line, n, &key))
        enter(c, (struct place){key, offset + KEY_DIGITS + 1, (int64_t)n - KEY_DIGITS - 1});
}

/* Enters the whole lines in text, which is at c->read_to; returns the bytes they take. */
static size_t enter_lines(struct verdict_cache *c, const char *text, size_t n)
{
    size_t done = 0;
    const char *end;
    while (done < n && (end = memchr(text + done, '\n', n - done))) {
        enter_line(c, text + done, (size_t)(end - text) - done, c->read_to + (int64_t)done);
        done = (size_t)(end - text) + 1;
    }
    return done;
}

/* Reads what was added since, by whoever. */
static void catch_up(struct verdict_cache *c)
{
    struct stat st;
    struct strbuf text = {0};
    if (fstat(c->fd, &st) < 0 || st.st_size <= c->read_to)
        return;
    size_t want = CHUNK;
    for (;;) {
        strbuf_clear(&text);
        strbuf_reserve(&text, want);
        ssize_t k = pread(c->fd, text.buf, want, c->read_to);
        if (k <= 0)
            break;
        size_t done = enter_lines(c, text.buf, (size_t)k);
        c->read_to += (int64_t)done;
        if ((size_t)k < want) /* the end of the file */
            break;
        if (done == 0)
            want *= 2; /* a line longer than that */
    }
    strbuf_release(&text);
}

struct verdict_cache *verdict_cache_open(const char *dir, struct err *err)
{
    if (dir_make(dir, err) < 0)
        return NULL;
    struct verdict_cache *c = xcalloc(1, sizeof *c);
    c->path = path_join(dir, "verdicts");
    c->fd = open(c->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    pthread_mutex_init(&c->lock, NULL);
    grow(c);
    if (c->fd < 0) {
        err_errno(err, "cannot open '%s'", c->path);
        verdict_cache_close(c);
        return NULL;
    }
    catch_up(c);
    return c;
}

void verdict_cache_close(struct verdict_cache *c)
{
    if (!c)
        return;
    if (c->fd >= 0) {
        log_info("%lld verdicts from the cache", (long long)c->n_hits);
        close(c->fd);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->places);
    free(c->path);
    free(c);
}

static bool read_verdict(const struct verdict_cache *c, const struct place *p, struct verdict *out)
{
    struct err ignored = {0};
    if (!p->n)
        return false;
    char *text = xmalloc((size_t)p->n);
    json_t *obj = NULL;
    if (pread(c->fd, text, (size_t)p->n, p->offset) == p->n)
        obj = json_parse(text, (size_t)p->n, &ignored);
    bool ok = obj && verdict_from_json(obj, out, &ignored) == 0;
    json_decref(obj);
    free(text);
    return ok;
}

bool verdict_cache_get(struct verdict_cache *c, struct verdict_key key, struct verdict *out)
{
    pthread_mutex_lock(&c->lock);
    bool hit = read_verdict(c, find(c, key), out);
    if (!hit) { /* it may have been added, also where a line that is no verdict had the key */
        catch_up(c);
        hit = read_verdict(c, find(c, key), out);
    }
    c->n_hits += hit;
    pthread_mutex_unlock(&c->lock);
    return hit;
}

static int append(struct verdict_cache *c, const struct strbuf *line, struct err *err)
{
    struct stat st;
    char last = '\n';
    if (flock(c->fd, LOCK_EX) < 0 || fstat(c->fd, &st) < 0)
        return err_errno(err, "cannot lock '%s'", c->path);
    if (st.st_size > 0 && pread(c->fd, &last, 1, st.st_size - 1) != 1)
        last = '\0';
    /* line begins with a newline, for one that was cut before it. */
    size_t skip = last == '\n';
    ssize_t k = write(c->fd, line->buf + skip, line->len - skip);
    int saved = errno;
    flock(c->fd, LOCK_UN);
    errno = k < 0 ? saved : ENOSPC;
    return k == (ssize_t)(line->len - skip) ? 0 : err_errno(err, "cannot write '%s'", c->path);
}

int verdict_cache_put(struct verdict_cache *c, struct verdict_key key, const struct verdict *v,
                      struct err *err)
{
    struct strbuf line = {0};
    json_t *obj = verdict_to_json(v);
    strbuf_addf(&line, "\n%016llx%016llx ", (unsigned long long)key.high,
                (unsigned long long)key.low);
    json_write(&line, obj);
    strbuf_addc(&line, '\n');
    pthread_mutex_lock(&c->lock);
    int rc = append(c, &line, err);
    pthread_mutex_unlock(&c->lock);
    json_decref(obj);
    strbuf_release(&line);
    return rc;
}
