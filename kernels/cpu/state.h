/* state.h - what dev->backend points to in the CPU backend. */
#ifndef TP_KERNELS_CPU_STATE_H
#define TP_KERNELS_CPU_STATE_H

#include <stddef.h>

struct cpu_state {
    void *shared; /* scratch seen by all threads, grown as needed */
    size_t shared_bytes;
    int fp32_parts; /* with matrix tiles: bf16 parts of an fp32 operand, 0 = fp32 multiply-adds */
};

#endif
