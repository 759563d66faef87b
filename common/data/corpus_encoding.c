/* corpus_encoding.c - text in other encodings, as UTF-8 (iconv). */
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/corpus_part.h"

struct converter {
    struct corpus *corpus;
    struct stream *stream; /* owned by the caller */
    iconv_t cd;
    char raw[16384];
    size_t n_raw;
    bool at_end;
};

static size_t bom_bytes(const unsigned char *bytes, ssize_t n, const char **encoding)
{
    if (n >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
        *encoding = bytes[0] == 0xff ? "UTF-16LE" : "UTF-16BE";
        return 2;
    }
    return 0;
}

/* A byte that begins no character becomes U+FFFD. */
static void replace_byte(struct converter *v, char **to, size_t *room)
{
    memcpy(*to, "\xef\xbf\xbd", 3);
    *to += 3;
    *room -= 3;
    memmove(v->raw, v->raw + 1, --v->n_raw);
    v->corpus->counts.repaired++;
}

static ssize_t read_converted(void *self, void *buf, size_t n, struct err *err)
{
    struct converter *v = self;
    char *to = buf;
    size_t room = n;
    while (room == n) {
        if (!v->at_end && v->n_raw < sizeof v->raw / 2) {
            ssize_t got = stream_read(v->stream, v->raw + v->n_raw, sizeof v->raw - v->n_raw, err);
            if (got < 0)
                return -1;
            v->at_end = got == 0;
            v->n_raw += (size_t)got;
        }
        if (v->n_raw == 0 && v->at_end)
            return 0;
        char *from = v->raw;
        size_t left = v->n_raw;
        size_t rc = iconv(v->cd, &from, &left, &to, &room);
        memmove(v->raw, from, left);
        v->n_raw = left;
        bool stuck = rc == (size_t)-1 && (errno == EILSEQ || (errno == EINVAL && v->at_end));
        if (stuck && room >= 3)
            replace_byte(v, &to, &room);
        else if (rc == (size_t)-1 && errno == E2BIG && room == n)
            return err_set(err, "'%s': no room to convert", stream_name(v->stream));
    }
    return (ssize_t)(n - room);
}

int corpus_check_encoding(const char *encoding, struct err *err)
{
    iconv_t cd = iconv_open("UTF-8", encoding);
    if (cd == (iconv_t)-1)
        return err_set(err, "there is no encoding '%s' (iconv -l lists them)", encoding);
    iconv_close(cd);
    return 0;
}

int corpus_convert(struct corpus *c, struct stream *s, const char *source, bool *done,
                   struct err *err)
{
    const unsigned char *bytes;
    const char *encoding = c->o.encoding;
    ssize_t n = stream_peek(s, &bytes, 2, err);
    if (n < 0)
        return -1;
    size_t bom = encoding ? 0 : bom_bytes(bytes, n, &encoding);
    *done = encoding != NULL;
    if (!encoding)
        return 0;
    struct converter *v = xcalloc(1, sizeof *v);
    char skipped[2];
    v->corpus = c;
    v->stream = s;
    v->cd = iconv_open("UTF-8", encoding);
    int rc = v->cd == (iconv_t)-1 ? err_set(err, "there is no encoding '%s'", encoding) : 0;
    if (rc == 0 && bom && stream_read_exact(s, skipped, bom, err) < 0)
        rc = -1;
    if (rc == 0) {
        struct stream *utf8 = stream_from(source, (struct stream_source){v, read_converted});
        rc = corpus_read_utf8(c, utf8, source, err);
        stream_close(utf8);
        iconv_close(v->cd);
    }
    free(v);
    return rc;
}
