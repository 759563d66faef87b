#!/bin/sh
# On-policy means on-policy: log-probabilities recorded while sampling equal those
# recomputed from the finished sequences, bit for bit, and the tokens are the same
# for any batch and any number of threads.
set -eu
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M

# Prompts of 1 to 160 tokens, some of them twice in a row.
awk 'BEGIN { for (i = 0; i < 14; i++) {
    n = 1 + (i * i * 37) % 160; if (i % 5 == 4) n = last; last = n
    printf "{\"prompt_token_ids\":["
    for (j = 0; j < n; j++) printf "%s%d", j ? "," : "", (n * 7 + j * j) % 264
    print "]}" } }' >prompts.jsonl

check() { # precision, sampling options
    precision=$1
    shift
    rm -f first.jsonl
    for batch in 1 3 16; do
        for threads in 1 2; do
            rollout-gen -q --model M --precision "$precision" --group 3 --max-tokens 40 --seed 5 \
                --batch "$batch" --threads "$threads" "$@" prompts.jsonl >out.jsonl
            [ -e first.jsonl ] || cp out.jsonl first.jsonl
            cmp first.jsonl out.jsonl
        done
    done
    for threads in 1 2; do
        for tokens in 1 777; do
            logprob-recalc -q --model M --precision "$precision" --as old --threads "$threads" \
                --batch-tokens "$tokens" --report report.json --fail-above 0 out.jsonl >recalc.jsonl
            jq -es 'length == 42 and all(.logprobs == .old_logprobs and (.token_ids | length) > 0)' \
                recalc.jsonl >/dev/null
            jq -e '.tokens > 500 and .bitwise_equal == 1 and .max_abs_difference == 0' report.json >/dev/null
        done
    done
    echo "$precision $*: $(jq .tokens report.json) tokens equal"
}

check fp32
check bf16
check fp32 --temperature 0.7
check bf16 --temperature 1.5 --top-k 50 --top-p 0.9
check fp32 --min-p 0.05
check fp32 --temperature 0
if [ -n "${LONG:-}" ]; then
    for cpu in base avx2 avx512 avx512bf16 amx amx-bf16x3 amx-bf16x6; do
        if THINKPIPE_CPU=$cpu rollout-gen -q --model M --max-tokens 1 prompts.jsonl >/dev/null 2>&1; then
            export THINKPIPE_CPU=$cpu
            check fp32
            check bf16
        fi
    done
fi
