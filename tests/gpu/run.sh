#!/bin/sh
# Tests and measures the GPU's kernels on a machine that has a GPU; needs only what `make gpu-bundle` packed, or the
# tree it lies in once built (then: tests/gpu/run.sh BIN OBJECTS).  Writes results.md into $OUT (or here), ends with a line
# "N passed, N failed, N skipped", and takes less than ten minutes.
#
# DEVICE=emu rehearses it without a GPU; QUICK=1 leaves the long benchmarks out; PEER_PYTHON is a Python with PyTorch
# (python3 if that has it).
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ge 2 ]; then
    bin=$(cd "$1" && pwd) objects=$(cd "$2" && pwd) tests="$here/.."
    units=$objects/unit bench=$objects/bench peer=$tests/bench/peers/torch_model.py
    plugins=$(cd "$bin/../lib/thinkpipe" 2>/dev/null && pwd)
    [ "${DEVICE:-cuda}" = cuda ] || plugins=$objects/plugins
else
    bin=$here/bin tests=$here/tests units=$here/tests bench=$here/tests peer=$here/tests/torch_model.py
    plugins=$here/lib/thinkpipe
    export LD_LIBRARY_PATH="$here/lib/private${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
device=${DEVICE:-cuda} out=${OUT:-$PWD}
export PATH="$bin:$PATH" THINKPIPE_PLUGINS="$plugins" TESTS="$tests" THINKPIPE_CACHE=off
# cuBLASLt, where pip or the toolkit put it.
for folder in /usr/local/cuda/lib64 $(ls -d /usr/lib/python3*/site-packages/nvidia/cu*/lib \
    /usr/local/lib/python3*/*-packages/nvidia/cu*/lib 2>/dev/null); do
    [ ! -e "$folder/libcublasLt.so.13" ] || LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done
export LD_LIBRARY_PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
results=$out/results.md
passed=0 failed=0 skipped=0 began=$(date +%s)

ok() { passed=$((passed + 1)); echo "ok   $1"; }
fail() { failed=$((failed + 1)); echo "FAIL $1"; tail -n 20 log | sed 's/^/     /'; }
skip() { skipped=$((skipped + 1)); echo "skip $1: $2" | tee -a skipped; }
check() { # name command...
    name=$1
    shift
    if "$@" >log 2>&1; then ok "$name"; else fail "$name"; fi
}
time_left() { [ $(($(date +%s) - began)) -lt "$1" ]; }

# --- correct ---

only=cuda
[ "$device" = cuda ] || only=cuda-emu
ops() { OPS_ONLY=$only "$units/$1" >log 2>&1 && grep -q '^ok [1-9]' log; }
check "each op against the reference" ops test_ops_cpu
check "values that are known" ops test_ops_values
own() { THINKPIPE_PRODUCTS=own ops "$1"; }
[ -n "${QUICK:-}" ] || check "bits: alone, packed, cached, behind a prefix" ops test_ops_exact
[ -n "${QUICK:-}" ] || check "the same without cuBLASLt" own test_ops_exact

records() { OPS_ONLY=$only "$units/test_device" >log 2>&1 && grep -q '^ok [1-9]' log; }
check "steps of decoding that are recorded: the logits of single launches" records

tiny() { (. "$TESTS/tiny-sft.sh") && head -n 40 prompts.jsonl >few.jsonl; }
check "a tiny model" tiny

bitwise() { # precision
    for batch in 1 16; do
        rollout-gen -q --model sft --precision "$1" --device "$device" --group 2 --max-tokens "$long" --seed 5 --batch $batch \
            few.jsonl >"out.$batch" || return 1
    done
    cmp out.1 out.16 && logprob-recalc -q --model sft --precision "$1" --device "$device" --as old --report report.json \
        --fail-above 0 out.16 >/dev/null
}
long=60
[ "$device" = cuda ] || { long=6; head -n 3 prompts.jsonl >few.jsonl; }
check "generator and recalculation, fp32: the same bits" bitwise fp32
check "generator and recalculation, bf16: the same bits" bitwise bf16

recorded() { # sampled tokens and log-probabilities with records and without, prompts shared and not
    for graphs in on off; do
        THINKPIPE_GRAPHS=$graphs rollout-gen -q --model sft --precision bf16 --device "$device" --group 3 --max-tokens "$long" \
            --seed 7 --batch 5 few.jsonl >"graphs.$graphs" || return 1
    done
    cmp graphs.on graphs.off
}
check "recorded steps and single launches: the same bits" recorded

again() { # layers that run again in the backward
    for flag in "" --recompute; do
        sft-train -q --model init --out "again$flag" --overwrite --steps 3 --batch-tokens 512 --precision bf16 $flag \
            --device "$device" worked.jsonl >"again$flag.jsonl" || return 1
    done
    cmp again/model.safetensors again--recompute/model.safetensors
}
check "training with --recompute: the same bits" again

lacks() { # more than any GPU has: refused before anything is read, with what would do
    if sft-train -q --model init --out none --micro-tokens 1000000000 --precision bf16 --device "$device" worked.jsonl \
        >none.jsonl 2>none.log; then return 1; fi
    cat none.log
    grep -Eq 'are needed, .* are free, .* are missing; .* would do with' none.log && [ ! -e none/model.safetensors ]
}
check "a run that does not fit says what would" lacks

kept() { # products found by one process are the next one's
    for i in 1 2; do
        THINKPIPE_CACHE="$work/cache" rollout-gen -q --model sft --precision bf16 --device "$device" --max-tokens "$long" --seed 8 \
            few.jsonl >"kept.$i" || return 1
    done
    cmp kept.1 kept.2 && { [ "$device" = cuda ] || ls "$work"/cache/products-*.txt; }
}
check "products that were kept: the same bits" kept

follows() { # precision most
    for d in cpu "$device"; do
        sft-train -q --model init --out "follow-$d" --overwrite --steps 20 --epochs 5 --batch-tokens 256 --lr 1e-3 --precision "$1" \
            --device "$d" worked.jsonl >"follow-$d.jsonl" || return 1
    done
    paste "follow-cpu.jsonl" "follow-$device.jsonl" | sed 's/"loss":/\n/g' | awk -v most="$2" '
        /^[0-9]/ { split($0, x, ","); v[++n] = x[1] }
        END { for (i = 1; i < n; i += 2) { d = (v[i] - v[i + 1]) / v[i]; if (d < 0) d = -d; if (d > worst) worst = d }
            print "worst relative difference", worst, "of", n / 2; exit !(n == 40 && worst <= most) }'
}
check "twenty steps as on the CPU, fp32" follows fp32 1e-5
check "twenty steps as on the CPU, bf16" follows bf16 1e-3

on_policy() { # learning rate 0: the trainer's log-probabilities are the generator's, and every ratio is 1
    rollout-gen -q --model sft --precision bf16 --device "$device" --group 8 --max-tokens "$long" --seed 6 few.jsonl |
        reward-verify -q --verifier random:0.5 |
        rlvr-train -q --model sft --out still --overwrite --lr 0 --steps 1 --prompts-per-step 3 --max-staleness -1 \
            --precision bf16 --device "$device" >still.jsonl || return 1
    cat still.jsonl
    grep -Eq '"sampling/sampling_logp_difference/max": ?0(\.0)?[,}]' still.jsonl &&
        grep -Eq '"sampling/importance_sampling_ratio/max": ?1(\.0)?[,}]' still.jsonl
}
check "reinforcement learning on policy" on_policy

if [ "$device" = cuda ] && command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck; do
        sanitized() { OPS_ONLY=cuda OPS_OP=$1 compute-sanitizer --tool $tool --error-exitcode 9 "$units/test_ops_cpu"; }
        for op in linear attention logprob; do
            if time_left 240; then check "$tool: $op" sanitized $op; else skip "$tool: $op" "no time left"; fi
        done
    done
else
    skip "compute-sanitizer" "not here"
fi

# --- fast ---

python=${PEER_PYTHON:-python3}
has_torch() { "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

rate() { sed -n 's/.*: \([0-9.]*\) tokens\/s.*/\1/p'; }

race() { # work shape batch parameters layers width context
    if ! time_left 480; then skip "$1 $2, batch $3" "no time left"; return; fi
    ours=$(timeout 150 "$bench/bench_model" "$1" "$2" bf16 "$3" 0 "$device" 2>log | rate)
    if [ -z "$ours" ]; then skip "$1 $2, batch $3" "$(tail -n 1 log)"; return; fi
    peer_rate=-
    [ "$device" = cuda ] && has_torch && peer_rate=$(timeout 100 "$python" "$peer" "$1" "$2" bf16 --batch "$3" --device cuda 2>log | rate)
    echo "$1 $2 $3 $ours ${peer_rate:--} $4 $5 $6 $7" | awk '{
        mfu = $1 == "train" ? sprintf("%.1f %%", 100 * $4 * (6 * $6 + 6 * $7 * $8 * $9) / 989e12) : "-"
        printf "| %s | %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, $5, ($5 > 0 ? sprintf("%.2f", $4 / $5) : "-"), mfu }'
}

{
    echo "# On a GPU"
    echo
    { nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.max.sm --format=csv,noheader 2>/dev/null ||
        echo "no GPU: device $device"; } | head -n 1
    date -u +%Y-%m-%d
    echo
    if [ "$device" = cuda ]; then
        timeout 120 "$bench/bench_gpu" cuda 2>&1
        echo
        echo "Products by our own kernel, whatever the number of rows:"
        echo
        THINKPIPE_PRODUCTS=own timeout 60 "$bench/bench_gpu" cuda 2>&1 | sed '/^$/q'
    else
        "$bench/bench_gpu" "$device" 1 2>&1
    fi
    echo
    echo "| work | shape | batch | tokens/s | PyTorch | ratio | of 989 TFLOP/s |"
    echo "|---|---|---|---|---|---|---|"
    if [ -z "${QUICK:-}" ]; then
        race train smollm2 8 135e6 30 576 1024
        race train 1b 1 1.28e9 16 2048 4096
        race decode smollm2 64 135e6 30 576 1024
        race decode 1b 1 1.28e9 16 2048 4096
        race decode 1b 64 1.28e9 16 2048 4096
        race decode 1b 256 1.28e9 16 2048 4096
        race decode 7b 64 6.7e9 32 4096 4096
        race train 7b 1 6.7e9 32 4096 4096
    fi
} >"$results.tmp"
grep -v '^skip ' "$results.tmp" >"$results" && rm -f "$results.tmp"
skipped=$(cat skipped 2>/dev/null | wc -l)
{
    echo
    cat skipped 2>/dev/null | sed 's/^skip /Left out: /'
    echo
    echo "$passed passed, $failed failed, $skipped skipped, $(($(date +%s) - began)) s"
} >>"$results"
cat "$results"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
