/* safetensors.h - the tensor file format (formats.md section 4), strict both ways.
 *
 * Layout: 8 bytes little-endian header length N, N bytes of JSON, data.  The
 * reader refuses overlaps, holes, sizes that do not match, duplicate names,
 * unknown types, N over 100 MB or past the end, before allocating anything that
 * a header asks for.
 */
#ifndef TP_DATA_SAFETENSORS_H
#define TP_DATA_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "data/json.h"

enum st_dtype { ST_BOOL, ST_U8, ST_I8, ST_I16, ST_U16, ST_F16, ST_BF16, ST_I32, ST_U32, ST_F32,
                ST_F64, ST_I64, ST_U64, ST_N };
size_t st_dtype_bytes(enum st_dtype t);
const char *st_dtype_name(enum st_dtype t); /* "BF16" */

struct st_tensor {
    char *name;
    enum st_dtype dtype;
    int n_dims;
    int64_t shape[8];
    int64_t numel;
    uint64_t begin, end; /* byte offsets in the data */
    const void *data;    /* in the mapping or buffer, aligned for dtype; NULL after a header only */
    void *copy;          /* owned: data, where the file had it misaligned; else NULL */
};

struct st_file {
    char *path;
    int n_tensors;
    struct st_tensor *tensors; /* in data order */
    json_t *metadata;          /* object of strings, never NULL */
    struct file_view file;     /* of st_open: what the tensors point into */
};

/* Reads (maps) a whole file; tensors point into it. */
int st_open(struct st_file *f, const char *path, struct err *err) WARN_UNUSED;
/* Parses n bytes already in memory (borrowed, must outlive f); name is for messages. */
int st_parse(struct st_file *f, const char *name, const void *bytes, size_t n, struct err *err) WARN_UNUSED;
/* Parses a header only (the N bytes of JSON), for a data section of data_bytes (UINT64_MAX: not
 * known yet, whatever the header says). */
int st_parse_header(struct st_file *f, const char *name, const char *json, size_t n,
                    uint64_t data_bytes, struct err *err) WARN_UNUSED;
const struct st_tensor *st_find(const struct st_file *f, const char *name);
void st_release(struct st_file *f);

/* Writing.  Tensors are laid out as the reference writer does (widest dtype first, then by name)
 * unless keep_order; the header is padded so that data is 8-byte aligned.  Bytes are reproducible.
 * Sizes that overflow and more than 8 dimensions are bugs of the caller. */
struct st_write_tensor {
    const char *name;
    enum st_dtype dtype;
    int n_dims;
    int64_t shape[8];
    const void *data;
    int tag; /* the caller's */
};
/* Sorts as the reference writer does. */
void st_sort(struct st_write_tensor *t, int n);
void st_encode(struct strbuf *out, struct st_write_tensor *t, int n, const json_t *metadata,
               bool keep_order);
/* The same to a file, atomically, without a second copy in memory. */
int st_save(const char *path, struct st_write_tensor *t, int n, const json_t *metadata,
            struct err *err) WARN_UNUSED;
/* The same where the data is made as it is written: write() puts tensor t's bytes into fp.  It
 * returns 0, or -1 with err set. */
typedef int st_write_fn(void *arg, const struct st_write_tensor *t, FILE *fp, struct err *err);
int st_save_made(const char *path, struct st_write_tensor *t, int n, const json_t *metadata,
                 st_write_fn *write, void *arg, struct err *err) WARN_UNUSED;

#endif
