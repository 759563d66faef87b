/* runtime.cpp - stand-ins for the calls of the CUDA runtime: streams run at once, device memory is the
 * host's, and begins as NaN. */
#include <stdlib.h>

#include <map>

#include "kernels/emu/watch.h"

static std::map<const void *, size_t> smem_limits;

size_t emu_smem_limit(const void *kernel)
{
    auto found = smem_limits.find(kernel);
    return found == smem_limits.end() ? (size_t)EMU_PLAIN_SMEM : found->second;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, int attribute, int value)
{
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > EMU_MAX_SMEM)
        return cudaErrorInvalidValue;
    smem_limits[kernel] = (size_t)value;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    /* aligned as the runtime does it; not rounded up, so that a sanitizer sees the exact end */
    if (posix_memalign(p, 256, bytes ? bytes : 1) != 0)
        return cudaErrorMemoryAllocation;
    memset(*p, 0xff, bytes);
    watch_allocated(*p, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    watch_freed(p);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind, cudaStream_t)
{
    if (bytes)
        memmove(dst, src, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t)
{
    if (bytes)
        memset(dst, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    const char *schedule = getenv("EMU_SCHEDULE");
    emu_schedule(schedule ? (unsigned)atoi(schedule) : 0);
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    *stream = NULL;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" : "invalid value";
}
