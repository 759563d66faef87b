#!/bin/sh
# Whole programs on the emulated GPU: training follows the CPU's losses, greedy answers agree, and the generator's
# log-probabilities are the trainer's, bit for bit, whatever the batch and the order of threads, and whether steps are
# recorded; layers that run again in the backward change nothing.
set -eu
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
. "$TESTS/tiny-sft.sh"
head -n 5 prompts.jsonl >few.jsonl

losses_agree() { # largest relative difference
    jq -n --slurpfile a cpu.jsonl --slurpfile b emu.jsonl --argjson most "$1" \
        '[range(20) | ($a[.].loss - $b[.].loss) / $a[.].loss | fabs] | max | if . <= $most then . else error("losses differ by \(.)") end'
}

for precision in fp32 bf16; do
    [ $precision = fp32 ] && most=1e-6 || most=1e-3
    for device in cpu emu; do
        sft-train -q --model init --out $precision-$device --overwrite --steps 20 --epochs 5 --batch-tokens 256 --lr 1e-3 \
            --precision $precision --device $device worked.jsonl >$device.jsonl
        rollout-gen -q --model sft --precision $precision --device $device --temperature 0 --max-tokens 24 few.jsonl |
            jq -c .token_ids >$device.greedy
    done
    echo "$precision: losses of 20 steps within $(losses_agree $most)"
    cmp cpu.greedy emu.greedy

    for schedule in 0 1 7; do
        rm -f same.jsonl
        for batch in 1 4; do
            EMU_SCHEDULE=$schedule rollout-gen -q --model sft --precision $precision --device emu --group 2 --max-tokens 12 \
                --top-k 40 --top-p 0.9 --seed 5 --batch $batch few.jsonl >out.jsonl
            [ -e same.jsonl ] || cp out.jsonl same.jsonl
            cmp same.jsonl out.jsonl
        done
    done
    THINKPIPE_GRAPHS=off rollout-gen -q --model sft --precision $precision --device emu --group 2 --max-tokens 12 \
        --top-k 40 --top-p 0.9 --seed 5 --batch 4 few.jsonl >out.jsonl
    cmp same.jsonl out.jsonl
    rollout-gen -q --model sft --precision $precision --device emu --group 2 --max-tokens 12 --seed 5 few.jsonl >out.jsonl
    logprob-recalc -q --model sft --precision $precision --device emu --as old --report report.json --fail-above 0 out.jsonl >/dev/null
    jq -e '.tokens > 80 and .bitwise_equal == 1' report.json >/dev/null
done

# int8 weights: the CPU's answers, whatever the batch.
for batch in 1 4; do
    rollout-gen -q --model sft --precision bf16 --weights int8 --device emu --temperature 0 --max-tokens 12 --batch $batch few.jsonl \
        >int8.$batch
done
cmp int8.1 int8.4
rollout-gen -q --model sft --precision bf16 --weights int8 --device cpu --temperature 0 --max-tokens 12 few.jsonl >int8.cpu
jq -n --slurpfile a int8.cpu --slurpfile b int8.4 '[$a, $b | [.[].logprobs[]]] | transpose | map(.[0] - .[1] | fabs) | max |
    if . < 0.02 then . else error("log-probabilities with int8 weights differ by \(.)") end'
rollout-gen -q --model sft --precision bf16 --device emu --temperature 0 --max-tokens 12 few.jsonl >exact
if cmp -s int8.4 exact; then echo "int8 weights have the exact ones' bits"; exit 1; fi

# The order of threads and blocks is nothing that a trained model can tell.
for schedule in 0 1 7; do
    EMU_SCHEDULE=$schedule sft-train -q --model init --out order-$schedule --steps 3 --batch-tokens 128 --precision bf16 \
        --device emu worked.jsonl >/dev/null
done
cmp order-0/model.safetensors order-1/model.safetensors
cmp order-0/model.safetensors order-7/model.safetensors
sft-train -q --model init --out again --steps 3 --batch-tokens 128 --precision bf16 --recompute --device emu worked.jsonl >/dev/null
cmp order-0/model.safetensors again/model.safetensors
