#!/bin/sh
# What -v says a training run will need is what it needs: the measured peak is within 5 % of the plan; and less with
# --recompute, for the same weights.
set -eu
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
grep -q VmHWM /proc/self/status 2>/dev/null || { echo "no /proc/self/status to measure with"; exit 77; }
[ -z "${ASAN:-}" ] || { echo "a sanitizer's own memory cannot be planned"; exit 77; }
cat >config.json <<'JSON'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256,
 "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
 "vocab_size": 4096, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
 "hidden_act": "silu", "tie_word_embeddings": true, "torch_dtype": "float32"}
JSON
model-init -q --config config.json --out M
awk 'BEGIN { for (i = 0; i < 12; i++) { printf "{\"tokens\":["
    for (j = 0; j < 512; j++) printf "%s%d", j ? "," : "", (i * 31 + j * 17) % 4096
    print "]}" } }' >tokens.jsonl
run() { # name options...
    name=$1
    shift
    base-train -v --model M --out "R-$name" --steps 2 --batch-tokens 2048 --micro-tokens 2048 --seq-len 512 "$@" \
        tokens.jsonl 2>log >/dev/null || { cat log; exit 1; }
    sed -n 's/.*memory: peak \([0-9.]*\) MiB, planned \([0-9.]*\).*/\1 \2/p' log >"figures-$name"
    awk -v p="$name" 'NF == 2 { r = $1 / $2; ok = r > 0.95 && r < 1.05; print p ": peak " $1 " MiB, planned " $2 }
        END { exit !ok }' "figures-$name" || { grep memory log; exit 1; }
}
for precision in fp32 bf16; do
    run $precision --precision $precision
    run $precision-again --precision $precision --recompute
    cmp R-$precision/model.safetensors R-$precision-again/model.safetensors
    paste figures-$precision figures-$precision-again | awk '{ exit !($3 < 0.9 * $1) }'
done
