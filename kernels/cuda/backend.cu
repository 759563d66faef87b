/* backend.cu - the device: opening, memory, and the table of operations. */
#include "kernels/cuda/arena.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/graph.h"
#include "kernels/cuda/int8.h"

#include <stdlib.h>

void cuda_fail(struct dev *dev, const char *what)
{
    if (!dev->error)
        dev->error = what;
}

bool cuda_check(struct dev *dev, cudaError_t error)
{
    if (error != cudaSuccess)
        cuda_fail(dev, cudaGetErrorString(error));
    return error == cudaSuccess;
}

/* From the arena while it has room, else from the system; NULL if neither has. */
static void *take(struct dev *dev, size_t bytes)
{
    struct cuda_state *s = cuda_state(dev);
    void *p = s->arena ? arena_cut(s->arena, bytes) : NULL;
    if (p || cudaMalloc(&p, bytes ? bytes : 1) == cudaSuccess)
        return p;
    (void)cudaGetLastError(); /* the caller says what did not fit */
    return NULL;
}

static bool grow(struct dev *dev, struct cuda_buffer *b, size_t bytes)
{
    if (bytes <= b->bytes)
        return true;
    cuda_free(dev, b->p);
    b->p = take(dev, bytes);
    b->bytes = b->p ? bytes : 0;
    if (!b->p)
        cuda_fail(dev, "out of memory");
    return b->p != NULL;
}

void *cuda_scratch(struct dev *dev, size_t bytes)
{
    struct cuda_buffer *b = &cuda_state(dev)->scratch;
    return grow(dev, b, bytes) ? b->p : NULL;
}

/* Layers ask for the same array again and again: it is sent once. */
const void *cuda_stage(struct dev *dev, const void *host, size_t bytes)
{
    struct cuda_state *s = cuda_state(dev);
    if (s->staged_bytes == bytes && memcmp(s->staged, host, bytes) == 0)
        return s->stage.p;
    if (bytes > s->staged_room) {
        void *p = realloc(s->staged, bytes);
        if (!p) {
            cuda_fail(dev, "out of memory");
            return NULL;
        }
        s->staged = p;
        s->staged_room = bytes;
    }
    s->staged_bytes = 0;
    if (!grow(dev, &s->stage, bytes))
        return NULL;
    memcpy(s->staged, host, bytes);
    cuda_upload(dev, s->stage.p, s->staged, bytes);
    if (dev->error)
        return NULL;
    s->staged_bytes = bytes;
    return s->stage.p;
}

bool cuda_allow_smem(struct dev *dev, const void *kernel, size_t bytes)
{
    return bytes <= 48 * 1024 ||
           cuda_check(dev, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes));
}

void *cuda_alloc(struct dev *dev, size_t bytes)
{
    void *p = take(dev, bytes);
    if (p)
        cuda_zero(dev, p, bytes);
    return p;
}

void cuda_free(struct dev *dev, void *p)
{
    struct cuda_state *s = cuda_state(dev);
    if (!p)
        return;
    graphs_clear(s->graphs);
    if (!s->arena || !arena_return(s->arena, p))
        cuda_check(dev, cudaFree(p));
}

static size_t block_bytes(struct dev *dev, size_t bytes)
{
    (void)dev;
    return (bytes + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Of scratch and stage. */
static size_t most_scratch(const struct scratch_use *u)
{
    size_t most = larger(rmsnorm_scratch(u->n, u->dim), squares_scratch(u->vocab * u->dim));
    most = larger(most, rmsnorm_scratch(u->n * u->n_heads, u->head_dim)); /* norms of heads, */
    most = larger(most, rmsnorm_scratch(u->n, u->n_heads * u->head_dim)); /* or of whole projections */
    most = larger(most, squares_scratch(2 * u->hidden_dim * u->dim));
    return u->backward ? larger(most, (size_t)(u->n * u->n_heads) * sizeof(float)) : 0;
}

static size_t most_staged(const struct scratch_use *u)
{
    return (size_t)u->n * 3 * sizeof(int32_t); /* a task a position, the worst case of attention_tasks() */
}

size_t cuda_scratch_bytes(struct dev *dev, const struct scratch_use *use)
{
    size_t search = cuda_state(dev)->blas ? blas_search_bytes(use) : 0;
    return block_bytes(dev, most_scratch(use)) + block_bytes(dev, most_staged(use)) + search;
}

bool cuda_reserve(struct dev *dev, size_t bytes, const struct scratch_use *use)
{
    struct cuda_state *s = cuda_state(dev);
    void *base = NULL;
    if (s->arena)
        return arena_free_bytes(s->arena) >= bytes;
    if (cudaMalloc(&base, bytes) != cudaSuccess) {
        (void)cudaGetLastError();
        return false;
    }
    s->arena = arena_new(base, bytes);
    return grow(dev, &s->scratch, most_scratch(use)) && grow(dev, &s->stage, most_staged(use));
}

/* Of a GPU, what its driver takes later: for code, ours and cuBLASLt's, that is loaded at its first use. */
#ifdef __CUDACC__
static const size_t LATER = 384 << 20;
#else
static const size_t LATER = 0;
#endif

size_t cuda_room(struct dev *dev)
{
    struct cuda_state *s = cuda_state(dev);
    size_t left = 0, all = 0;
    if (cudaMemGetInfo(&left, &all) != cudaSuccess)
        (void)cudaGetLastError();
    return (left > LATER ? left - LATER : 0) + (s->arena ? arena_free_bytes(s->arena) : 0);
}

enum { PINNED = 1 << 20, SMALL = 64 << 10, LINE = 64 };

/* A copy that the device reads when it comes to it; nothing waits until all room is used. */
static void upload_small(struct dev *dev, void *dst, const void *host, size_t bytes)
{
    struct cuda_state *s = cuda_state(dev);
    if (s->pinned_used + bytes > PINNED) {
        if (!cuda_check(dev, cudaStreamSynchronize(s->stream)))
            return;
        s->pinned_used = 0;
    }
    char *from = s->pinned + s->pinned_used;
    s->pinned_used += (bytes + LINE - 1) / LINE * LINE;
    memcpy(from, host, bytes);
    cuda_check(dev, cudaMemcpyAsync(dst, from, bytes, cudaMemcpyHostToDevice, s->stream));
}

void cuda_upload(struct dev *dev, void *dst, const void *host, size_t bytes)
{
    if (bytes && bytes <= SMALL && cuda_state(dev)->pinned)
        upload_small(dev, dst, host, bytes);
    else if (bytes && cuda_check(dev, cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, cuda_stream(dev))))
        cuda_check(dev, cudaStreamSynchronize(cuda_stream(dev)));
}

void cuda_download(struct dev *dev, void *host, const void *src, size_t bytes)
{
    cuda_check(dev, cudaGetLastError()); /* of the launches before */
    if (bytes && cuda_check(dev, cudaMemcpyAsync(host, src, bytes, cudaMemcpyDeviceToHost, cuda_stream(dev))))
        cuda_check(dev, cudaStreamSynchronize(cuda_stream(dev)));
}

void cuda_copy(struct dev *dev, void *dst, const void *src, size_t bytes)
{
    if (bytes)
        cuda_check(dev, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cuda_stream(dev)));
}

void cuda_zero(struct dev *dev, void *dst, size_t bytes)
{
    if (bytes)
        cuda_check(dev, cudaMemsetAsync(dst, 0, bytes, cuda_stream(dev)));
}

static const float *no_host_view(struct dev *dev, const void *acc)
{
    (void)dev, (void)acc;
    return NULL;
}

static const struct ops table = {
    OPS_ABI, "cuda",
    cuda_alloc, cuda_free, cuda_upload, cuda_download, cuda_copy, cuda_zero, cuda_convert, no_host_view,
    cuda_packed_bytes, cuda_pack_weight, cuda_linear, cuda_linear_backward_input, cuda_linear_backward_weight,
    cuda_embedding, cuda_embedding_backward, cuda_rmsnorm, cuda_rmsnorm_backward, cuda_rope, cuda_swiglu,
    cuda_swiglu_backward, cuda_add,
    cuda_attention, cuda_attention_backward, cuda_kv_cache_bytes, cuda_kv_append, cuda_kv_copy,
    cuda_attention_cached,
    cuda_logprob, cuda_logprob_backward, cuda_truncate, cuda_draw,
    cuda_adamw, cuda_sum_squares,
    block_bytes, cuda_scratch_bytes, cuda_reserve, cuda_room,
    cuda_graph_begin, cuda_graph_end,
};

static void close_device(struct dev *dev)
{
    struct cuda_state *s = cuda_state(dev);
    if (!s)
        return;
    blas_close(dev, s->blas);
    cuda_free(dev, s->scratch.p);
    cuda_free(dev, s->stage.p);
    graphs_close(s->graphs);
    if (s->arena) {
        cudaFree(arena_base(s->arena));
        arena_delete(s->arena);
    }
    cudaStreamDestroy(s->stream);
    cudaFreeHost(s->pinned);
    free(s->staged);
    free(s);
}

static int open_device(struct dev *dev, enum dtype dtype, int index, const char **error)
{
    memset(dev, 0, sizeof *dev);
    if (dtype != DTYPE_F32 && dtype != DTYPE_BF16) {
        *error = "the GPU backend computes in float32 or bfloat16";
        return -1;
    }
    struct cuda_state *s = (struct cuda_state *)calloc(1, sizeof *s);
    cudaError_t e = s ? cudaSetDevice(index) : cudaErrorMemoryAllocation;
    if (e == cudaSuccess)
        e = cudaStreamCreate(&s->stream);
    if (e != cudaSuccess) {
        *error = cudaGetErrorString(e);
        free(s);
        return -1;
    }
    dev->backend = s;
    dev->ops = &table;
    dev->name = BACKEND_NAME;
    dev->dtype = dtype;
    dev->acc = DTYPE_F32;
    dev->n_threads = 1;
    s->graphs = graphs_open();
    if (cudaMallocHost((void **)&s->pinned, PINNED) != cudaSuccess) {
        (void)cudaGetLastError();
        s->pinned = NULL;
    }
    if (dtype == DTYPE_BF16)
        s->blas = blas_open(dev);
    return 0;
}

extern "C" __attribute__((visibility("default"))) const struct plugin *thinkpipe_plugin(void)
{
    static const struct plugin plugin = {OPS_ABI, open_device, close_device};
    return &plugin;
}
