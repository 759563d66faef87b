/* table.c - this instruction set's table of operations. */
#include "kernels/cpu/cpu.h"

#define ops_cpu ISA_NAME(ops_cpu)

extern const struct ops ops_cpu;

const struct ops ops_cpu = {
    .abi = OPS_ABI,
    .name = "cpu/" ISA_TEXT(ISA),
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .copy = cpu_copy,
    .zero = cpu_zero,
    .convert = cpu_convert,
    .host_view = cpu_host_view,
    .packed_bytes = cpu_packed_bytes,
    .pack_weight = cpu_pack_weight,
    .linear = cpu_linear,
    .linear_backward_input = cpu_linear_backward_input,
    .linear_backward_weight = cpu_linear_backward_weight,
    .embedding = cpu_embedding,
    .embedding_backward = cpu_embedding_backward,
    .rmsnorm = cpu_rmsnorm,
    .rmsnorm_backward = cpu_rmsnorm_backward,
    .rope = cpu_rope,
    .swiglu = cpu_swiglu,
    .swiglu_backward = cpu_swiglu_backward,
    .add = cpu_add,
    .attention = cpu_attention,
    .attention_backward = cpu_attention_backward,
    .kv_cache_bytes = cpu_kv_cache_bytes,
    .kv_append = cpu_kv_append,
    .kv_copy = cpu_kv_copy,
    .attention_cached = cpu_attention_cached,
    .logprob = cpu_logprob,
    .logprob_backward = cpu_logprob_backward,
    .truncate = cpu_truncate,
    .draw = cpu_draw,
    .adamw = cpu_adamw,
    .sum_squares = cpu_sum_squares,
    .block_bytes = cpu_block_bytes,
    .scratch_bytes = cpu_scratch_bytes,
};
