/* ggml.h - the number formats of GGUF files: blocks of a row, to and from float32.
 *
 * A row is cut into blocks of `block` numbers, each stored in `bytes` bytes.  Layouts
 * and formulas: ggml's ggml-common.h and ggml-quants.c; the quantised results equal
 * those of its reference functions and of the gguf package bit for bit
 * (tests/golden/make_ggml_golden.py).
 */
#ifndef TP_DATA_GGML_H
#define TP_DATA_GGML_H

#include <stdbool.h>
#include <stdint.h>

enum ggml_type { /* the numbers in the file */
    GGML_F32 = 0,
    GGML_F16 = 1,
    GGML_Q4_0 = 2,
    GGML_Q4_1 = 3,
    GGML_Q5_0 = 6,
    GGML_Q5_1 = 7,
    GGML_Q8_0 = 8,
    GGML_Q2_K = 10,
    GGML_Q3_K = 11,
    GGML_Q4_K = 12,
    GGML_Q5_K = 13,
    GGML_Q6_K = 14,
    GGML_BF16 = 30
};

struct ggml_format {
    const char *name; /* "Q8_0" */
    int block, bytes;
    /* n_blocks blocks; src and dst need no alignment. */
    void (*decode)(const uint8_t *src, float *dst, int64_t n_blocks);
    void (*encode)(const float *src, uint8_t *dst, int64_t n_blocks); /* NULL: only read */
};

/* NULL for a type that is not known. */
const struct ggml_format *ggml_format(uint32_t type);

/* ggml_k.c: blocks of 256 with scales of their own for every 16 or 32 numbers. */
void ggml_decode_q2_k(const uint8_t *src, float *dst, int64_t n_blocks);
void ggml_decode_q3_k(const uint8_t *src, float *dst, int64_t n_blocks);
void ggml_decode_q4_k(const uint8_t *src, float *dst, int64_t n_blocks);
void ggml_decode_q5_k(const uint8_t *src, float *dst, int64_t n_blocks);
void ggml_decode_q6_k(const uint8_t *src, float *dst, int64_t n_blocks);

#endif
