/* backend.cu - the device: opening, memory, and the table of operations. */
#include "kernels/cuda/backend.h"
#include "kernels/cuda/blas.h"

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

static bool grow(struct dev *dev, struct cuda_buffer *b, size_t bytes)
{
    if (bytes <= b->bytes)
        return true;
    cuda_free(dev, b->p);
    b->p = NULL;
    b->bytes = 0;
    if (!cuda_check(dev, cudaMalloc(&b->p, bytes)))
        return false;
    b->bytes = bytes;
    return true;
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
    void *p = NULL;
    if (cudaMalloc(&p, bytes ? bytes : 1) != cudaSuccess) {
        (void)cudaGetLastError(); /* the caller says what did not fit */
        return NULL;
    }
    cuda_zero(dev, p, bytes);
    return p;
}

void cuda_free(struct dev *dev, void *p)
{
    if (p)
        cuda_check(dev, cudaFree(p));
}

void cuda_upload(struct dev *dev, void *dst, const void *host, size_t bytes)
{
    if (bytes && cuda_check(dev, cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, cuda_stream(dev))))
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

/* Weights are read as they are; int8 copies are the CPU's. */
static size_t no_packed_copy(struct dev *dev, int64_t N, int64_t K, enum packing how)
{
    (void)dev, (void)N, (void)K, (void)how;
    return 0;
}

static void pack_nothing(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K, enum packing how)
{
    (void)packed, (void)w, (void)N, (void)K, (void)how;
    cuda_fail(dev, "this backend keeps no packed weights");
}

static const float *no_host_view(struct dev *dev, const void *acc)
{
    (void)dev, (void)acc;
    return NULL;
}

static const struct ops table = {
    OPS_ABI, "cuda",
    cuda_alloc, cuda_free, cuda_upload, cuda_download, cuda_copy, cuda_zero, cuda_convert, no_host_view,
    no_packed_copy, pack_nothing, cuda_linear, cuda_linear_backward_input, cuda_linear_backward_weight,
    cuda_embedding, cuda_embedding_backward, cuda_rmsnorm, cuda_rmsnorm_backward, cuda_rope, cuda_swiglu,
    cuda_swiglu_backward, cuda_add,
    cuda_attention, cuda_attention_backward, cuda_kv_cache_bytes, cuda_kv_append, cuda_kv_copy,
    cuda_attention_cached,
    cuda_logprob, cuda_logprob_backward, cuda_draw,
    cuda_adamw, cuda_sum_squares,
};

static void close_device(struct dev *dev)
{
    struct cuda_state *s = cuda_state(dev);
    if (!s)
        return;
    blas_close(dev, s->blas);
    cuda_free(dev, s->scratch.p);
    cuda_free(dev, s->stage.p);
    cudaStreamDestroy(s->stream);
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
    if (dtype == DTYPE_BF16)
        s->blas = blas_open(dev);
    return 0;
}

extern "C" __attribute__((visibility("default"))) const struct plugin *thinkpipe_plugin(void)
{
    static const struct plugin plugin = {OPS_ABI, open_device, close_device};
    return &plugin;
}
