#!/bin/sh
# Training, sampling and recalculation in valgrind, on the instruction sets that it knows: nothing is read
# before it was written or after it was freed, nothing definitely lost.
set -eu
[ -n "${LONG:-}" ] || { echo "some minutes: LONG=1 runs it"; exit 77; }
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
awk 'BEGIN { for (i = 0; i < 6; i++) {
    printf "{\"tokens\":["; for (j = 0; j < 9 + 7 * i; j++) printf "%s%d", j ? "," : "", (i + j * j) % 264; print "]}" } }' >docs.jsonl
printf '{"prompt_token_ids":[%s]}\n' 1,2,3 5 7,7,8,200,9 >prompts.jsonl

watched() { # program arguments...
    valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --child-silent-after-fork=yes \
        "$@"
}

for cpu in base avx2; do
    THINKPIPE_CPU=$cpu
    export THINKPIPE_CPU
    rollout-gen -q --model M --max-tokens 1 prompts.jsonl >out.jsonl 2>err || { cat err; continue; }
    for precision in fp32 bf16; do
        rm -rf run
        shard-pack -q --out docs.shard docs.jsonl
        watched base-train -q --model M --precision $precision --threads 2 --steps 2 --batch-tokens 128 --seq-len 64 --out run \
            docs.shard >metrics.jsonl
        watched rollout-gen -q --model run --precision $precision --threads 2 --group 2 --max-tokens 8 prompts.jsonl >out.jsonl
        watched logprob-recalc -q --model run --precision $precision --threads 2 --as old --report report.json --fail-above 0 out.jsonl \
            >recalc.jsonl
        [ "$(wc -l <metrics.jsonl)" -eq 2 ] && [ "$(wc -l <recalc.jsonl)" -eq 6 ]
        echo "$cpu $precision: nothing found"
    done
done
