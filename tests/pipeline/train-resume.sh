#!/bin/sh
# Data, tokenizer, model and the trainers in one pipeline: the loss falls, the same
# seed gives the same bytes, and a run that was killed ends in the bytes of an
# unbroken one.
set -eu
delays="0.05 0.1 0.15 0.2 0.3" # seconds after which a run is killed
[ -z "${LONG:-}" ] || delays=$(seq 0.02 0.03 0.6)
task-gen -q --task arithmetic --n 300 --trace --seed 1 >tasks.jsonl
tok-train -q --vocab-size 300 --template chatml --out tok <tasks.jsonl
cat >config.json <<'J'
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 64,
 "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 0,
 "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
model-init -q --config config.json --tokenizer tok --seed 3 --out init
tok-encode -q --tokenizer tok <tasks.jsonl >tasks.shard

same() { # dir dir
    for f in model.safetensors trainer_state.safetensors; do
        cmp "$1/$f" "$2/$f" || { echo "$1/$f differs from $2/$f"; exit 1; }
    done
}
falls() { # metrics: the last loss is clearly under the first
    jq -s -e '.[-1].loss < 0.8 * .[0].loss' "$1" >/dev/null || { echo "the loss in $1 did not fall"; exit 1; }
}
killed() { # out input command...: kill -9 at growing delays, then resume to the end
    out=$1 input=$2
    shift 2
    for delay in $delays; do
        "$@" --out "$out" --resume <"$input" >/dev/null 2>&1 &
        pid=$!
        sleep $delay
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
    done
    "$@" --out "$out" --resume <"$input" >/dev/null
}

base="base-train -q --model init --steps 40 --batch-tokens 1024 --seq-len 128 --lr 3e-3 --seed 5 --checkpoint-every 7"
$base --out base <tasks.shard >base.metrics
falls base.metrics
$base --out base1 --threads 1 <tasks.shard >/dev/null
same base base1
killed base2 tasks.shard $base
same base base2

sft="sft-train -q --model base --epochs 3 --batch-tokens 2048 --lr 3e-3 --seed 5 --checkpoint-every 5"
$sft --out sft <tasks.jsonl >sft.metrics
jq -s -e '.[-1].loss < .[0].loss' sft.metrics >/dev/null || { echo "the sft loss did not fall"; exit 1; }
killed sft2 tasks.jsonl $sft
same sft sft2

head -n 16 tasks.jsonl | jq -c '{prompt: [.messages[0]], chosen: [.messages[1]], rejected: [{role: "assistant", content: "I do not know"}]}' |
    logprob-recalc -q --model sft --as ref_logprobs >pairs.jsonl
dpo="dpo-train -q --model sft --epochs 4 --batch-size 4 --lr 1e-3 --seed 5 --checkpoint-every 3"
$dpo --out dpo <pairs.jsonl >dpo.metrics
jq -s -e '.[0].loss > .[-1].loss and .[-1]["rewards/accuracies"] == 1' dpo.metrics >/dev/null ||
    { cat dpo.metrics; echo "dpo did not separate the pairs"; exit 1; }
killed dpo2 pairs.jsonl $dpo
same dpo dpo2

# Learning rate 0 leaves the weights alone.
sft-train -q --model sft --out still --steps 2 --batch-tokens 2048 --lr 0 <tasks.jsonl >/dev/null
cmp sft/model.safetensors still/model.safetensors
