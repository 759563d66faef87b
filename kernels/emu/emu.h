/* emu.h - CUDA kernel sources on the CPU, for tests.
 *
 * A source that includes kernels/cuda/gpu.h compiles with nvcc for a GPU and, against this header, with a
 * host C++ compiler.  Here each thread of a block is a fiber that gives way only at barriers and warp
 * collectives; blocks run one after another, in one thread of the process.
 *
 * What is wrong ends the process with file:line, the kernel and the thread: barriers that not all reach,
 * collectives whose lanes differ or have exited, shuffles from outside the mask, launches over the
 * limits, misaligned copies.  Shared and device memory begin as NaN, and the target of cp.async is NaN until
 * it is waited for, so a store or wait that is missing shows in the results.  emu_schedule() changes the
 * order of blocks, warps and lanes: a result that changes with it is a race.  Under AddressSanitizer
 * accesses outside of shared and device arrays are found.
 *
 * A stream that is captured keeps launches, with copies of their arguments, and runs none; a graph runs them
 * again.  What must not be captured (memory of the host, allocations, waiting) ends the process.
 *
 * Not emulated: wgmma, TMA, clusters, atomics, streams that overlap, the tensor core's rounding of sums.
 */
#ifndef TP_KERNELS_EMU_H
#define TP_KERNELS_EMU_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>

/* --- types --- */

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
    unsigned x, y, z;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(2) __nv_bfloat16 {
    uint16_t bits;
};

static inline uint32_t __float_as_uint(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float __uint_as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float __bfloat162float(__nv_bfloat16 h)
{
    return __uint_as_float((uint32_t)h.bits << 16);
}

/* To nearest, ties to even; a NaN becomes the GPU's. */
static inline __nv_bfloat16 __float2bfloat16_rn(float f)
{
    uint32_t u = __float_as_uint(f);
    if ((u & 0x7fffffff) > 0x7f800000)
        return {0x7fff};
    return {(uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}

/* --- language --- */

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
/* All static shared arrays lie in one section, so that it can be poisoned for each block. */
#define __shared__ static __attribute__((section("emu_shared")))
#define DYN_SMEM(name) unsigned char *name = (unsigned char *)emu_dynamic_smem()

struct emu_thread {
    uint3 index;
    unsigned lane, warp;
};
extern emu_thread *emu_self; /* NULL on the host */
extern uint3 emu_block;
extern dim3 emu_block_dim, emu_grid_dim;
#define threadIdx (emu_self->index)
#define blockIdx (emu_block)
#define blockDim (emu_block_dim)
#define gridDim (emu_grid_dim)
void *emu_dynamic_smem(void);

/* --- launches --- */

typedef struct emu_stream *cudaStream_t;
void emu_launch(const void *kernel, const char *name, dim3 grid, dim3 block, size_t smem,
                void (*body)(void *), void *arg);
/* While the stream is captured: keeps the work for the graph; else runs it. */
void emu_submit(cudaStream_t stream, const std::function<void()> &work);

/* Arguments are copied at the launch; they lie on the host's stack while the kernel runs. */
template <class F, class... A>
static inline void emu_launch_with(const void *kernel, const char *name, dim3 grid, dim3 block, size_t smem,
                                   cudaStream_t stream, F f, A... args)
{
    emu_submit(stream, [=]() {
        auto body = [=]() { f(args...); };
        emu_launch(kernel, name, grid, block, smem, [](void *p) { (*(decltype(body) *)p)(); }, &body);
    });
}
#define LAUNCH(kernel, grid, block, smem, stream, ...)                                                       \
    emu_launch_with((const void *)(kernel), #kernel, (grid), (block), (smem), (stream),                      \
                    [](auto... x) { kernel(x...); }, __VA_ARGS__)

/* 0: ascending order of blocks, warps and lanes; 1: descending; others: random.  cudaSetDevice() takes it from
 * $EMU_SCHEDULE. */
void emu_schedule(unsigned seed);

/* --- barriers and warp collectives --- */

void emu_barrier(const char *file, int line);
/* Every lane of mask hands in arg; the last to arrive runs fn over all of them. */
void emu_collect(unsigned mask, void (*fn)(void **args, unsigned mask), void *arg, const char *file, int line);
void emu_syncwarp(unsigned mask, const char *file, int line);
enum emu_shuffle { EMU_FROM, EMU_XOR, EMU_DOWN, EMU_UP };
uint64_t emu_shuffle(unsigned mask, uint64_t value, enum emu_shuffle kind, int n, const char *file, int line);

template <class T>
static inline T emu_shuffle_value(unsigned mask, T value, enum emu_shuffle kind, int n, const char *file, int line)
{
    static_assert(sizeof(T) <= 8, "a shuffle moves up to 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emu_shuffle(mask, bits, kind, n, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define __syncthreads() emu_barrier(__FILE__, __LINE__)
#define __syncwarp() emu_syncwarp(0xffffffffu, __FILE__, __LINE__)
#define __shfl_sync(m, v, n) emu_shuffle_value(m, v, EMU_FROM, n, __FILE__, __LINE__)
#define __shfl_xor_sync(m, v, n) emu_shuffle_value(m, v, EMU_XOR, n, __FILE__, __LINE__)
#define __shfl_down_sync(m, v, n) emu_shuffle_value(m, v, EMU_DOWN, n, __FILE__, __LINE__)
#define __shfl_up_sync(m, v, n) emu_shuffle_value(m, v, EMU_UP, n, __FILE__, __LINE__)

/* --- what gpu.h has in PTX --- */

void emu_mma_m16n8k16_bf16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const char *file, int line);
void emu_ldmatrix_x4(uint32_t r[4], const void *row, bool transposed, const char *file, int line);
void emu_cp_async16(void *dst, const void *src, bool there, const char *file, int line);
void emu_cp_async_commit(void);
void emu_cp_async_wait(int leave);
#define mma_m16n8k16_bf16(d, a, b0, b1) emu_mma_m16n8k16_bf16(d, a, b0, b1, __FILE__, __LINE__)
#define ldmatrix_x4(r, row) emu_ldmatrix_x4(r, row, false, __FILE__, __LINE__)
#define ldmatrix_x4_trans(r, row) emu_ldmatrix_x4(r, row, true, __FILE__, __LINE__)
#define cp_async16(dst, src, there) emu_cp_async16(dst, src, there, __FILE__, __LINE__)
#define cp_async_commit() emu_cp_async_commit()
#define cp_async_wait(n) emu_cp_async_wait(n)

/* As one access each, not one a member. */
typedef float emu_4floats __attribute__((vector_size(16), may_alias));
typedef unsigned emu_2words __attribute__((vector_size(8), may_alias));

static inline float4 load16(const float *from)
{
    emu_4floats v = *(const emu_4floats *)from;
    return {v[0], v[1], v[2], v[3]};
}

static inline void store16(float *to, float4 x)
{
    *(emu_4floats *)to = emu_4floats{x.x, x.y, x.z, x.w};
}

static inline void store8(void *to, uint2 x)
{
    *(emu_2words *)to = emu_2words{x.x, x.y};
}

static inline float ex2_approx(float x)
{
    return exp2f(x);
}

/* Bytes 0 to 3 are low's, 4 to 7 high's; a digit of `which` names one, the lowest the result's lowest. */
static inline uint32_t __byte_perm(uint32_t low, uint32_t high, uint32_t which)
{
    uint64_t all = (uint64_t)high << 32 | low;
    uint32_t x = 0;
    for (int i = 0; i < 4; i++)
        x |= (uint32_t)(all >> (which >> 4 * i & 7) * 8 & 0xff) << 8 * i;
    return x;
}

static inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static inline int max(int a, int b)
{
    return a > b ? a : b;
}

/* --- the runtime's calls that the backend makes --- */

typedef int cudaError_t;
enum { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2 };
enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
struct cudaDeviceProp {
    char name[256];
    int multiProcessorCount;
};
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
typedef struct emu_graph *cudaGraph_t;
typedef struct emu_graph_exec *cudaGraphExec_t;
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
/* With $EMU_MEMORY, a number of bytes, there are no more of them. */
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
/* Copies from such memory are made when the stream is waited for, or by the next work of another kind: who writes it
 * before that spoils them. */
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaFuncSetAttribute(const void *kernel, int attribute, int value);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);

#endif
