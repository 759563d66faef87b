/* flat.h - token files of other trainers: ids laid end to end.
 *
 *   npy       OLMo-core and Dolma: raw little-endian ids in FILE.npy (no numpy header; one is understood),
 *             documents in FILE.csv.gz, a line start,end[,id] each, in tokens, end exclusive.  A file
 *             token_ids_X.npy may have labels_mask_X.npy beside it, one byte a token.
 *   megatron  PREFIX.bin (raw ids) and PREFIX.idx (lengths, byte offsets, documents).
 *   llmc      llm.c: 256 int32 (magic 20240520 version 1: u16 ids; magic 20240801 version 7: u32 ids;
 *             number of ids), then the ids.
 *
 * npy without a .csv.gz and llmc do not say where documents end: a document ends behind the token eos,
 * or begins with the token bos (llm.c's own data does the latter).
 *
 * Written files appear whole or not at all, what refers to another file last.  Beside them, FILE.json
 * says dtype, eos, bos and counts, which these formats leave to their reader's memory; it is believed
 * and checked when they are read.
 */
#ifndef TP_DATA_FLAT_H
#define TP_DATA_FLAT_H

#include "data/shard.h"

enum flat_format { FLAT_NONE, FLAT_NPY, FLAT_MEGATRON, FLAT_LLMC };
enum flat_dtype { FLAT_UNKNOWN, FLAT_U8, FLAT_U16, FLAT_I32, FLAT_U32, FLAT_U64 };

struct flat_options {
    enum flat_format format;
    enum flat_dtype dtype; /* reading: FLAT_UNKNOWN = what the file says */
    int64_t eos, bos;      /* -1 = none */
};

extern const char *const flat_format_names[]; /* by enum */
extern const char *const flat_dtype_names[];
size_t flat_dtype_bytes(enum flat_dtype t);
/* By the name, and for a .bin by what is in and beside it; FLAT_NONE = none of these. */
enum flat_format flat_guess(const char *path);
/* PREFIX.bin, PREFIX.idx or PREFIX, without the suffix.  Owned. */
char *megatron_prefix(const char *path);
/* labels_mask_X.npy of token_ids_X.npy, NULL for other names.  Owned. */
char *flat_mask_path(const char *path);
/* Another file beside: path with its suffix `from` replaced (or, if it has another, `to` added).  Owned. */
char *flat_sibling(const char *path, const char *from, const char *to);

struct flat_reader;
struct flat_reader *flat_reader_open(const char *path, const struct flat_options *o, struct err *err);
/* 1 = a document, valid until the next call; 0 = end; -1 = error. */
int flat_reader_next(struct flat_reader *r, struct shard_seq *seq, struct err *err) WARN_UNUSED;
void flat_reader_close(struct flat_reader *r);

struct flat_writer;
struct flat_writer *flat_writer_open(const char *path, const struct flat_options *o, struct err *err);
/* Adds bos and eos where the document lacks them.  The formats hold tokens, npy a loss mask too: other
 * arrays are refused. */
int flat_writer_add(struct flat_writer *w, const struct shard_seq *seq, struct err *err) WARN_UNUSED;
int flat_writer_close(struct flat_writer *w, struct err *err) WARN_UNUSED; /* frees */
void flat_writer_abort(struct flat_writer *w);

#endif
