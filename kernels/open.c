/* open.c - which CPU backend: the best one that this machine has, or the one named. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/state.h"
#include "kernels/ops.h"

extern const struct ops ops_cpu_base;
#if defined(__x86_64__)
extern const struct ops ops_cpu_avx2, ops_cpu_avx512;
#endif

struct isa {
    const char *name;
    const struct ops *ops;
    int supported;
};

/* NULL with *error set when THINKPIPE_CPU names what is not there. */
static const struct ops *pick(const char **error)
{
    const struct isa isas[] = {
    /* best first */
#if defined(__x86_64__)
        {"avx512", &ops_cpu_avx512,
         __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("fma")},
        {"avx2", &ops_cpu_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
        {"base", &ops_cpu_base, 1},
    };
    const char *wanted = getenv("THINKPIPE_CPU");
    if (wanted && !*wanted)
        wanted = NULL;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (wanted && strcmp(wanted, isas[i].name) != 0)
            continue;
        if (isas[i].supported)
            return isas[i].ops;
        if (wanted) {
            *error = "THINKPIPE_CPU names an instruction set that this processor lacks";
            return NULL;
        }
    }
    *error = "THINKPIPE_CPU names no known instruction set (base, avx2, avx512)";
    return NULL;
}

int dev_open_cpu(struct dev *dev, enum dtype dtype, int n_threads, dev_parallel_for parallel_for,
                 const char **error)
{
    memset(dev, 0, sizeof *dev);
    if (dtype != DTYPE_F32 && dtype != DTYPE_BF16) {
        *error = "the CPU backend computes in float32 or bfloat16";
        return -1;
    }
    const struct ops *ops = pick(error);
    if (!ops)
        return -1;
    dev->backend = calloc(1, sizeof(struct cpu_state));
    if (!dev->backend) {
        *error = "out of memory";
        return -1;
    }
    dev->ops = ops;
    dev->name = ops->name;
    dev->dtype = dtype;
    dev->acc = DTYPE_F32;
    dev->n_threads = n_threads > 1 && parallel_for ? n_threads : 1;
    dev->parallel_for = parallel_for;
    return 0;
}

void dev_close(struct dev *dev)
{
    struct cpu_state *state = dev->backend;
    if (state)
        free(state->shared);
    free(state);
    free(dev->scratch);
    memset(dev, 0, sizeof *dev);
}
