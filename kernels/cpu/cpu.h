/* cpu.h - shared by the CPU kernels; private to this folder.
 *
 * Every file here is compiled once per instruction set with -DISA=base|avx2|avx512|avx512bf16|amx
 * (avx512bf16 with -DTP_DOT: products of pairs of bf16; amx with -DTP_AMX: matrix tiles; both
 * beside AVX-512's vectors).  Names that cross files get the ISA as a suffix,
 * so that the copies link into one program.
 */
#ifndef TP_KERNELS_CPU_CPU_H
#define TP_KERNELS_CPU_CPU_H

#include "kernels/cpu/state.h"
#include "kernels/cpu/vec.h"
#include "kernels/ops.h"

#define ISA_PASTE2(name, isa) name##_##isa
#define ISA_PASTE(name, isa) ISA_PASTE2(name, isa)
#define ISA_NAME(name) ISA_PASTE(name, ISA)
#define ISA_TEXT2(isa) #isa
#define ISA_TEXT(isa) ISA_TEXT2(isa)

#define cpu_alloc ISA_NAME(cpu_alloc)
#define cpu_free ISA_NAME(cpu_free)
#define cpu_copy ISA_NAME(cpu_copy)
#define cpu_zero ISA_NAME(cpu_zero)
#define cpu_host_view ISA_NAME(cpu_host_view)
#define cpu_convert ISA_NAME(cpu_convert)
#define cpu_scratch ISA_NAME(cpu_scratch)
#define cpu_shared ISA_NAME(cpu_shared)
#define cpu_for ISA_NAME(cpu_for)
#define cpu_rows ISA_NAME(cpu_rows)
#define tile_run ISA_NAME(tile_run)
#define cpu_packed_bytes ISA_NAME(cpu_packed_bytes)
#define cpu_pack_weight ISA_NAME(cpu_pack_weight)
#define cpu_linear ISA_NAME(cpu_linear)
#define cpu_linear_backward_input ISA_NAME(cpu_linear_backward_input)
#define cpu_linear_backward_weight ISA_NAME(cpu_linear_backward_weight)
#define gemm_run ISA_NAME(gemm_run)
#define gemm_pack_transposed ISA_NAME(gemm_pack_transposed)
#define pairs_pack_a ISA_NAME(pairs_pack_a)
#define pairs_pack_b ISA_NAME(pairs_pack_b)
#define amx_packed_elems ISA_NAME(amx_packed_elems)
#define amx_pack_a ISA_NAME(amx_pack_a)
#define amx_pack_b ISA_NAME(amx_pack_b)
#define amx_panel ISA_NAME(amx_panel)
#define amx_done ISA_NAME(amx_done)
#define cpu_embedding ISA_NAME(cpu_embedding)
#define cpu_embedding_backward ISA_NAME(cpu_embedding_backward)
#define cpu_rmsnorm ISA_NAME(cpu_rmsnorm)
#define cpu_rmsnorm_backward ISA_NAME(cpu_rmsnorm_backward)
#define cpu_rope ISA_NAME(cpu_rope)
#define cpu_swiglu ISA_NAME(cpu_swiglu)
#define cpu_swiglu_backward ISA_NAME(cpu_swiglu_backward)
#define cpu_add ISA_NAME(cpu_add)
#define cpu_attention ISA_NAME(cpu_attention)
#define cpu_attention_backward ISA_NAME(cpu_attention_backward)
#define cpu_kv_cache_bytes ISA_NAME(cpu_kv_cache_bytes)
#define cpu_kv_append ISA_NAME(cpu_kv_append)
#define cpu_kv_copy ISA_NAME(cpu_kv_copy)
#define cpu_attention_cached ISA_NAME(cpu_attention_cached)
#define cpu_logprob ISA_NAME(cpu_logprob)
#define cpu_logprob_backward ISA_NAME(cpu_logprob_backward)
#define cpu_draw ISA_NAME(cpu_draw)
#define cpu_truncate ISA_NAME(cpu_truncate)
#define cpu_adamw ISA_NAME(cpu_adamw)
#define cpu_sum_squares ISA_NAME(cpu_sum_squares)
#define cpu_block_bytes ISA_NAME(cpu_block_bytes)
#define cpu_scratch_bytes ISA_NAME(cpu_scratch_bytes)
#define scratch_size ISA_NAME(scratch_size)
#define attention_scratch ISA_NAME(attention_scratch)
#define attention_shared ISA_NAME(attention_shared)
#define attention_backward_scratch ISA_NAME(attention_backward_scratch)
#define attention_cached_scratch ISA_NAME(attention_cached_scratch)
#define attention_cached_shared ISA_NAME(attention_cached_shared)
#define rmsnorm_scratch ISA_NAME(rmsnorm_scratch)
#define rmsnorm_backward_shared ISA_NAME(rmsnorm_backward_shared)
#define sum_squares_shared ISA_NAME(sum_squares_shared)
#define draw_shared ISA_NAME(draw_shared)
#define truncate_shared ISA_NAME(truncate_shared)
#define logits_max ISA_NAME(logits_max)
#define logits_exponentials ISA_NAME(logits_exponentials)
#define gemm_scratch ISA_NAME(gemm_scratch)

/* -- mem.c -- */
void *cpu_alloc(struct dev *dev, size_t bytes);
void cpu_free(struct dev *dev, void *p);
void cpu_copy(struct dev *dev, void *dst, const void *src, size_t bytes);
void cpu_zero(struct dev *dev, void *dst, size_t bytes);
void cpu_convert(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from,
                 int64_t n);
const float *cpu_host_view(struct dev *dev, const void *acc);
/* Makes sure every thread has this much scratch, or this much is shared; false (and dev->error)
 * when there is no memory.  Contents do not survive the op.  Call outside parallel work. */
bool cpu_scratch(struct dev *dev, size_t bytes);
void *cpu_shared(struct dev *dev, size_t bytes);
size_t scratch_size(size_t bytes); /* what cpu_scratch() keeps for each thread that wants so much */
/* dev->parallel_for, without its cost when there is nothing to share out. */
void cpu_for(struct dev *dev, int64_t n, void (*fn)(void *arg, int64_t i, int thread), void *arg);
/* Calls fn(arg, first, last, thread) over ranges of [0, n) that touch about 16k elements each. */
void cpu_rows(struct dev *dev, int64_t n, int64_t row_elems,
              void (*fn)(void *arg, int64_t first, int64_t last, int thread), void *arg);

static inline float *thread_scratch(const struct dev *dev, int thread)
{
    return (float *)(void *)((char *)dev->scratch + (size_t)thread * dev->scratch_bytes);
}

static inline int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline void fail(struct dev *dev, const char *text)
{
    if (!dev->error)
        dev->error = text;
}

/* -- rows: elements of either type, by index, through floats -- */

static inline const void *elem(const void *p, enum dtype t, int64_t i)
{
    return (const char *)p + i * (int64_t)dtype_bytes(t);
}

static inline void *elem_mut(void *p, enum dtype t, int64_t i)
{
    return (char *)p + i * (int64_t)dtype_bytes(t);
}

/* Rows are short: a call of memcpy would cost as much as it copies. */
static inline void copy_floats(float *dst, const float *src, int64_t n)
{
    int64_t i = 0;
    if (n > 512) {
        memcpy(dst, src, (size_t)n * 4);
        return;
    }
    for (; i + 2 * VW <= n; i += 2 * VW) {
        vf lo = vload(src + i), hi = vload(src + i + VW);
        vstore(dst + i, lo);
        vstore(dst + i + VW, hi);
    }
    for (; i < n; i++)
        dst[i] = src[i];
}

/* dst[0, n) = src[i0, i0 + n) */
static inline void load_floats(float *dst, const void *src, enum dtype t, int64_t i0, int64_t n)
{
    if (t == DTYPE_F32) {
        copy_floats(dst, (const float *)src + i0, n);
        return;
    }
    const uint16_t *s = (const uint16_t *)src + i0;
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(dst + i, vload_bf16(s + i));
    for (; i < n; i++)
        dst[i] = bf16_to_f32(s[i]);
}

/* Same, and zeros up to the next multiple of LANES. */
static inline void load_row(float *dst, const void *src, enum dtype t, int64_t i0, int64_t n)
{
    load_floats(dst, src, t, i0, n);
    for (int64_t i = n; i < round_up(n, LANES); i++)
        dst[i] = 0;
}

static inline void store_row(void *dst, enum dtype t, int64_t i0, const float *src, int64_t n)
{
    if (t == DTYPE_F32) {
        copy_floats((float *)dst + i0, src, n);
        return;
    }
    uint16_t *d = (uint16_t *)dst + i0;
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore_bf16(d + i, vload(src + i));
    for (; i < n; i++)
        d[i] = f32_to_bf16(src[i]);
}

/* src[i0, i0 + n) as floats with zeros up to LANES: where it is, if it can be, else in buf. */
static inline const float *row_view(float *buf, const void *src, enum dtype t, int64_t i0,
                                    int64_t n)
{
    if (t == DTYPE_F32 && n % LANES == 0)
        return (const float *)src + i0;
    load_row(buf, src, t, i0, n);
    return buf;
}

/* Where a row of the same kind may be written; row_done() puts it in its place. */
static inline float *row_target(float *buf, void *dst, enum dtype t, int64_t i0, int64_t n)
{
    return t == DTYPE_F32 && n % LANES == 0 ? (float *)dst + i0 : buf;
}

static inline void row_done(const float *row, void *dst, enum dtype t, int64_t i0, int64_t n)
{
    if (t != DTYPE_F32 || n % LANES != 0)
        store_row(dst, t, i0, row, n);
}

/* -- tile.c: the one inner loop of all matrix products --
 *
 * C[rows, np * nv * VW] (+)= A[rows, K] B[K, columns], one fused multiply-add chain per element
 * over ascending k, from zero or (load) from what C holds; so cutting K changes no bit.
 * A is fp32, lines of lda: rows (TILE_ROWS) or columns (TILE_COLS).  B's columns are np
 * panels of nv vectors: k-th row of panel p at b + p * panel + k * ldb, of b_type.
 * With B_PAIRS an element of A or B is a pair of bf16, k even and odd, and K counts pairs; with
 * B_INT8_PAIRS B has two rows of NR int8 for a pair, which bf16 holds exactly, and ldb spans both. */
#define K_BLOCK 256
#define A_STRIDE 272 /* 17 cache lines: rows do not fall onto the same cache set */

#if VW == 16
#define TILE_ACC 24 /* accumulators that fit the registers beside B and the broadcast */
#elif VW == 8
#define TILE_ACC 12
#else
#define TILE_ACC 8
#endif
#ifdef TP_AMX
#define TILES 1 /* has matrix tiles */
#else
#define TILES 0
#endif
#ifdef TP_DOT
#define DOTS 1 /* has dot products of pairs of bf16 */
#else
#define DOTS 0
#endif
#define NR (2 * VW)       /* columns of a weight panel */
#define MR (TILE_ACC / 2) /* rows of the tile that goes with it */

enum tile_order { TILE_ROWS, TILE_COLS };
enum b_type { B_F32, B_BF16, B_INT8, B_PAIRS, B_INT8_PAIRS };

static inline int64_t b_bytes(enum b_type t)
{
    return t == B_INT8 || t == B_INT8_PAIRS ? 1 : t == B_BF16 ? 2 : 4;
}

struct tile {
    const float *a;
    int64_t lda;
    const void *b;
    int64_t ldb, panel; /* elements */
    int64_t K;
    float *c;
    int64_t ldc;
    enum b_type b_type;
    bool load;
    /* What is read after b, as long as it, to be fetched meanwhile; or NULL.  tile_run() shares it out among
     * its tiles: each fetches ahead_step bytes a k. */
    const char *ahead;
    int64_t ahead_step;
};

void tile_run(const struct tile *t, enum tile_order order, int np, int nv, int64_t rows);

/* -- kv_cache.c: keys and values of one head, in a sequence or in a page of the cache --
 * K in blocks of LANES positions, transposed: [block][k_dim][LANES]; V row by row, padded to
 * LANES: [position][v_dim].  Blocks are by absolute position.  With pairs (pairs.h) an element is a
 * pair: [block][k_dim / 2][LANES][2] and [position / 2][v_dim][2]. */
struct kv_view {
    void *k, *v;
    enum dtype dtype;
    int64_t head_dim, k_dim, v_dim;
};

static inline int64_t kv_k_dim(int64_t head_dim)
{
    return DOTS ? round_up(head_dim, 2) : head_dim;
}

static inline int64_t kv_blocks(int64_t len)
{
    return (len + LANES - 1) / LANES;
}

/* Elements of the K and V of n blocks. */
static inline int64_t kv_elems(int64_t n_blocks, int64_t head_dim)
{
    return n_blocks * LANES * (kv_k_dim(head_dim) + round_up(head_dim, LANES));
}

static inline struct kv_view kv_view(void *base, enum dtype t, int64_t n_blocks, int64_t head_dim)
{
    return (struct kv_view){
        .k = base,
        .v = elem_mut(base, t, n_blocks * LANES * kv_k_dim(head_dim)),
        .dtype = t,
        .head_dim = head_dim,
        .k_dim = kv_k_dim(head_dim),
        .v_dim = round_up(head_dim, LANES),
    };
}

#define PAGE_BLOCKS (KV_PAGE / LANES)
_Static_assert(KV_PAGE % LANES == 0 && K_BLOCK % KV_PAGE == 0, "a page of the cache is some rows of lanes");

/* What one key head has in a page of a cache, which is [page][head]. */
static inline struct kv_view kv_page_view(void *cache, enum dtype t, const struct kv_shape *s,
                                          int64_t page, int64_t head)
{
    int64_t at = (page * s->n_kv_heads + head) * kv_elems(PAGE_BLOCKS, s->head_dim);
    return kv_view(elem_mut(cache, t, at), t, PAGE_BLOCKS, s->head_dim);
}

#define MAX_HEAD_DIM K_BLOCK

/* -- the table's other entries -- */
size_t cpu_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how);
void cpu_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K,
                     enum packing how);
void cpu_linear(struct dev *dev, const struct linear_args *a);
void cpu_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a);
void cpu_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a);
void cpu_embedding(struct dev *dev, const struct embedding_args *a);
void cpu_embedding_backward(struct dev *dev, const struct embedding_backward_args *a);
void cpu_rmsnorm(struct dev *dev, const struct rmsnorm_args *a);
void cpu_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a);
void cpu_rope(struct dev *dev, const struct rope_args *a);
void cpu_swiglu(struct dev *dev, const struct swiglu_args *a);
void cpu_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a);
void cpu_add(struct dev *dev, void *acc, const void *x, int64_t n);
void cpu_attention(struct dev *dev, const struct attention_args *a);
void cpu_attention_backward(struct dev *dev, const struct attention_backward_args *a);
size_t cpu_kv_cache_bytes(struct dev *dev, const struct kv_shape *shape);
void cpu_kv_append(struct dev *dev, const struct kv_append_args *a);
void cpu_kv_copy(struct dev *dev, const struct kv_copy_args *a);
void cpu_attention_cached(struct dev *dev, const struct attention_cached_args *a);
void cpu_logprob(struct dev *dev, const struct logprob_args *a);
void cpu_logprob_backward(struct dev *dev, const struct logprob_backward_args *a);
void cpu_truncate(struct dev *dev, const struct truncate_args *a);
void cpu_draw(struct dev *dev, const struct draw_args *a);
void cpu_adamw(struct dev *dev, const struct adamw_args *a);
double cpu_sum_squares(struct dev *dev, const void *x, int64_t n);
size_t cpu_block_bytes(struct dev *dev, size_t bytes);
size_t cpu_scratch_bytes(struct dev *dev, const struct scratch_use *use);

/* -- what an op asks of cpu_scratch() and cpu_shared(), in bytes; each op calls its own, scratch.c all -- */
size_t attention_scratch(const struct dev *dev, int64_t longest, int64_t head_dim);
size_t attention_shared(const struct dev *dev, int64_t keys, int64_t n_seqs, int64_t n_kv_heads,
                        int64_t head_dim);
size_t attention_backward_scratch(const struct dev *dev, int64_t longest, int64_t head_dim);
size_t attention_cached_scratch(int64_t longest);
size_t attention_cached_shared(int64_t rows);
size_t rmsnorm_scratch(int64_t dim);
size_t rmsnorm_backward_shared(int64_t n_rows, int64_t dim);
size_t sum_squares_shared(int64_t n);
size_t draw_shared(int64_t vocab, int64_t n_threads);
size_t truncate_shared(int64_t vocab, int64_t n_threads);
/* draw.c: the largest of n logits; and e[LOGITS_CHUNK] = exp(inv_temp * row - max) of chunk c of a row, as far as
 * the row goes.  Returns their sum. */
#define LOGITS_CHUNK 256
float logits_max(const float *row, int64_t n);
float logits_exponentials(const float *row, int64_t vocab, int64_t c, float inv_temp, float max, float *e);

#endif
