/* runtime.cpp - stand-ins for the calls of the CUDA runtime: streams run at once unless they are captured, device
 * memory is the host's, and begins as NaN. */
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <vector>

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

/* --- streams and graphs --- */

struct emu_graph {
    std::vector<std::function<void()>> work;
};
struct emu_graph_exec {
    struct emu_graph graph;
};
struct emu_stream {
    struct emu_graph *captured; /* NULL: runs at once, */
    struct emu_graph late;      /* but for these, which go before all that comes */
};
static int n_captured;
static const char *pinned; /* the one block of the host's that copies are late from */
static size_t pinned_bytes;

static std::vector<cudaStream_t> streams;

static void run_late(cudaStream_t stream)
{
    std::vector<std::function<void()>> late;
    late.swap(stream->late.work);
    for (const auto &work : late)
        work();
}

static void not_captured(const char *what)
{
    if (n_captured)
        emu_die("within a capture", what, 0);
}

void emu_submit(cudaStream_t stream, const std::function<void()> &work)
{
    if (stream->captured) {
        stream->captured->work.push_back(work);
        return;
    }
    run_late(stream);
    work();
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    *stream = new emu_stream();
    streams.push_back(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    not_captured("cudaStreamSynchronize");
    run_late(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    not_captured("cudaStreamBeginCapture");
    stream->captured = new emu_graph();
    n_captured++;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = stream->captured;
    stream->captured = NULL;
    n_captured -= *graph != NULL;
    return *graph ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    if (flags != 0)
        return cudaErrorInvalidValue;
    *exec = new emu_graph_exec{*graph};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    not_captured("cudaGraphLaunch");
    run_late(stream);
    for (const auto &work : exec->graph.work)
        work();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

/* --- memory --- */

static std::map<const void *, size_t> allocated;
static size_t in_use;

static size_t all_memory(void)
{
    const char *limit = getenv("EMU_MEMORY");
    return limit ? (size_t)strtoull(limit, NULL, 10) : (size_t)1 << 40;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    *total = all_memory();
    *free = in_use < *total ? *total - in_use : 0;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    not_captured("cudaMalloc");
    /* aligned as the runtime does it; not rounded up, so that a sanitizer sees the exact end */
    if (in_use + bytes > all_memory() || posix_memalign(p, 256, bytes ? bytes : 1) != 0)
        return cudaErrorMemoryAllocation;
    memset(*p, 0xff, bytes);
    watch_allocated(*p, bytes);
    allocated[*p] = bytes;
    in_use += bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    not_captured("cudaFree");
    for (cudaStream_t stream : streams)
        run_late(stream);
    auto found = allocated.find(p);
    if (found == allocated.end())
        return p ? cudaErrorInvalidValue : cudaSuccess;
    in_use -= found->second;
    allocated.erase(found);
    watch_freed(p);
    free(p);
    return cudaSuccess;
}

/* Whether all of it lies in one allocation of the device. */
static bool is_device(const void *p, size_t bytes)
{
    auto next = allocated.upper_bound(p);
    if (next == allocated.begin())
        return false;
    --next;
    return (const char *)p + bytes <= (const char *)next->first + next->second;
}

/* A copy whose ends are not where its kind says. */
static void check_copy(const void *dst, const void *src, size_t bytes, cudaMemcpyKind kind)
{
    bool to = kind != cudaMemcpyDeviceToHost, from = kind != cudaMemcpyHostToDevice;
    if (bytes && is_device(dst, to ? bytes : 1) != to)
        emu_die(to ? "a copy to memory that is not the device's" : "a copy to the host that goes to the device",
                "cudaMemcpyAsync", 0);
    if (bytes && is_device(src, from ? bytes : 1) != from)
        emu_die(from ? "a copy from memory that is not the device's" : "a copy from the host that comes from the device",
                "cudaMemcpyAsync", 0);
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    *p = pinned ? NULL : malloc(bytes);
    if (!*p)
        return cudaErrorMemoryAllocation;
    pinned = (const char *)*p;
    pinned_bytes = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *p)
{
    if (p && p == pinned)
        pinned = NULL, pinned_bytes = 0;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    if (stream->captured && kind != cudaMemcpyDeviceToDevice)
        emu_die("the host's memory within a capture", "cudaMemcpyAsync", 0);
    check_copy(dst, src, bytes, kind);
    auto copy = [=]() { memmove(dst, src, bytes); };
    if (kind == cudaMemcpyHostToDevice && (const char *)src >= pinned && (const char *)src < pinned + pinned_bytes)
        stream->late.work.push_back(copy);
    else if (bytes)
        emu_submit(stream, copy);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream)
{
    if (bytes && !is_device(dst, bytes))
        emu_die("memory that is not the device's", "cudaMemsetAsync", 0);
    if (bytes)
        emu_submit(stream, [=]() { memset(dst, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    const char *schedule = getenv("EMU_SCHEDULE");
    emu_schedule(schedule ? (unsigned)atoi(schedule) : 0);
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    *p = {"emulator", 1};
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 0;
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
