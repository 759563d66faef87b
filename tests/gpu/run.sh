#!/bin/sh
# Tests and measures the GPU's kernels on a machine that has a GPU; needs only what `make gpu-bundle` packed, or the
# tree it lies in once built (then: tests/gpu/run.sh BIN OBJECTS).  Into $OUT (or here) it writes results.md, a line as soon
# as it is known, and run.log, all that the programs said.  It ends with "N passed, N failed, N skipped", exit status 1 if
# anything failed, and keeps to $BUDGET seconds, 570 by default.  What is correct comes first, then our speeds, then others'.
#
# DEVICE=emu rehearses it without a GPU; QUICK=1 leaves the long parts out, ONLY=REGEX all parts but those that are called so;
# PEER_PYTHON is a Python with PyTorch (python3 if that has it).  Matrix products want libcublasLt.so.13, of the toolkit or of
# pip's nvidia-cublas: where it is not found on the usual paths, put its folder into LD_LIBRARY_PATH.
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
fi
device=${DEVICE:-cuda} out=${OUT:-$PWD} python=${PEER_PYTHON:-python3} budget=570 limit=60
[ "$device" = cuda ] || budget=3600 limit=1800 # a rehearsal takes its time
budget=${BUDGET:-$budget}
mkdir -p "$out" 2>/dev/null
out=$(cd "$out" && pwd) && : >"$out/results.md" && : >"$out/run.log" || { echo "run.sh: cannot write into '$out'" >&2; exit 1; }
results=$out/results.md all=$out/run.log began=$(date +%s)
machines_path=${LD_LIBRARY_PATH-}
export PATH="$bin:$PATH" THINKPIPE_PLUGINS="$plugins" TESTS="$tests" THINKPIPE_CACHE=off
work=$(mktemp -d) || exit 1
cd "$work" || exit 1
passed=0 failed=0 skipped=0 ended=

say() { echo "$1" | tee -a "$results"; }
elapsed() { echo $(($(date +%s) - began)); }
left() { echo $((budget - $(elapsed))); }

finish() { # however it ends, what is known is there
    [ -z "$ended" ] || return
    ended=1
    say ""
    say "$passed passed, $failed failed, $skipped skipped, $(elapsed) s${1:+; $1}"
    rm -rf "$work"
    echo "$passed passed, $failed failed, $skipped skipped"
}
trap 'finish "stopped by a signal"; exit 1' HUP INT TERM
trap 'finish' EXIT

ok() { passed=$((passed + 1)); say "- ok: $1 (${2:-0} s)"; }
skip() { skipped=$((skipped + 1)); say "- skipped: $1: $2"; }
fail() { # name seconds: with what was said last
    failed=$((failed + 1))
    say "- **FAIL**: $1 ($2 s)"
    { echo; tail -n 12 log | cut -c 1-300 | sed 's/^/      /'; echo; } | tee -a "$results"
}
keep_log() { { echo "=== $1"; cat log; } >>"$all" 2>/dev/null; }

# A program, for at most $limit seconds and what is left of all time.
t() {
    most=$(left)
    [ "$most" -lt "$limit" ] || most=$limit
    [ "$most" -gt 0 ] || { echo "no time left" >&2; return 124; }
    timeout -k 5 "$most" "$@"
    rc=$?
    [ $rc != 124 ] || echo "stopped after $most s: $*" >&2
    return $rc
}

wanted() { [ -z "${ONLY:-}" ] || echo "$1" | grep -Eq "$ONLY"; }

check() { # name command...: a check of up to $limit seconds a program
    name=$1
    shift
    wanted "$name" || return
    if [ "$(left)" -lt 20 ]; then skip "$name" "no time left"; return; fi
    at=$(elapsed)
    if ("$@") >log 2>&1; then ok "$name" $(($(elapsed) - at)); else fail "$name" $(($(elapsed) - at)); fi
    keep_log "$name"
}
same() { [ -s "$1" ] && [ "$(cksum <"$1")" = "$(cksum <"$2")" ]; }

# --- the machine ---

find_library() { # cuBLASLt, where the toolkit, the system or pip put it
    for folder in $(echo "$machines_path" | tr : ' ') /usr/local/cuda/lib64 /usr/local/cuda-13*/lib64 \
        /usr/local/cuda*/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu /usr/lib64 \
        $("$python" -c 'import sys; print(" ".join(p + "/nvidia/*/lib" for p in sys.path if p))' 2>/dev/null) \
        /usr/lib/python3*/*-packages/nvidia/*/lib /usr/local/lib/python3*/*-packages/nvidia/*/lib \
        /opt/*/lib/python3*/site-packages/nvidia/*/lib; do
        [ ! -e "$folder/libcublasLt.so.13" ] || { echo "$folder"; return; }
    done
}

gpu() { # a line a GPU
    command -v nvidia-smi >/dev/null || { echo "no nvidia-smi here"; return; }
    timeout 20 nvidia-smi --format=csv,noheader \
        --query-gpu=name,memory.total,memory.used,driver_version,compute_cap,clocks.max.sm,power.limit,mig.mode.current 2>/dev/null ||
        timeout 20 nvidia-smi -L 2>&1 | head -n 4
}

say "# On a GPU: device $device"
say ""
say "$(date -u '+%Y-%m-%d %H:%M') UTC, $(uname -sm), $(nproc 2>/dev/null) processors, $(ldd --version 2>&1 | head -n 1)"
say ""
gpu | sed 's/^/- GPU: /' | while read -r line; do say "$line"; done
library=$(find_library)
say "- cuBLASLt: ${library:-none of version 13; products by our own kernel}"
[ -z "$library" ] || export LD_LIBRARY_PATH="$library${machines_path:+:$machines_path}"
# PyTorch takes its time to load: meanwhile the first checks run.
{
    LD_LIBRARY_PATH=$machines_path timeout 120 "$python" -c 'import torch
print(torch.__version__, "CUDA", torch.version.cuda, "usable" if torch.cuda.is_available() else "sees no GPU")' >torch 2>torch.err ||
        echo "none: $(tail -n 1 torch.err | cut -c 1-200)" >torch
} &
torch_job=$!
say ""
say "## Is it right"
say ""

starts() { # the programs on this C library, then the device
    t task-gen --version && t "$bench/bench_gpu" "$device" quick
}
ONLY= check "programs start, the device opens" starts
if [ $failed != 0 ]; then
    [ "$device" != cuda ] || say "Nothing else can be done here. Needed: a GPU of compute capability 8.0, a driver of CUDA 13 (580 or later), glibc 2.36."
    skip "all other checks and speeds" "$(tail -n 1 log | cut -c 1-200)"
    exit 1
fi

# --- correct ---

only=cuda
[ "$device" = cuda ] || only=cuda-emu
ops() { OPS_ONLY=$only t "$units/$1" >ops.log 2>&1; rc=$?; cat ops.log; [ $rc = 0 ] && grep -q '^ok [1-9]' ops.log; }
# In a process of its own each: what breaks one leaves the others.
for op in embedding rmsnorm rope swiglu logprob draw adamw linear attention; do
    export OPS_OP=$op
    check "$op against the reference" ops test_ops_cpu
done
unset OPS_OP
check "values that are known" ops test_ops_values
own() { THINKPIPE_PRODUCTS=own ops "$1"; }
[ -n "${QUICK:-}" ] || check "bits: alone, packed, cached, in shared pages" ops test_ops_exact
[ -n "${QUICK:-}" ] || check "the same without cuBLASLt" own test_ops_exact
check "steps of decoding that are recorded: the logits of single launches" ops test_device

tiny() { . "$TESTS/tiny-sft.sh" && head -n 40 prompts.jsonl >few.jsonl && [ -s sft/model.safetensors ]; }
check "a tiny model, made on the CPU" tiny

long=60
[ "$device" = cuda ] || { long=6; head -n 3 prompts.jsonl >few.jsonl 2>>"$all"; }
generate() { # precision seed options...
    precision=$1 seed=$2
    shift 2
    t rollout-gen -q --model sft --precision "$precision" --device "$device" --max-tokens "$long" --seed "$seed" "$@" few.jsonl
}
bitwise() { # precision
    for batch in 1 16; do
        generate "$1" 5 --group 2 --batch $batch >"out.$batch" || return 1
    done
    same out.1 out.16 || { echo "batches of 1 and 16 differ"; return 1; }
    t logprob-recalc -q --model sft --precision "$1" --device "$device" --as old --report report.json --fail-above 0 out.16 >recalc.jsonl
    rc=$?
    cat report.json
    return $rc
}
check "generator and recalculation, fp32: the same bits" bitwise fp32
check "generator and recalculation, bf16: the same bits" bitwise bf16

recorded() { # sampled tokens and log-probabilities with records and without, prompts shared and not
    for graphs in on off; do
        THINKPIPE_GRAPHS=$graphs generate bf16 7 --group 3 --batch 5 >"graphs.$graphs" || return 1
    done
    same graphs.on graphs.off
}
check "recorded steps and single launches: the same bits" recorded

bytes() {
    for batch in 1 16; do
        generate bf16 5 --weights int8 --temperature 0 --batch $batch >"bytes.$batch" || return 1
    done
    same bytes.1 bytes.16
}
check "int8 weights: the same bits in any batch" bytes

train() { # out options...: on worked examples
    out_model=$1
    shift
    t sft-train -q --model init --out "$out_model" --overwrite "$@" worked.jsonl
}
follows() { # precision most
    for d in cpu "$device"; do
        train "follow-$d" --steps 20 --epochs 5 --batch-tokens 256 --lr 1e-3 --precision "$1" --device "$d" >"follow-$d.jsonl" || return 1
    done
    paste "follow-cpu.jsonl" "follow-$device.jsonl" | sed 's/"loss":/\n/g' | awk -v most="$2" '
        /^[0-9]/ { split($0, x, ","); v[++n] = x[1] }
        END { for (i = 1; i < n; i += 2) { d = (v[i] - v[i + 1]) / v[i]; if (d < 0) d = -d; if (d > worst) worst = d }
            print "worst relative difference", worst, "of", n / 2; exit !(n == 40 && worst <= most) }'
}
check "twenty steps as on the CPU, fp32" follows fp32 1e-5
check "twenty steps as on the CPU, bf16" follows bf16 1e-3

again() { # layers that run again in the backward
    for flag in "" --recompute; do
        train "again$flag" --steps 3 --batch-tokens 512 --precision bf16 $flag --device "$device" >"again$flag.jsonl" || return 1
    done
    same again/model.safetensors again--recompute/model.safetensors
}
check "training with --recompute: the same bits" again

on_policy() { # learning rate 0: the trainer's log-probabilities are the generator's, and every ratio is 1
    generate bf16 6 --group 8 >sampled.jsonl && t reward-verify -q --verifier random:0.5 <sampled.jsonl >judged.jsonl &&
        t rlvr-train -q --model sft --out still --overwrite --lr 0 --steps 1 --prompts-per-step 3 --max-staleness -1 \
            --precision bf16 --device "$device" judged.jsonl >still.jsonl || return 1
    cat still.jsonl
    grep -Eq '"sampling/sampling_logp_difference/max": ?0(\.0)?[,}]' still.jsonl &&
        grep -Eq '"sampling/importance_sampling_ratio/max": ?1(\.0)?[,}]' still.jsonl
}
check "reinforcement learning on policy" on_policy

lacks() { # more than any GPU has: refused before anything is read, with what would do
    if train none --micro-tokens 1000000000 --precision bf16 --device "$device" 2>none.log; then return 1; fi
    cat none.log
    grep -Eq 'are needed, .* are free, .* are missing; .* would do with' none.log && [ ! -e none/model.safetensors ]
}
check "a run that does not fit says what would" lacks

kept() { # products found by one process are the next one's
    for i in 1 2; do
        THINKPIPE_CACHE="$work/cache" generate bf16 8 >"kept.$i" || return 1
    done
    same kept.1 kept.2 && { [ "$device" = cuda ] && [ -z "$library" ] || ls "$work"/cache/products-*.txt; }
}
check "products that were kept: the same bits" kept

sanitize() { # tool ops...: may take as long as it wants elsewhere
    tool=$1
    shift
    for op in "$@"; do
        wanted "$tool: $op" || continue
        if [ "$(left)" -lt 60 ]; then skip "$tool: $op" "no time left"; continue; fi
        OPS_ONLY=cuda OPS_OP=$op t compute-sanitizer --tool "$tool" --error-exitcode 9 "$units/test_ops_cpu" >log 2>&1
        case $? in
        0) ok "$tool: $op" ;;
        124) skip "$tool: $op" "not done in $limit s" ;;
        *) fail "$tool: $op" "at most $limit" ;;
        esac
        keep_log "$tool: $op"
    done
}
if [ "$device" != cuda ] || ! command -v compute-sanitizer >/dev/null; then
    ! wanted "compute-sanitizer" || skip "compute-sanitizer" "not here"
else
    limit=30
    sanitize memcheck linear attention logprob
fi

# --- fast ---

say ""
say "## How fast"
say ""
limit=100
report() { # name program...: its tables, as they come
    name=$1
    shift
    wanted "$name" || return
    if [ "$(left)" -lt 30 ]; then skip "$name" "no time left"; return; fi
    t "$@" 2>log | tee -a "$results"
    [ ! -s log ] || skip "$name" "$(tail -n 1 log)"
    keep_log "$name"
}
if [ "$device" = cuda ]; then
    report "speeds of operations" "$bench/bench_gpu" cuda
else
    report "speeds of operations" "$bench/bench_gpu" "$device" quick
fi

rate() { sed -n 's/.*: \([0-9.]*\) tokens\/s.*/\1/p'; }
measure() { # work shape precision batch parameters layers width width-of-keys context
    wanted "$1 $2 $3, batch $4" || return
    if [ "$(left)" -lt 45 ]; then skip "$1 $2 $3, batch $4" "no time left"; return; fi
    ours=$(THINKPIPE_CACHE="$work/cache" t "$bench/bench_model" "$1" "$2" "$3" "$4" 0 "$device" 2>log | rate)
    keep_log "$1 $2 $3, batch $4"
    [ -n "$ours" ] || { skip "$1 $2 $3, batch $4" "$(tail -n 1 log)"; return; }
    echo "$1 $2 $3 $4 $ours" >>ours
    # Training against the peak of the tensor cores; decoding against reading weights and cache once a step, at the
    # 4.3 TB/s that a copy reaches; 64 positions of a sequence on average.
    say "$(echo "$ours $*" | awk '{
        bytes = $6 * ($4 == "int8" ? 1 : 2) + $5 * 64 * $7 * 4 * $9
        part = $2 ~ /train/ ? sprintf("%.1f %% of 989 TFLOP/s", 100 * $1 * (6 * $6 + 6 * $7 * $8 * $10) / 989e12) \
            : sprintf("%.1f %% of 4.3 TB/s", 100 * $1 / $5 * bytes / 4.3e12)
        printf "| %s | %s | %s | %s | %s | %s |", $2, $3, $4, $5, $1, part }')"
}
if [ -z "${QUICK:-}" ]; then
    say ""
    say "Products by our own kernel, whatever the number of rows:"
    say ""
    limit=40
    ! wanted "speeds of operations" || THINKPIPE_PRODUCTS=own t "$bench/bench_gpu" cuda 2>>"$all" | sed '/^$/q' | tee -a "$results"
    say "| work | shape | precision | batch | tokens/s | part of what is possible |"
    say "|---|---|---|---|---|---|"
    limit=100
    measure train smollm2 bf16 8 135e6 30 576 192 1024
    measure train 1b bf16 1 1.28e9 16 2048 2048 4096
    measure decode smollm2 bf16 64 135e6 30 576 192 1024
    measure decode 1b bf16 1 1.28e9 16 2048 2048 4096
    measure decode 1b bf16 64 1.28e9 16 2048 2048 4096
    measure decode 1b bf16 256 1.28e9 16 2048 2048 4096
    measure decode 7b bf16 64 6.7e9 32 4096 4096 4096
    measure decode 7b int8 64 6.7e9 32 4096 4096 4096
    measure decode 1b int8 1 1.28e9 16 2048 2048 4096
    measure train-recompute 7b bf16 1 6.7e9 32 4096 4096 4096
fi

# --- beside the same work in PyTorch ---

wait $torch_job
say ""
say "PyTorch: $(cat torch)"
beside() { # work shape batch
    ours=$(sed -n "s/^$1 $2 bf16 $3 //p" ours 2>/dev/null)
    [ -n "$ours" ] || return
    if [ "$(left)" -lt 45 ]; then skip "PyTorch, $1 $2, batch $3" "no time left"; return; fi
    theirs=$(LD_LIBRARY_PATH=$machines_path t "$python" "$peer" "$1" "$2" bf16 --batch "$3" --device cuda 2>log | rate)
    keep_log "PyTorch, $1 $2, batch $3"
    [ -n "$theirs" ] || { skip "PyTorch, $1 $2, batch $3" "$(tail -n 1 log | cut -c 1-200)"; return; }
    say "$(echo "$1 $2 $3 $ours $theirs" | awk '{ printf "| %s | %s | %s | %s | %s | %.2f |", $1, $2, $3, $4, $5, $4 / $5 }')"
}
if [ "$device" = cuda ] && grep -q ' usable$' torch; then
    say ""
    say "| work | shape | batch | tokens/s | PyTorch's | ours over it |"
    say "|---|---|---|---|---|---|"
    limit=60
    beside train 1b 1
    beside decode 1b 64
    beside train smollm2 8
    beside decode 7b 64
    beside decode smollm2 64
    beside decode 1b 1
fi
if [ "$device" = cuda ] && command -v compute-sanitizer >/dev/null; then
    limit=40
    say ""
    sanitize racecheck linear attention logprob
    sanitize synccheck attention
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
