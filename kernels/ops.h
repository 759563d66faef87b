/* ops.h - the numerical operations, as one table that each backend fills.
 *
 * A backend is a folder: cpu/ (compiled once per instruction set), ref/ (plain
 * double loops, tests only), later cuda/.  Callers hold a `struct dev`, get
 * memory from it and call dev->ops->OP(dev, &args).  Launchers return nothing;
 * the device keeps its first error (dev_error()), like ferror().
 *
 * Memory.  Every pointer in an args struct is device memory unless it says
 * "host".  Three element types occur:
 *   W    dev->dtype: weights and activations (F32 or BF16; F64 in ref/)
 *   acc  dev->acc: residual stream, gradients of weights, softmax statistics,
 *        master weights and moments (F32; F64 in ref/)
 *   i32  int32_t
 * Matrices are row-major; weights are [out, in] as in safetensors.
 *
 * Exactness.  Each result row is a function of its own inputs alone: one fixed
 * order over k in matrix products, one fixed order over keys (by absolute
 * position) in attention, fixed-shape reductions.  So it does not depend on the
 * number of rows in the call, where a row stands, how a sequence was cut into
 * calls, or the number of threads.  Reductions over tokens (weight gradients)
 * run in ascending token order.
 *
 * Compiles as C17 and C++; includes nothing of common/.
 */
#ifndef TP_KERNELS_OPS_H
#define TP_KERNELS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OPS_ABI 5

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_F64 };

static inline size_t dtype_bytes(enum dtype t)
{
    return t == DTYPE_BF16 ? 2 : t == DTYPE_F32 ? 4 : 8;
}

struct ops;

/* Runs fn(arg, i, thread) for i in [0, n), thread in [0, n_threads); the host's thread pool, handed
 * in by the opener. */
typedef void (*dev_parallel_for)(int64_t n, void (*fn)(void *arg, int64_t i, int thread),
                                 void *arg);

struct dev {
    const struct ops *ops;
    const char *name;       /* "cpu/avx512", "ref" */
    enum dtype dtype, acc;
    int n_threads;
    dev_parallel_for parallel_for;
    void *scratch;          /* backend's own, grown as needed: [n_threads] x scratch_bytes */
    size_t scratch_bytes;
    const char *error;      /* first error, NULL = none */
    void *backend;          /* backend's own state */
    void (*close)(struct dev *dev); /* releases backend and scratch */
};

/* What a packed copy of a weight holds: its W, or int8 with one scale a row, w ~ q * max|row| / 127:
 * for generation where exactness is not asked for. */
enum packing { PACK_W, PACK_INT8 };

/* y[M,N] = x[M,K] w[N,K]^T + bias[N].  bias may be NULL.
 * accumulate: y += instead of y =.  y_acc: y is acc instead of W. */
struct linear_args {
    void *y;            /* [M, N] W, or acc if y_acc */
    const void *x;      /* [M, K] W */
    const void *w;      /* [N, K] W */
    const void *packed; /* pack_weight()'s copy of w, or NULL (then packed on the fly) */
    const void *bias;   /* [N] W or NULL */
    int64_t M, N, K;
    enum packing packing; /* of packed */
    bool accumulate, y_acc;
};

/* dx[M,K] (+)= dy[M,N] w[N,K].  dx is W, or acc if dx_acc. */
struct linear_backward_input_args {
    void *dx;
    const void *dy; /* [M, N] W */
    const void *w;  /* [N, K] W */
    int64_t M, N, K;
    bool accumulate, dx_acc;
};

/* dw[N,K] += dy[M,N]^T x[M,K], and dbias[N] += column sums of dy if dbias is not NULL. */
struct linear_backward_weight_args {
    void *dw;       /* [N, K] acc */
    void *dbias;    /* [N] acc or NULL */
    const void *dy; /* [M, N] W */
    const void *x;  /* [M, K] W */
    int64_t M, N, K;
};

/* Copies rows of the table: x[i] = table[tokens[i]].  Backward: dtable[tokens[i]] += dx[i], in
 * ascending i. */
struct embedding_args {
    void *x;               /* [n, dim] acc */
    const void *table;     /* [vocab, dim] W */
    const int32_t *tokens; /* [n] i32 */
    int64_t n, dim, vocab;
};
struct embedding_backward_args {
    void *dtable;          /* [vocab, dim] acc */
    const void *dx;        /* [n, dim] acc */
    const int32_t *tokens; /* [n] */
    int64_t n, dim, vocab;
};

/* Root mean square normalisation (Zhang and Sennrich, arXiv:1910.07467) of each row:
 * y = x * rsqrt(mean(x^2) + eps) * w.  round_first: x * rstd is rounded to W before the product
 * with w (Llama, Qwen); otherwise one rounding at the end (Olmo).
 * Rows: n_rows of dim elements; row r starts at x + (r / heads) * stride + (r % heads) * dim, so
 * that heads = 1, stride = dim is a plain matrix and heads = n_heads is a per-head QK-norm in
 * place.  x is W, or acc if x_acc.  y is W unless y_acc (then y_accumulate adds to it).
 * y may be x when the types agree. */
struct rmsnorm_args {
    void *y;
    const void *x;
    const void *w; /* [dim] W */
    void *rstd;    /* [n_rows] acc, kept for backward; may be NULL */
    int64_t n_rows, dim, heads, x_stride, y_stride;
    double eps;
    bool x_acc, y_acc, y_accumulate, round_first;
};
/* dx (+)= gradient; dw[dim] += gradient, rows in ascending order.  x is the forward's input. */
struct rmsnorm_backward_args {
    void *dx;       /* W, or acc if dx_acc; layout of x; may be dy when the types agree */
    void *dw;       /* [dim] acc */
    const void *dy; /* W, or acc if dy_acc; layout of y */
    const void *x;
    const void *w;
    const void *rstd; /* [n_rows] acc */
    int64_t n_rows, dim, heads, x_stride, y_stride; /* dx has x's stride, dy has y's */
    bool x_acc, dx_acc, dy_acc, dx_accumulate;
};

/* Rotary positions in place, rotate-half layout (pairs (i, i + head_dim/2)): Su et al.,
 * arXiv:2104.09864.  inverse rotates back, which is the backward pass (for scaled tables the
 * transpose, not the inverse: the scale multiplies in both). */
struct rope_args {
    void *x;                  /* row i, head h at x + i * stride + h * head_dim, W */
    const int32_t *positions; /* [n] */
    const void *cos, *sin;    /* [max_pos, head_dim / 2] acc, any scale included */
    int64_t n, heads, head_dim, stride;
    bool inverse;
};

/* h = silu(gate) * up.  gate and up are rows of one [n, 2 * dim] matrix: gate first. */
struct swiglu_args {
    void *h;             /* [n, dim] W */
    const void *gate_up; /* [n, 2 * dim] W */
    int64_t n, dim;
};
struct swiglu_backward_args {
    void *dgate_up;      /* [n, 2 * dim] W; may be gate_up itself */
    const void *dh;      /* [n, dim] W */
    const void *gate_up;
    int64_t n, dim;
};

/* Causal attention within packed sequences.  Query head h uses key head h / (n_heads / n_kv_heads).
 * window > 0: position i sees j with i - window < j <= i (itself included); 0: all before it.
 * q, k, v are slices of rows: row i at q + i * q_stride elements. */
struct attention_args {
    void *out;      /* [n, n_heads * head_dim] W */
    void *lse;      /* [n, n_heads] acc: log-sum-exp of the scaled scores, for backward; or NULL */
    const void *q;  /* [n, n_heads, head_dim] W */
    const void *k, *v; /* [n, n_kv_heads, head_dim] W */
    const int32_t *seq_start; /* host [n_seqs + 1], ascending; seq_start[n_seqs] = n */
    int64_t n, n_seqs, n_heads, n_kv_heads, head_dim, q_stride, kv_stride, window;
    double scale;
};
struct attention_backward_args {
    void *dq, *dk, *dv; /* layouts and strides of q, k, v; overwritten */
    const void *dout, *out;
    const void *lse;
    const void *q, *k, *v;
    const int32_t *seq_start; /* host */
    int64_t n, n_seqs, n_heads, n_kv_heads, head_dim, q_stride, kv_stride, window;
    double scale;
};

/* A KV cache of one layer, in pages of KV_PAGE positions (Kwon et al., arXiv:2309.06180), in a layout of the
 * backend's own, kv_cache_bytes() long. */
#define KV_PAGE 64
struct kv_shape {
    int64_t n_pages, n_kv_heads, head_dim;
};
/* Where sequences are: position p of slot s in page pages[s * slot_pages + p / KV_PAGE], as its p % KV_PAGE.  A
 * page may be in more than one slot, and is only read then. */
struct kv_table {
    const int32_t *pages; /* [n_slots, slot_pages]; what lies past a slot's positions is not looked at */
    int64_t n_slots, slot_pages;
};
/* Writes row i of k and v at (slot[i], pos[i]).  A page is filled in ascending positions: writing one may
 * clear those after it.  Of a backend with graphs, whose calls have fixed numbers of rows, a
 * row with slot[i] < 0 is none, here and in attention_cached: nothing is read or written. */
struct kv_append_args {
    void *cache;
    struct kv_shape shape;
    struct kv_table table;
    const void *k, *v; /* row i at k + i * kv_stride, W */
    const int32_t *slot, *pos; /* [n] */
    int64_t n, kv_stride;
};
/* Copies page src to page dst. */
struct kv_copy_args {
    void *cache;
    struct kv_shape shape;
    int32_t src, dst;
};
/* Row i attends to positions 0..pos[i] (or the window) of slot[i]; its own k and v have been
 * appended.  Bitwise equal to attention() over the same sequence.  Rows that begin with the same pages may read
 * them together. */
struct attention_cached_args {
    void *out;         /* [n, n_heads * head_dim] W */
    const void *q;     /* row i at q + i * q_stride, W */
    const void *cache;
    struct kv_shape shape;
    struct kv_table table;
    const int32_t *slot, *pos; /* [n] */
    int64_t n, n_heads, q_stride, window;
    double scale;
};

/* Log-probability of the target under softmax(inv_temp[i] * logits[i]), online log-sum-exp
 * (Milakov and Gimelshein, arXiv:1805.02867), and the entropy of that distribution.
 * vocab entries are used of rows that are stride long. */
struct logprob_args {
    void *logprobs;         /* [n] acc */
    void *lse;              /* [n] acc: log-sum-exp of the scaled logits; or NULL */
    void *entropy;          /* [n] acc, or NULL */
    const void *logits;     /* [n, stride] acc */
    const int32_t *targets; /* [n], in [0, vocab) */
    const void *inv_temp;   /* [n] acc, or NULL = 1 */
    int64_t n, vocab, stride;
};
/* dlogits[i,v] = inv_temp[i] * (dlogprobs[i] * ((v == target) - p[v]) + 2 * dz[i] * lse[i] * p[v]),
 * p = softmax of the scaled logits: the second term is the gradient of dz * lse^2 (z-loss).
 * Columns from vocab to stride get 0. */
struct logprob_backward_args {
    void *dlogits;          /* [n, stride] W */
    const void *logits;     /* [n, stride] acc */
    const void *lse;        /* [n] acc, from the forward */
    const void *dlogprobs;  /* [n] acc */
    const void *dz;         /* [n] acc, or NULL = 0 */
    const int32_t *targets;
    const void *inv_temp;
    int64_t n, vocab, stride;
};

/* Leaves of each row's p = softmax(inv_temp[i] * logits[i]) what transformers' cuts leave, in its order, and makes the other
 * logits -inf: the top_k[i] likeliest (0 = all); of these the fewest that have top_p[i] of their mass (1 = all); of
 * these the ones with at least min_p[i] times the largest p.  Equal ones rank by id, lowest first, and the first
 * always stays.  p counts as a float over the largest p, and mass as an integer, in units of 2^-40 of the largest:
 * no order of adding changes a sum. */
struct truncate_args {
    void *logits;                /* [n, stride] acc */
    const void *inv_temp;        /* [n] acc, or NULL = 1 */
    const int32_t *top_k;        /* [n] */
    const double *top_p, *min_p; /* [n] */
    int64_t n, vocab, stride;
};
#define TRUNCATE_UNIT 0x1p40

/* tokens[i] = the first whose cumulative probability under softmax(inv_temp[i] * logits[i]) exceeds
 * u[i] in [0, 1); with u[i] < 0 the lowest id of the largest logit.  Never a token of probability 0. */
struct draw_args {
    int32_t *tokens;      /* [n] */
    const void *logits;   /* [n, stride] acc */
    const void *inv_temp; /* [n] acc, or NULL = 1 */
    const double *u;      /* [n] */
    int64_t n, vocab, stride;
};

/* AdamW (Loshchilov and Hutter, arXiv:1711.05101) on fp32 masters:
 *   g = grad * grad_scale; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2
 *   master -= lr * (m / bias1 / (sqrt(v / bias2) + eps) + weight_decay * master)
 * where biasN = 1 - bN^step; then weights = master rounded to W. */
struct adamw_args {
    void *master, *m, *v; /* [n] acc */
    const void *grad;     /* [n] acc */
    void *weights;        /* [n] W; may be master when the types agree */
    int64_t n;
    double lr, beta1, beta2, eps, weight_decay, bias1, bias2, grad_scale;
};

/* Calls to come, for scratch_bytes(): a decoder's, on packed positions or on rows of a cache. */
struct scratch_use {
    int64_t n, longest;              /* packed positions, and those of their longest sequence; 0 = none */
    int64_t cached_rows, cached_len; /* rows of a cached call, and the furthest position; 0 = none */
    int64_t dim, hidden_dim, n_heads, n_kv_heads, head_dim, vocab, logits_rows;
    bool backward;
};

/* What graph_begin() wants: the calls; the calls and graph_end(); nothing, they have run. */
enum graph_state { GRAPH_PLAIN, GRAPH_RECORDS, GRAPH_RAN };

struct ops {
    int abi;
    const char *name;
    /* -- memory -- */
    void *(*alloc)(struct dev *dev, size_t bytes); /* zeroed, 64-byte aligned; NULL = none left */
    void (*free)(struct dev *dev, void *p);
    void (*upload)(struct dev *dev, void *dst, const void *host, size_t bytes);
    void (*download)(struct dev *dev, void *host, const void *src, size_t bytes);
    void (*copy)(struct dev *dev, void *dst, const void *src, size_t bytes);
    void (*zero)(struct dev *dev, void *dst, size_t bytes);
    void (*convert)(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from,
                    int64_t n);
    /* An acc array as floats that the host may read in place, or NULL. */
    const float *(*host_view)(struct dev *dev, const void *acc);
    /* -- matrix products -- */
    size_t (*packed_bytes)(struct dev *dev, int64_t N, int64_t K, enum packing how); /* 0 = none */
    void (*pack_weight)(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K,
                        enum packing how);
    void (*linear)(struct dev *dev, const struct linear_args *a);
    void (*linear_backward_input)(struct dev *dev, const struct linear_backward_input_args *a);
    void (*linear_backward_weight)(struct dev *dev, const struct linear_backward_weight_args *a);
    /* -- rows -- */
    void (*embedding)(struct dev *dev, const struct embedding_args *a);
    void (*embedding_backward)(struct dev *dev, const struct embedding_backward_args *a);
    void (*rmsnorm)(struct dev *dev, const struct rmsnorm_args *a);
    void (*rmsnorm_backward)(struct dev *dev, const struct rmsnorm_backward_args *a);
    void (*rope)(struct dev *dev, const struct rope_args *a);
    void (*swiglu)(struct dev *dev, const struct swiglu_args *a);
    void (*swiglu_backward)(struct dev *dev, const struct swiglu_backward_args *a);
    /* acc += W, elementwise */
    void (*add)(struct dev *dev, void *acc, const void *x, int64_t n);
    /* -- attention -- */
    void (*attention)(struct dev *dev, const struct attention_args *a);
    void (*attention_backward)(struct dev *dev, const struct attention_backward_args *a);
    size_t (*kv_cache_bytes)(struct dev *dev, const struct kv_shape *shape);
    void (*kv_append)(struct dev *dev, const struct kv_append_args *a);
    void (*kv_copy)(struct dev *dev, const struct kv_copy_args *a);
    void (*attention_cached)(struct dev *dev, const struct attention_cached_args *a);
    /* -- loss -- */
    void (*logprob)(struct dev *dev, const struct logprob_args *a);
    void (*logprob_backward)(struct dev *dev, const struct logprob_backward_args *a);
    void (*truncate)(struct dev *dev, const struct truncate_args *a);
    void (*draw)(struct dev *dev, const struct draw_args *a);
    /* -- optimiser -- */
    void (*adamw)(struct dev *dev, const struct adamw_args *a);
    double (*sum_squares)(struct dev *dev, const void *x, int64_t n); /* acc; fixed order */
    /* -- planning -- */
    /* Bytes that alloc() takes for so many; NULL = as many. */
    size_t (*block_bytes)(struct dev *dev, size_t bytes);
    /* Bytes that the backend comes to hold for itself in such calls; NULL = it cannot say. */
    size_t (*scratch_bytes)(struct dev *dev, const struct scratch_use *use);
    /* -- a device with memory of its own; NULL = it is the host's -- */
    /* Takes so many bytes at once, for alloc() to cut up and for what the backend holds for itself in such calls;
     * what does not fit in there is had one by one.  False = there are not so many, and none is taken. */
    bool (*reserve)(struct dev *dev, size_t bytes, const struct scratch_use *use);
    /* Bytes that alloc() could give out now. */
    size_t (*room)(struct dev *dev);
    /* -- calls that come again, the same but for what lies in device memory; NULL = none -- */
    /* Key names the calls that would follow, up to graph_end().  The key's first time they are plain calls, so that
     * all they need is there; the second time they are recorded, and run at graph_end(); then the record
     * runs.  Not to be recorded: the memory ops but copy, zero and convert, and ops with arrays of the host.  free()
     * ends all records. */
    enum graph_state (*graph_begin)(struct dev *dev, uint64_t key);
    void (*graph_end)(struct dev *dev);
};

/* Opens the best CPU backend for this machine (or the one named by the environment variable
 * THINKPIPE_CPU), with dtype F32 or BF16.  Returns 0, or -1 with *error set to a static text.  dev
 * is zeroed first.  Backends, each with bits of its own:
 *   base, avx2, avx512   fp32 multiply-adds of 4, 8 or 16 lanes
 *   avx512bf16           matrix products of bf16 by VDPBF16PS (pairs of k), the rest as avx512
 *   amx                  matrix products of bf16 on AMX tiles, the rest as avx512
 *   amx-bf16x3, -bf16x6  products of fp32 too, as 3 or 6 products of bf16 parts: relative error
 *                        about 4e-6 and 1e-7; only when named */
int dev_open_cpu(struct dev *dev, enum dtype dtype, int n_threads, dev_parallel_for parallel_for,
                 const char **error);
/* Opens a GPU backend, the shared library thinkpipe-KIND.so in $THINKPIPE_PLUGINS or else in
 * ../lib/thinkpipe of the program's folder: "cuda" on GPU number `index`, once the driver has shown that it is there;
 * "emu" is the same code on the CPU, for tests.  Returns 0, or -1 with *error set (kept until the next call). */
int dev_open_plugin(struct dev *dev, const char *kind, enum dtype dtype, int index, const char **error);
/* Whether there is such a library. */
bool dev_has_plugin(const char *kind);
void dev_close(struct dev *dev);
/* The name that dev_open_cpu() would give, or its error. */
const char *dev_cpu_name(void);
static inline const char *dev_error(const struct dev *dev)
{
    return dev->error;
}

#ifdef __cplusplus
}
#endif
#endif
