/* gpu.h - the device side: what a kernel source includes, and all PTX there is.
 *
 * nvcc takes CUDA and the wrappers below; a host C++ compiler takes kernels/emu/emu.h, which runs the same
 * sources on the CPU for tests, fragment by fragment.  Rules for a kernel source:
 *   - PTX only through the wrappers; launches only through LAUNCH(kernel, grid, block, smem, stream, ...);
 *   - dynamic shared memory through DYN_SMEM(name), one array a kernel;
 *   - static shared arrays in plain functions, not in templates;
 *   - no atomics on floating point: sums have one order.
 */
#ifndef TP_KERNELS_CUDA_GPU_H
#define TP_KERNELS_CUDA_GPU_H

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#define LAUNCH(kernel, grid, block, smem, stream, ...) kernel<<<(grid), (block), (smem), (stream)>>>(__VA_ARGS__)
#define DYN_SMEM(name) extern __shared__ __align__(128) unsigned char name[]

static __device__ __forceinline__ uint32_t smem_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

static __device__ __forceinline__ float ex2_approx(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* d += a b: a is 16 x 16, b 16 x 8, d 16 x 8.  Lane l holds, with g = l / 4 and t = l % 4 * 2, of d the rows g and
 * g + 8, columns t and t + 1; of a those rows in columns t, t + 1 (a[0], a[1]) and t + 8, t + 9 (a[2], a[3]); of b
 * column g in rows t, t + 1 (b0) and t + 8, t + 9 (b1). */
static __device__ __forceinline__ void mma_m16n8k16_bf16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                 "{%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Four 8 x 8 matrices of bf16 from shared memory; lane 8 i + j gives row j of matrix i. */
static __device__ __forceinline__ void ldmatrix_x4(uint32_t r[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(smem_address(row))
                 : "memory");
}

static __device__ __forceinline__ void ldmatrix_x4_trans(uint32_t r[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(smem_address(row))
                 : "memory");
}

/* 16 bytes from global to shared memory, zeros if not there (src must be an address all the same). */
static __device__ __forceinline__ void cp_async16(void *dst, const void *src, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem_address(dst)),
                 "l"(__cvta_generic_to_global(src)), "r"(there ? 16 : 0)
                 : "memory");
}
static __device__ __forceinline__ float4 load16(const float *from)
{
    return *(const float4 *)from;
}

static __device__ __forceinline__ void store16(float *to, float4 x)
{
    *(float4 *)to = x;
}

static __device__ __forceinline__ void store8(void *to, uint2 x)
{
    *(uint2 *)to = x;
}
#define cp_async_commit() asm volatile("cp.async.commit_group;" ::: "memory")
#define cp_async_wait(n) asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory")
#else
#include "kernels/emu/emu.h"
#endif

typedef __nv_bfloat16 bf16;

static __device__ __forceinline__ float bf2f(bf16 x)
{
    return __bfloat162float(x);
}

static __device__ __forceinline__ bf16 f2bf(float x)
{
    return __float2bfloat16_rn(x);
}

static __device__ __forceinline__ float to_float(float x)
{
    return x;
}

static __device__ __forceinline__ float to_float(bf16 x)
{
    return bf2f(x);
}

/* Rounds to T. */
template <class T> static __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x)
{
    return x;
}
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x)
{
    return f2bf(x);
}

/* Eight neighbours, 16 bytes at a time: the address is a multiple of 16. */
static __device__ __forceinline__ void read8(float x[8], const float *from)
{
    float4 a = load16(from), b = load16(from + 4);
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w;
    x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}

static __device__ __forceinline__ void read8(float x[8], const bf16 *from)
{
    float4 a = load16((const float *)from);
    const float pairs[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x[2 * i] = __uint_as_float(__float_as_uint(pairs[i]) << 16);
        x[2 * i + 1] = __uint_as_float(__float_as_uint(pairs[i]) & 0xffff0000u);
    }
}

static __device__ __forceinline__ uint32_t pack_bf16(float low, float high)
{
    bf16 a = f2bf(low), b = f2bf(high);
    uint16_t x, y;
    memcpy(&x, &a, 2);
    memcpy(&y, &b, 2);
    return (uint32_t)x | (uint32_t)y << 16;
}

static __device__ __forceinline__ void write8(float *to, const float x[8])
{
    store16(to, {x[0], x[1], x[2], x[3]});
    store16(to + 4, {x[4], x[5], x[6], x[7]});
}

static __device__ __forceinline__ void write8(bf16 *to, const float x[8])
{
    store16((float *)to, {__uint_as_float(pack_bf16(x[0], x[1])), __uint_as_float(pack_bf16(x[2], x[3])),
                          __uint_as_float(pack_bf16(x[4], x[5])), __uint_as_float(pack_bf16(x[6], x[7]))});
}

/* In every lane, as warp_sum(). */
static __device__ __forceinline__ float warp_max(float x)
{
#pragma unroll
    for (int o = 16; o; o >>= 1)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, o));
    return x;
}

/* The same bits in every lane: at each step both partners add the same two numbers. */
static __device__ __forceinline__ float warp_sum(float x)
{
#pragma unroll
    for (int o = 16; o; o >>= 1)
        x += __shfl_xor_sync(0xffffffffu, x, o);
    return x;
}

static __device__ __forceinline__ double warp_sum(double x)
{
#pragma unroll
    for (int o = 16; o; o >>= 1)
        x += __shfl_xor_sync(0xffffffffu, x, o);
    return x;
}

#endif
