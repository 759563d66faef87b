/* truncate.cu - what top-k, top-p and min-p leave of a distribution: a block a row.
 *
 * Exponentials over the largest are floats in [0, 1], whose bits order as they do.  The bits of the last one that stays
 * are found four at a time: each thread counts, or adds up the mass of, its entries by the value of their next four
 * bits, in a column of shared memory that is its own.  All sums are of integers.
 */
#include "kernels/cuda/backend.h"
#include "kernels/cuda/gpu.h"

enum { CUT_THREADS = 256, CUT_WARPS = CUT_THREADS / 32, BINS = 16, PARTS = CUT_THREADS / BINS };

/* Stays: more than `at`, or as much and an id up to `last`. */
struct cut {
    uint32_t at;
    int last;
};

struct row {
    const float *z;
    int vocab;
    float inv_temp, max;
};

/* The shared memory of a block. */
struct room {
    uint64_t bins[BINS][CUT_THREADS], parts[BINS][PARTS];
    uint64_t above; /* the weight of entries above what is found */
    uint32_t found;
    int last;
    float maxima[CUT_WARPS];
};

static __device__ __forceinline__ float share(const struct row *r, int i)
{
    return expf(r->z[i] * r->inv_temp - r->max);
}

static __device__ __forceinline__ uint64_t mass_of(float e)
{
    return e > 0.0f && e <= 1.0f ? (uint64_t)(e * (float)TRUNCATE_UNIT) : 0;
}

static __device__ __forceinline__ bool stays(struct cut c, uint32_t bits, int id)
{
    return bits > c.at || (bits == c.at && id <= c.last);
}

static __device__ __forceinline__ float largest(const struct row *r, struct room *room)
{
    float max = -INFINITY;
    for (int i = threadIdx.x; i < r->vocab; i += CUT_THREADS)
        max = fmaxf(max, r->z[i]);
    max = warp_max(max);
    if ((threadIdx.x & 31) == 0)
        room->maxima[threadIdx.x >> 5] = max;
    __syncthreads();
    for (int i = 0; i < CUT_WARPS; i++)
        max = fmaxf(max, room->maxima[i]);
    return max;
}

/* room->parts[b][0] becomes the sum of all threads' bins[b].  Every thread of the block takes part. */
static __device__ void add_up(struct room *room)
{
    int bin = threadIdx.x / PARTS, part = threadIdx.x % PARTS;
    uint64_t sum = 0;
    __syncthreads();
    for (int i = part; i < CUT_THREADS; i += PARTS)
        sum += room->bins[bin][i];
    room->parts[bin][part] = sum;
    __syncthreads();
    if (part == 0) {
        for (int i = 1; i < PARTS; i++)
            sum += room->parts[bin][i];
        room->parts[bin][0] = sum;
    }
    __syncthreads();
}

static __device__ uint64_t total_mass(const struct row *r, struct cut c, struct room *room)
{
    uint64_t sum = 0;
    for (int i = threadIdx.x; i < r->vocab; i += CUT_THREADS) {
        float e = share(r, i);
        sum += stays(c, __float_as_uint(e), i) ? mass_of(e) : 0;
    }
    for (int b = 0; b < BINS; b++)
        room->bins[b][threadIdx.x] = b ? 0 : sum;
    add_up(room);
    return room->parts[0][0];
}

/* The next four bits: the value at which the weight from above reaches the target. */
static __device__ void find_digit(struct room *room, uint64_t target)
{
    int digit = BINS - 1;
    while (digit > 0 && room->above + room->parts[digit][0] < target)
        room->above += room->parts[digit--][0];
    room->found = room->found << 4 | (uint32_t)digit;
}

/* The id of the n-th entry with the bits `found` of those that c leaves. */
static __device__ void find_last(const struct row *r, struct cut c, struct room *room, uint64_t n)
{
    int each = (r->vocab + CUT_THREADS - 1) / CUT_THREADS, first = threadIdx.x * each;
    uint64_t ties = 0;
    for (int i = first; i < min(r->vocab, first + each); i++)
        ties += __float_as_uint(share(r, i)) == room->found && stays(c, room->found, i);
    room->bins[0][threadIdx.x] = ties;
    __syncthreads();
    if (threadIdx.x == 0) {
        int t = 0, i;
        while (t + 1 < CUT_THREADS && room->bins[0][t] < n)
            n -= room->bins[0][t++];
        for (i = t * each; i + 1 < r->vocab; i++)
            if (__float_as_uint(share(r, i)) == room->found && stays(c, room->found, i) && --n == 0)
                break;
        room->last = i;
    }
    __syncthreads();
}

/* Of what c leaves, the best that have the weight `target` together, which all have at least. */
static __device__ struct cut tightened(const struct row *r, struct cut c, struct room *room, bool mass, uint64_t target)
{
    __syncthreads();
    if (threadIdx.x == 0)
        room->found = 0, room->above = 0;
    for (int shift = 28; shift >= 0; shift -= 4) {
        for (int b = 0; b < BINS; b++)
            room->bins[b][threadIdx.x] = 0;
        __syncthreads(); /* found */
        for (int i = threadIdx.x; i < r->vocab; i += CUT_THREADS) {
            float e = share(r, i);
            uint32_t bits = __float_as_uint(e);
            if ((uint64_t)bits >> (shift + 4) == room->found && stays(c, bits, i))
                room->bins[bits >> shift & (BINS - 1)][threadIdx.x] += mass ? mass_of(e) : 1;
        }
        add_up(room);
        if (threadIdx.x == 0)
            find_digit(room, target);
    }
    __syncthreads();
    uint64_t weight = mass ? mass_of(__uint_as_float(room->found)) : 1, left = target - room->above;
    find_last(r, c, room, weight ? (left + weight - 1) / weight : left);
    return cut{room->found, room->last};
}

static __global__ void __launch_bounds__(CUT_THREADS) truncate_rows(struct truncate_args a)
{
    DYN_SMEM(smem);
    struct room *room = (struct room *)smem;
    int64_t i = blockIdx.x;
    int top_k = a.top_k[i];
    double top_p = a.top_p[i];
    float *z = (float *)a.logits + i * a.stride, min_p = (float)a.min_p[i];
    struct row r = {z, (int)a.vocab, a.inv_temp ? ((const float *)a.inv_temp)[i] : 1.0f, 0.0f};
    struct cut c = {0, r.vocab};
    if (top_k <= 0 && top_p >= 1 && min_p <= 0.0f)
        return;
    r.max = largest(&r, room) * r.inv_temp;
    if (top_k > 0 && top_k < r.vocab)
        c = tightened(&r, c, room, false, (uint64_t)top_k);
    if (top_p < 1) {
        uint64_t all = total_mass(&r, c, room), target = (uint64_t)ceil(top_p * (double)all);
        c = tightened(&r, c, room, true, target < 1 ? 1 : target > all ? all : target);
    }
    for (int v = threadIdx.x; v < r.vocab; v += CUT_THREADS) {
        float e = share(&r, v);
        if (!stays(c, __float_as_uint(e), v) || e < min_p)
            z[v] = -INFINITY;
    }
}

void cuda_truncate(struct dev *dev, const struct truncate_args *a)
{
    if (a->n > 0)
        LAUNCH(truncate_rows, (unsigned)a->n, CUT_THREADS, sizeof(struct room), cuda_stream(dev), *a);
}
