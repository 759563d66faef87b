/* gguf.h - the GGUF file format, version 3 (formats.md section 10), strict both ways.
 *
 * "GGUF", version, counts, key-value pairs, tensor entries, padding, data; all
 * little-endian.  The reader takes versions 2 and 3 and refuses, before allocating
 * anything that a count or length asks for: what leads past the end of the file,
 * unknown types, nested arrays, names given twice, sizes that overflow, offsets that
 * are not aligned, overlap or leave a hole.
 *
 *     struct gguf_file f;
 *     if (gguf_open(&f, path, &err) < 0) ...
 *     gguf_get_int(&f, "llama.block_count", &n, &err);
 *     gguf_release(&f);
 */
#ifndef TP_DATA_GGUF_H
#define TP_DATA_GGUF_H

#include <stdio.h>

#include "base/file.h"
#include "data/ggml.h"

enum gguf_type { /* of a value; the numbers in the file */
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64
};

enum { GGUF_ALIGNMENT = 32, GGUF_MAX_DIMS = 4, GGUF_MAX_NAME = 63, GGUF_MAX_PARTS = 65535 };

struct gguf_value {
    char *key;
    enum gguf_type type, item; /* item: of an array */
    uint64_t n;                /* items of an array, bytes of a string */
    const unsigned char *data; /* into the file */
    const unsigned char *end;  /* behind it, there */
};

struct gguf_tensor {
    char *name;
    enum ggml_type type;
    int n_dims;
    int64_t shape[GGUF_MAX_DIMS]; /* as elsewhere: the slowest first (the file has it last) */
    int64_t numel;
    uint64_t offset, bytes;
    const unsigned char *data;
};

struct gguf_file {
    char *path;
    uint32_t version;
    int n_values, n_tensors;
    struct gguf_value *values;   /* by key */
    struct gguf_tensor *tensors; /* by name */
    struct file_view file;       /* of gguf_open: what values and tensors point into */
    int n_parts;                 /* files: 1 unless split */
    char **part_paths;           /* [n_parts], of a split one */
    struct file_view *more;      /* [n_parts - 1]: the other files of a split one */
};

/* A model in several files, NAME-00001-of-0000N.gguf (llama.cpp's gguf-split), is opened by the first of
 * them, which has the keys; the tensors of all are in f->tensors. */
int gguf_open(struct gguf_file *f, const char *path, struct err *err) WARN_UNUSED;
/* The name of part i of n: of NAME.gguf, NAME-00001-of-00003.gguf.  Owned. */
char *gguf_part_path(const char *path, int i, int n);
/* n bytes already in memory (borrowed, must outlive f); name is for messages. */
int gguf_parse(struct gguf_file *f, const char *name, const void *bytes, size_t n,
               struct err *err) WARN_UNUSED;
void gguf_release(struct gguf_file *f);
/* By name, none twice: for gguf_open, which brings tensors of several files together. */
int gguf_sort_tensors(struct gguf_file *f, struct err *err) WARN_UNUSED;
const struct gguf_value *gguf_find(const struct gguf_file *f, const char *key);
const struct gguf_tensor *gguf_find_tensor(const struct gguf_file *f, const char *name);

/* Typed reading: 1 found, 0 absent (*out is left alone), -1 another type.  Integers of any width,
 * numbers of any kind.  Strings are owned copies, valid UTF-8 without NUL. */
int gguf_get_int(const struct gguf_file *f, const char *key, int64_t *out, struct err *err) WARN_UNUSED;
int gguf_get_num(const struct gguf_file *f, const char *key, double *out, struct err *err) WARN_UNUSED;
int gguf_get_bool(const struct gguf_file *f, const char *key, bool *out, struct err *err) WARN_UNUSED;
int gguf_get_str(const struct gguf_file *f, const char *key, char **out, struct err *err) WARN_UNUSED;
/* An array of this type of item, or NULL: absent, or with err set another type. */
const struct gguf_value *gguf_array(const struct gguf_file *f, const char *key, enum gguf_type item,
                                    struct err *err);
/* Walks the strings of an array: starts with *at = v->data, moves it on. */
const char *gguf_next_string(const unsigned char **at, uint64_t *n);
int32_t gguf_i32_at(const struct gguf_value *v, uint64_t i); /* of arrays of I32, U32 or F32's bits */

/* Writing.  Tensors lie in the order they were added; bytes are reproducible. */
struct gguf_out_tensor {
    char *name;
    enum ggml_type type;
    int n_dims;
    int64_t shape[GGUF_MAX_DIMS];
    uint64_t bytes;
};
struct gguf_writer {
    struct strbuf values;
    uint64_t n_values;
    int n_tensors, cap_tensors;
    struct gguf_out_tensor *tensors;
};
void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t x);
void gguf_put_i32(struct gguf_writer *w, const char *key, int32_t x);
void gguf_put_f32(struct gguf_writer *w, const char *key, float x);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool x);
void gguf_put_str(struct gguf_writer *w, const char *key, const char *text, size_t n);
/* Followed by exactly n items of gguf_add_*. */
void gguf_put_array(struct gguf_writer *w, const char *key, enum gguf_type item, uint64_t n);
void gguf_add_str(struct gguf_writer *w, const char *text, size_t n);
void gguf_add_u32(struct gguf_writer *w, uint32_t x); /* also I32, and a float's bits */
void gguf_add_bool(struct gguf_writer *w, bool x);
/* The values of f whose keys begin with prefix, as they are. */
void gguf_copy_values(struct gguf_writer *w, const struct gguf_file *f, const char *prefix);
/* shape: slowest first; its last is a multiple of the type's block. */
void gguf_add_tensor(struct gguf_writer *w, const char *name, enum ggml_type type, int n_dims,
                     const int64_t *shape);
/* To a file, atomically: write() puts the bytes of tensor i, in order, into fp; it returns 0, or -1
 * with err set. */
typedef int gguf_write_fn(void *arg, int i, FILE *fp, struct err *err);
int gguf_save(struct gguf_writer *w, const char *path, gguf_write_fn *write, void *arg,
              struct err *err) WARN_UNUSED;
/* The same into as many files as it takes for none to have more than limit bytes of tensors, where each tensor
 * allows it; named by gguf_part_path(), the first written last.  None of them may exist.  A model that fits
 * in one file is path itself. */
int gguf_save_split(struct gguf_writer *w, const char *path, uint64_t limit, gguf_write_fn *write, void *arg,
                    struct err *err) WARN_UNUSED;
void gguf_writer_release(struct gguf_writer *w);

#endif
