#!/bin/sh
# What cost-plan predicts is what the programs take.  Of each, the peak less that of the same program with a
# model of nothing is within 5 % of the plan less the plan for that one.
set -eu
command -v cost-plan >/dev/null || { echo "cost-plan is not built"; exit 77; }
grep -q VmHWM /proc/self/status 2>/dev/null || { echo "no /proc/self/status to measure with"; exit 77; }
[ -z "${ASAN:-}" ] || { echo "a sanitizer's own memory cannot be planned"; exit 77; }
THREADS=2 CONTEXT=512 PROMPT=448 MICRO=1024
bad=0

# Keys and values for half of the heads, norms before; as many as heads, norms after, untied.
mkdir tiny gqa mha
cat >gqa/config.json <<'J'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 704,
 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 4096,
 "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
cat >mha/config.json <<'J'
{"architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "hidden_size": 384, "intermediate_size": 1024,
 "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 6, "vocab_size": 4096,
 "max_position_embeddings": 1024, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "hidden_act": "silu",
 "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
J
jq '.hidden_size = 32 | .intermediate_size = 32 | .num_hidden_layers = 1 | .num_attention_heads = 2 |
    .num_key_value_heads = 1 | .vocab_size = 32' gqa/config.json >tiny/config.json
for m in tiny gqa mha; do model-init -q --config $m/config.json --out M-$m; done

ids() { # lines length name: rows of ids below 32
    awk -v n="$1" -v len="$2" -v name="$3" 'BEGIN { for (i = 0; i < n; i++) { s = ""
        for (j = 0; j < len; j++) s = s (j ? "," : "") (i * 7 + j * 3) % 32
        print "{\"" name "\":[" s "]}" } }'
}
ids 8 $((CONTEXT + 1)) tokens >tokens.jsonl
ids 4 $PROMPT prompt_token_ids >prompts.jsonl
ids 8 $((CONTEXT - PROMPT)) chosen_token_ids >chosen
jq -c --slurpfile c chosen '. as $p | $c[0:8][] | $p + . + {rejected_token_ids: (.chosen_token_ids | reverse)}' \
    prompts.jsonl >pairs.jsonl

# Each leaves PROGRAM.log with its line of memory.
train() { # program model precision input options...
    p=$1 m=$2 precision=$3 input=$4
    shift 4
    rm -rf "R-$p"
    "$p" -v --threads $THREADS --model "M-$m" --out "R-$p" --precision "$precision" --steps 1 \
        --micro-tokens $MICRO "$@" "$input" 2>"$p.log" >/dev/null || { tail -n 3 "$p.log"; exit 1; }
}
generate() { # model precision options...
    m=$1 precision=$2
    shift 2
    rollout-gen -v --threads $THREADS --precision "$precision" --batch 16 --group 4 --ignore-eos \
        --max-tokens $((CONTEXT - PROMPT)) "$@" prompts.jsonl 2>rollout-gen.log
}
loop() { # model precision: reinforcement learning, both ends at once
    rm -rf P
    generate "$1" "$2" --follow P --repeat 0 | jq -c --unbuffered ".reward = .sample % 2" |
        train rlvr-train "$1" "$2" - --publish P --steps 2 --prompts-per-step 2
}

peak() { sed -n 's/.*memory: peak \([0-9.]*\) MiB.*/\1/p' "$1.log"; }
plan() { # model precision stage program: MiB
    cost-plan -q --threads $THREADS --stage "$3" --precision "$2" --context $CONTEXT --variant config \
        --prompt-tokens $PROMPT --micro-tokens $MICRO --batch 16 --group 4 "$1/config.json" |
        jq -r --arg p "$4" 'select(.program == $p) | .memory.peak / 1048576'
}
keep_idle() {
    peak "$4" >"peak-$3-$4"
    plan "$@" >"plan-$3-$4"
}
compare() {
    awk -v what="$*" -v plan="$(plan "$@")" -v peak="$(peak "$4")" -v idle="$(cat "peak-$3-$4")" \
        -v nothing="$(cat "plan-$3-$4")" 'BEGIN { real = peak - idle; want = plan - nothing; r = real / want
            printf "%s: %.1f MiB, planned %.1f (%+.1f %%)\n", what, real, want, 100 * (r - 1)
            exit !(r > 0.95 && r < 1.05) }' || bad=1
}
measure() { # model precision, and what to do with a program's log: stage program
    train base-train "$1" "$2" tokens.jsonl --batch-tokens $MICRO --seq-len $CONTEXT
    $3 "$1" "$2" pretrain base-train
    train sft-train "$1" "$2" tokens.jsonl --batch-tokens $MICRO
    $3 "$1" "$2" sft sft-train
    train dpo-train "$1" "$2" pairs.jsonl --batch-size 4
    $3 "$1" "$2" dpo dpo-train
    generate "$1" "$2" --model "M-$1" >/dev/null
    $3 "$1" "$2" generate rollout-gen
    loop "$1" "$2"
    $3 "$1" "$2" rlvr rlvr-train
    $3 "$1" "$2" rlvr rollout-gen
}
measure tiny fp32 keep_idle
measure gqa fp32 compare
measure gqa bf16 compare
[ -z "${LONG:-}" ] || measure mha fp32 compare
measure mha bf16 compare
exit $bad
