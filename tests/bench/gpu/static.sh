#!/bin/sh
# What can be said of the GPU's bf16 kernels without a GPU: registers and shared memory of sm_90 by ptxas, the warps that a
# processor then holds of its 64 (65536 registers in units of 256 a warp, 227 KiB of shared memory and 1 KiB less a block, as CUDA's
# occupancy calculator counts), and bytes moved over those that must be (tests/emu/traffic.sh, small shapes).
#
#   tests/bench/gpu/static.sh
set -eu
emu=$(cd "$(dirname "$0")/../../emu" && pwd)
# name in registers.txt, name in traffic.txt, threads, bytes of dynamic shared memory (its launcher's formula)
cat >/tmp/static.$$ <<'EOT'
normalise<__nv_bfloat16>|normalise<bf16>|128|0
gemm_bf16<__nv_bfloat16, false, false>|gemm_bf16<bf16,A_DOWN,B_DOWN>|128|20480
gemm_bf16<__nv_bfloat16, false, true>|gemm_bf16<bf16,A_DOWN,B_DOWN>|128|19456
multiply_bytes<1, 1>|multiply_bytes<COLS,ROWS>|256|5120
multiply_bytes<2, 4>|multiply_bytes<COLS,ROWS>|256|36864
pack_bytes<__nv_bfloat16>|pack_bytes<bf16>|128|0
gemm_bf16<float, true, true>|gemm_bf16<float,A_DOWN,B_DOWN>|128|18432
rotate<__nv_bfloat16>|rotate<bf16>|256|0
append<__nv_bfloat16>|append<bf16>|64|0
attend_packed<64>|attend_packed<HD>|128|36864
attend_packed<128>|attend_packed<HD>|128|69632
attend_cached<64>|attend_cached<HD>|128|29952
attend_cached<128>|attend_cached<HD>|128|56576
row_deltas<__nv_bfloat16>|row_deltas<bf16>|128|0
key_gradients<64>|key_gradients<HD>|128|27904
key_gradients<128>|key_gradients<HD>|128|52480
query_gradients<64>|query_gradients<HD>|128|27904
query_gradients<128>|query_gradients<HD>|128|52480
gate<__nv_bfloat16>|gate<bf16>|128|0
gate_backward<__nv_bfloat16>|gate_backward<bf16>|128|0
input_gradient<__nv_bfloat16>|input_gradient<T>|128|0
weight_parts<__nv_bfloat16>|weight_parts<T>|128|0
logprob_rows|logprob_rows|512|0
logprob_gradients<__nv_bfloat16>|logprob_gradients<bf16>|512|0
truncate_rows|truncate_rows|256|34864
draw_rows|draw_rows|256|768
step<__nv_bfloat16>|step<bf16>|256|0
squares|squares|256|0
embed<__nv_bfloat16>|embed<bf16>|256|0
embed_backward|embed_backward|256|0
EOT
trap 'rm -f /tmp/static.$$' EXIT
echo "| kernel | registers | shared, bytes | warps of 64 | read | written | sectors used | bank passes |"
echo "|---|---|---|---|---|---|---|---|"
awk -F '|' -v registers="$emu/registers.txt" -v traffic="$emu/traffic.txt" '
    function least(a, b) { return a < b ? a : b }
    BEGIN {
        while ((getline line < registers) > 0) {
            split(line, w, " ")
            if (w[1] != "sm_90") continue
            name = line; sub(/.* spilled (void )?/, "", name); sub(/\(.*/, "", name)
            regs[name] = w[2]; fixed[name] = w[4]
        }
        while ((getline line < traffic) > 0) {
            split(line, w, " ")
            if (!(w[2] in read) || w[1] == "train") { read[w[2]] = w[4]; wrote[w[2]] = w[6]; used[w[2]] = w[8]; passes[w[2]] = w[10] }
        }
    }
    {
        if (!($1 in regs) || !($2 in read)) { print "no such kernel: " $1 > "/dev/stderr"; bad = 1; next }
        warps = $3 / 32; smem = $4 + fixed[$1]
        a_warp = int((regs[$1] * 32 + 255) / 256) * 256
        blocks = least(least(int(int(65536 / a_warp / 4) * 4 / warps), int(228 * 1024 / (smem + 1024))), least(32, int(64 / warps)))
        printf "| %s | %d | %d | %d | %s | %s | %s | %s |\n", $1, regs[$1], smem, blocks * warps, read[$2], wrote[$2], used[$2], passes[$2]
    }
    END { exit bad }' /tmp/static.$$
