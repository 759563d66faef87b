#!/bin/sh
# A GPU's memory: taken at once, as much as was planned and no more; where it is not there, the error says how much is
# missing and which option helps, and that option does.
set -eu
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
. "$TESTS/tiny-sft.sh"

train() { # bytes of memory, options...
    EMU_MEMORY=$1
    export EMU_MEMORY
    shift
    status=0
    THINKPIPE_PRODUCTS=${products:-own} sft-train -v --model init --out R --overwrite --steps 2 --batch-tokens 1024 --micro-tokens 1024 \
        --device emu "$@" worked.jsonl 2>log >metrics.jsonl || status=$?
    return $status
}
bytes() { awk -v n="$1" -v unit="$2" 'BEGIN { printf "%.0f\n", (n + 0.1) * (unit == "GiB" ? 1073741824 : 1048576) }'; }
needed() { sed -n 's/.*no memory on emu: \([0-9.]* [MG]iB\) are needed.*/\1/p' log; }
refused() { # what the error must say
    [ $status = 70 ] || { echo "exit status $status, not 70"; exit 1; }
    grep -Eq "$1" log || { echo "not said: $1"; tail -n 3 log; exit 1; }
}

for precision in fp32 bf16; do
    # Nothing would do: what the weights take.
    if train 100000 --precision $precision; then echo "it fits into nothing"; exit 1; fi
    refused 'no memory on emu: [0-9.]+ MiB are needed, 0\.1 MiB are free, [0-9.]+ MiB are missing; weights, gradients and optimiser alone take [0-9.]+ MiB'
    all=$(bytes $(needed))
    # With as much as was said, and no byte more, it runs: no step allocates.
    train "$all" --precision $precision || { tail -n 3 log; exit 1; }
    grep -q 'emu: [0-9.]* MiB taken at once' log
    cp R/model.safetensors whole-$precision
    # With less: the first option that helps, which then does.
    if train $((all - 400000)) --precision $precision; then echo "it fits into less than was planned"; exit 1; fi
    refused 'are missing; --recompute would do with [0-9.]+ MiB'
    train $((all - 400000)) --precision $precision --recompute || { tail -n 3 log; exit 1; }
    cmp R/model.safetensors whole-$precision
    if train $((all / 2)) --precision $precision; then echo "it fits into half"; exit 1; fi
    refused 'are missing; (--recompute )?--micro-tokens (256|512) would do with [0-9.]+ MiB'
    help=$(sed -n 's/.*are missing; \(.*\) would do with.*/\1/p' log)
    train $((all / 2)) --precision $precision $help || { tail -n 3 log; exit 1; }
    # Other micro-batches round elsewhere; the loss is the same to what rounding leaves.
    echo "$precision: $all bytes at most, $help in half of them"
done

# With cuBLASLt the search for exact products is part of the plan; its workspace, 32 MiB, is there before.
products=cublaslt
if train 40000000 --precision bf16; then echo "it fits into nothing"; exit 1; fi
train $((33554432 + $(bytes $(needed)))) --precision bf16 || { tail -n 3 log; exit 1; }

# Keys and values: sequences share the pages that fit, and write what they would with all; one that does not fit is refused.
head -n 2 prompts.jsonl >two.jsonl
generate() { # bytes of memory, options...
    EMU_MEMORY=$1
    export EMU_MEMORY
    shift
    status=0
    THINKPIPE_PRODUCTS=own rollout-gen -v --model sft --precision fp32 --device emu --group 4 --batch 8 --max-tokens 130 --ignore-eos \
        "$@" two.jsonl 2>log || status=$?
    return $status
}
generate 100000000 >all.jsonl
if grep -q 'sequences could fill' log; then echo "not all pages where there is room"; exit 1; fi
generate 1330000 >few.jsonl || { tail -n 3 log; exit 1; }
cmp all.jsonl few.jsonl
grep -Eq 'a key-value cache of [0-9]+ pages of 64 tokens; 8 sequences could fill [0-9]+' log
grep -Eo ' [1-9][0-9]* times a sequence gave up its place' log
if generate 1130000; then echo "it fits into less than one sequence"; exit 1; fi
refused 'a sequence of [0-9]+ tokens needs [0-9.]+ MiB of key-value cache, and [0-9.]+ are there; .*--max-tokens'
generate 1130000 --max-tokens 8 >/dev/null || { tail -n 3 log; exit 1; }
