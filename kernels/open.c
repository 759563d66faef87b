/* open.c - which CPU backend: the best one that this machine has, or the one named. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/state.h"
#include "kernels/ops.h"

extern const struct ops ops_cpu_base;
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct ops ops_cpu_avx2, ops_cpu_avx512, ops_cpu_avx512bf16, ops_cpu_amx;
#endif

struct isa {
    const char *name;
    const struct ops *ops;
    bool (*supported)(void);
    int fp32_parts; /* see cpu_state */
    const char *dev_name; /* NULL = the table's */
    bool (*worth)(void);  /* NULL, or whether it is picked unasked */
};

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)

static bool never(void)
{
    return false;
}

static bool have_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool have_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("fma");
}

static bool have_avx512bf16(void)
{
    enum { AVX512_BF16 = 1 << 5 };
    unsigned a, b, c, d;
    return have_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX512_BF16);
}

/* Twice the multiply-adds of fp32 on AMD's processors, half of them on Intel's, where tiles are the
 * better choice anyway. */
static bool dot_is_fast(void)
{
    return __builtin_cpu_is("amd");
}

/* The processor has bf16 tiles, the system saves them, and lets this process use them: threads get
 * the permission with it. */
static bool have_amx(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, OSXSAVE = 1 << 27, TILE_STATE = 3 << 17,
           ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d, low, high;
    if (!have_avx512() || !__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & TILE_STATE) != TILE_STATE || !__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
        !(d & AMX_BF16) || !(d & AMX_TILE))
        return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}

#endif

static const struct isa isas[] = {
/* best first; those whose fp32 is not plain fp32 are never picked unasked */
#if defined(__x86_64__)
    {"amx", &ops_cpu_amx, have_amx, 0, NULL, NULL},
    {"avx512bf16", &ops_cpu_avx512bf16, have_avx512bf16, 0, NULL, dot_is_fast},
    {"avx512", &ops_cpu_avx512, have_avx512, 0, NULL, NULL},
    {"avx2", &ops_cpu_avx2, have_avx2, 0, NULL, NULL},
    {"amx-bf16x3", &ops_cpu_amx, have_amx, 2, "cpu/amx-bf16x3", never},
    {"amx-bf16x6", &ops_cpu_amx, have_amx, 3, "cpu/amx-bf16x6", never},
#endif
    {"base", &ops_cpu_base, always, 0, NULL, NULL},
};

/* NULL with *error set when THINKPIPE_CPU names what is not there. */
static const struct isa *pick(const char **error)
{
    const char *wanted = getenv("THINKPIPE_CPU");
    if (wanted && !*wanted)
        wanted = NULL;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (wanted ? strcmp(wanted, isas[i].name) != 0 : isas[i].worth && !isas[i].worth())
            continue;
        if (isas[i].supported())
            return &isas[i];
        if (wanted) {
            *error = "THINKPIPE_CPU names an instruction set that this processor lacks";
            return NULL;
        }
    }
    *error = "THINKPIPE_CPU names no known instruction set (base, avx2, avx512, avx512bf16, "
             "amx, amx-bf16x3, amx-bf16x6)";
    return NULL;
}

const char *dev_cpu_name(void)
{
    const char *error;
    const struct isa *isa = pick(&error);
    return !isa ? error : isa->dev_name ? isa->dev_name : isa->ops->name;
}

static void close_cpu(struct dev *dev)
{
    struct cpu_state *state = dev->backend;
    free(state->shared);
    free(state);
    free(dev->scratch);
}

int dev_open_cpu(struct dev *dev, enum dtype dtype, int n_threads, dev_parallel_for parallel_for,
                 const char **error)
{
    memset(dev, 0, sizeof *dev);
    if (dtype != DTYPE_F32 && dtype != DTYPE_BF16) {
        *error = "the CPU backend computes in float32 or bfloat16";
        return -1;
    }
    const struct isa *isa = pick(error);
    if (!isa)
        return -1;
    struct cpu_state *state = calloc(1, sizeof *state);
    if (!state) {
        *error = "out of memory";
        return -1;
    }
    state->fp32_parts = isa->fp32_parts;
    dev->backend = state;
    dev->close = close_cpu;
    dev->ops = isa->ops;
    dev->name = isa->dev_name ? isa->dev_name : isa->ops->name;
    dev->dtype = dtype;
    dev->acc = DTYPE_F32;
    dev->n_threads = n_threads > 1 && parallel_for ? n_threads : 1;
    dev->parallel_for = parallel_for;
    return 0;
}

void dev_close(struct dev *dev)
{
    if (dev->close)
        dev->close(dev);
    memset(dev, 0, sizeof *dev);
}
