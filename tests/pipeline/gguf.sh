#!/bin/sh
# A trained model through GGUF files: it comes back with the same bytes and samples the same answers; in
# Q8_0 it is nearly the same model.  With PEER_PYTHON, a Python that has llama_cpp: llama.cpp loads what
# is written, for every architecture, continues greedily with the same tokens, gives them the same
# log-probabilities, and cuts text into the same tokens.
set -eu
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
. "$TESTS/tiny-sft.sh" 2>/dev/null
model-convert -q --out sft.gguf sft
model-convert -q --out back sft.gguf
cmp sft/model.safetensors back/model.safetensors
head -n 20 prompts.jsonl >some.jsonl
for m in sft back; do
    rollout-gen -q --model $m --max-tokens 24 --seed 7 some.jsonl | jq -c 'del(.model)' >$m.out
done
cmp sft.out back.out
model-convert -q --dtype q8_0 --out sft-q8.gguf sft
model-convert -q --out q8 sft-q8.gguf
jq -c '{text: (.messages[0].content + .messages[1].content)}' worked.jsonl | head -n 100 >text.jsonl
for m in sft q8; do model-eval -q --task bpb --model $m text.jsonl >$m.bpb; done
bits() { jq '.results.text["bits_per_byte,none"]' $1.bpb; }
echo "bits per byte: $(bits sft), in Q8_0 $(bits q8)"
jq -ne "$(bits sft) as \$x | $(bits q8) as \$y | \$x > 0 and \$x != \$y and (\$x - \$y | fabs) < 0.01 * \$x" >/dev/null

# --- llama.cpp ---------------------------------------------------------------------------------------
python=${PEER_PYTHON:-}
if [ -z "$python" ] || ! "$python" -c 'import llama_cpp' 2>/dev/null; then
    echo "skip: no PEER_PYTHON with llama_cpp: llama.cpp is not asked"
    exit 0
fi
peer() { "$python" "$TESTS/bench/peers/llama_gguf.py" "$@"; }

# check NAME MODEL TOLERANCE: greedy rollouts of the lines on stdin
check() {
    model-convert -q --dtype f32 --out "$1.f32.gguf" "$2"
    rollout-gen -q --model "$2" --precision fp32 --temperature 0 --ignore-eos --max-tokens 48 |
        logprob-recalc -q --model "$2" --precision fp32 --as old >"$1.ours"
    peer "$1.f32.gguf" <"$1.ours" >"$1.theirs"
    jq -se --argjson most "$3" 'length > 0 and all(.token_ids == .llama_greedy) and
        all([.old_logprobs, .llama_logprobs] | transpose | all((.[0] - .[1] | fabs) < $most))' \
        "$1.theirs" >/dev/null || { echo "FAIL: llama.cpp disagrees on $1"; exit 1; }
    echo "$1: $(jq -s 'map(.token_ids | length) | add' "$1.theirs") greedy tokens equal, log-probabilities within" \
        "$(jq -s 'map([.old_logprobs, .llama_logprobs] | transpose | map(.[0] - .[1] | fabs) | max) | max' "$1.theirs")"
}

head -n 5 some.jsonl | check sft sft 1e-4
awk 'BEGIN { printf "{\"prompt_token_ids\":["
    for (i = 0; i < 60; i++) printf "%s%d", i ? "," : "", (i * i * 7 + 3 * i) % 50
    print "]}" }' >ids.jsonl # longer than the window and than the context that yarn stretches
for g in llama llama-linear qwen3 olmo2 olmo3; do
    check $g "$TESTS/golden/model/$g" 1e-4 <ids.jsonl
done
jq -c '{text: .messages[0].content}' worked.jsonl | head -n 100 >sft.text
peer sft.gguf <sft.text | jq -c '.llama_tokens' >theirs.tokens
tok-encode -q --no-eos --tokenizer sft sft.text | shard-dump -q | jq -c .tokens >ours.tokens
cmp ours.tokens theirs.tokens
echo "sft: $(wc -l <ours.tokens) texts, the same tokens"

# --- llama.cpp on real data --------------------------------------------------------------------------
if [ ! -d "$THINKPIPE_DATA/tokenizers" ]; then
    echo "skip: no tokenizers in \$THINKPIPE_DATA: llama.cpp is not asked about public ones"
    exit 0
fi
echo '{"prompt_token_ids": [1]}' | check stories260K "$THINKPIPE_DATA/checkpoints/stories260K" 1e-4
# Five rows are not NFC, which llama.cpp does not know.
for t in gpt2:243 dolma2:243 qwen3:238 gpt-neox-olmo:238; do
    name=${t%:*}
    model-init -q --config config.json --tokenizer "$THINKPIPE_DATA/tokenizers/$name" --out "m-$name"
    model-convert -q --dtype f16 --out "$name.gguf" "m-$name" 2>/dev/null
    peer "$name.gguf" <"$THINKPIPE_DATA/tokenizers/vectors/$name.jsonl" |
        jq -se --argjson n "${t#*:}" 'length == 243 and (map(select(.ids == .llama_tokens)) | length) == $n' \
            >/dev/null || { echo "FAIL: llama.cpp cuts text in another way with $name"; exit 1; }
    echo "$name: ${t#*:} of 243 texts, the same tokens"
done
