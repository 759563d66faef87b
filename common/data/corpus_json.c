/* corpus_json.c - JSON values in an array, or one behind the other, however they are laid out.
 *
 * Values are cut out by their brackets and quotes, one at a time, so a file may be of
 * any size; the parser then has the last word on each.
 */
#include <string.h>

#include "data/corpus_part.h"
#include "data/jsonl.h"

struct cutter {
    struct stream *stream;
    int64_t line; /* of the next byte */
    bool in_array, first;
    int64_t value_offset, value_line;
};

/* Past the byte b that was seen. */
static void skip(struct cutter *v, int b)
{
    v->line += b == '\n';
    stream_take_byte(v->stream);
}

static int skip_space(struct cutter *v, struct err *err)
{
    int b;
    while ((b = stream_see_byte(v->stream, err)) == ' ' || b == '\t' || b == '\r' || b == '\n')
        skip(v, b);
    return b;
}

/* Takes the bytes of one value into out.  1 = got it, 0 = the source ends within, -1 = error. */
static int cut_value(struct cutter *v, struct strbuf *out, bool *too_long, struct err *err)
{
    bool in_string = false, escaped = false;
    int64_t depth = 0;
    strbuf_clear(out);
    *too_long = false;
    for (;;) {
        int b = stream_see_byte(v->stream, err);
        if (b == STREAM_FAILED)
            return -1;
        bool ends =
            b == STREAM_END || (depth == 0 && !in_string && out->len > 0 && strchr(",] \t\r\n", b) != NULL);
        if (ends)
            return depth == 0 && !in_string;
        skip(v, b);
        if ((int64_t)out->len < jsonl_options.max_line_bytes)
            strbuf_addc(out, (char)b);
        else
            *too_long = true;
        if (in_string) {
            in_string = escaped || b != '"';
            escaped = !escaped && b == '\\';
        } else if (b == '"') {
            in_string = true;
        } else if (b == '{' || b == '[') {
            depth++;
        } else if ((b == '}' || b == ']') && --depth <= 0) {
            return 1;
        }
    }
}

/* What stands between two values.  1 = there is one more, 0 = end, -1 = error. */
static int to_next_value(struct cutter *v, const char *source, struct err *err)
{
    int b = skip_space(v, err);
    if (v->in_array && !v->first && b == ',') {
        skip(v, b);
        b = skip_space(v, err);
        if (b == ']')
            return err_set(err, "%s:%lld: expected a value behind ','", source, (long long)v->line);
    } else if (v->in_array && !v->first && b >= 0 && b != ']') {
        return err_set(err, "%s:%lld: expected ',' or ']' between values", source,
                       (long long)v->line);
    }
    if (v->in_array && b == ']') {
        skip(v, b);
        v->in_array = false;
        b = skip_space(v, err);
        if (b >= 0)
            return err_set(err, "%s:%lld: something follows the array", source, (long long)v->line);
        return b == STREAM_END ? 0 : -1;
    }
    if (b == STREAM_END && v->in_array)
        return err_set(err, "%s:%lld: the array is cut", source, (long long)v->line);
    v->first = false;
    v->value_offset = stream_offset(v->stream);
    v->value_line = v->line;
    return b == STREAM_END ? 0 : b == STREAM_FAILED ? -1 : 1;
}

static int begin(struct cutter *v, struct err *err)
{
    const unsigned char *bytes;
    ssize_t n = stream_peek(v->stream, &bytes, 3, err);
    for (int i = 0; n == 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 && i < 3; i++)
        stream_take_byte(v->stream);
    int b = n < 0 ? STREAM_FAILED : skip_space(v, err);
    if (b == '[') {
        v->in_array = true;
        skip(v, b);
    }
    return b == STREAM_FAILED ? -1 : 0;
}

static int read_values(struct corpus *c, struct cutter *v, const char *source, struct err *err)
{
    int rc = begin(v, err);
    while (rc == 0 && (rc = to_next_value(v, source, err)) > 0) {
        struct err why = {0};
        bool too_long;
        rc = cut_value(v, &c->line, &too_long, err);
        if (rc < 0)
            break;
        if (rc == 0)
            return err_set(err, "%s:%lld: the value that begins here is cut", source,
                           (long long)v->value_line);
        if (too_long)
            rc = err_set(&why, "the value is longer than %lld bytes",
                         (long long)jsonl_options.max_line_bytes);
        else
            rc = corpus_use_json(c, source, v->value_offset, c->line.buf, c->line.len, false, &why);
        rc = rc < 0 ? corpus_bad(c, source, v->value_line, c->line.buf, c->line.len, &why) : 0;
        if (rc < 0)
            *err = why;
    }
    return rc;
}

int corpus_read_json(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    struct cutter v = {.stream = s, .line = 1, .first = true};
    return read_values(c, &v, source, err);
}
