#!/bin/sh
# What we write, loaded by others: transformers gives our log-probabilities, our greedy text and our renderings;
# the tokenizers library cuts 10,000 random strings as we do with what tok-train learnt; llama.cpp loads a split
# model of ours, and we one of the gguf package.  (tests/pipeline/gguf.sh has the rest of llama.cpp.)
#
#   PEER_PYTHON=... tests/interop/round_trip.sh BIN build/obj/bench/bench_tokenizer
#
# PEER_PYTHON has torch, transformers 5.13 or later, tokenizers, numpy, gguf and llama_cpp.  Works in an empty folder.
set -eu
TESTS=$(cd "$(dirname "$0")/.." && pwd) bench=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
PATH=$(cd "$1" && pwd):$PATH
hf() { "$PEER_PYTHON" "$TESTS/interop/transformers_answers.py" "$@"; }
. "$TESTS/tiny-sft.sh" 2>/dev/null

# --- checkpoints ------------------------------------------------------------------------------------------
# check NAME MODEL: greedy rollouts of the lines on stdin
check() {
    rollout-gen -q --model "$2" --precision fp32 --temperature 0 --ignore-eos --max-tokens 48 |
        logprob-recalc -q --model "$2" --precision fp32 --as old >"$1.ours"
    hf "$2" <"$1.ours" >"$1.theirs"
    jq -se 'length > 0 and all(.token_ids == .hf_greedy) and
        all([.old_logprobs, .hf_logprobs] | transpose | all((.[0] - .[1] | fabs) < 1e-4))' "$1.theirs" >/dev/null ||
        { echo "FAIL: transformers disagrees on $1"; exit 1; }
    echo "$1: $(jq -s 'map(.token_ids | length) | add' "$1.theirs") greedy tokens equal, log-probabilities within" \
        "$(jq -s 'map([.old_logprobs, .hf_logprobs] | transpose | map(.[0] - .[1] | fabs) | max) | max' "$1.theirs")"
}
awk 'BEGIN { printf "{\"prompt_token_ids\":["
    for (i = 0; i < 60; i++) printf "%s%d", i ? "," : "", (i * i * 7 + 3 * i) % 50
    print "]}" }' >ids.jsonl # longer than the windows and than the context that yarn stretches
for m in "$TESTS"/golden/model/*; do
    name=$(basename "$m")
    model-convert -q --dtype f32 --shard-size 20K --out "w-$name" "$m"
    [ "$(ls "w-$name" | grep -c safetensors)" -gt 2 ] || { echo "FAIL: $name is not in several files"; exit 1; }
    check "$name" "w-$name" <ids.jsonl
done
head -n 5 prompts.jsonl | check sft sft
model-convert -q --out sft.gguf sft
model-convert -q --out sft-back sft.gguf
head -n 5 prompts.jsonl | check sft-back sft-back

# --- chat templates and tokenizers ------------------------------------------------------------------------
head -n 200 worked.jsonl | jq -c '{messages}' | tok-encode -q --tokenizer sft --format jsonl | hf sft >rendered
jq -se 'length == 200 and all(.tokens == .hf_ids)' rendered >/dev/null || { echo "FAIL: other ids of messages"; exit 1; }
echo "sft: 200 conversations, the same ids"
for pattern in gpt2 cl100k cl100k-1digit; do
    tok-train -q --vocab-size 400 --pattern $pattern --out "tok-$pattern" worked.jsonl
    "$PEER_PYTHON" "$TESTS/interop/tokenizers_random.py" "$bench" 10000 "tok-$pattern"
done

# --- split GGUF files -------------------------------------------------------------------------------------
model-convert -q --dtype f16 --out whole.gguf sft
model-convert -q --dtype f16 --shard-size 30K --out split.gguf sft
"$PEER_PYTHON" "$TESTS/interop/split_gguf.py" whole.gguf theirs.gguf 7
for f in whole.gguf split-00001-of-*.gguf theirs-00001-of-*.gguf; do
    head -n 1 sft.ours | "$PEER_PYTHON" "$TESTS/bench/peers/llama_gguf.py" "$f" | jq -c .llama_logprobs >"$f.llama"
    cmp whole.gguf.llama "$f.llama"
    back=from-$(basename "$f" .gguf)
    model-convert -q --out "$back" "$f"
    cmp from-whole/model.safetensors "$back/model.safetensors"
done
echo "split: $(ls split-* | grep -c 'gguf$') files of ours and $(ls theirs-* | grep -c 'gguf$') of the gguf package, the same model"
