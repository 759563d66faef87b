#!/bin/sh
# The same work by us and by peers, in turn, as one Markdown table of medians and ratios.
#
#   race.sh BENCH_MODEL [ROUNDS]
#
# PEER_PYTHON  a Python with PyTorch (and llama_cpp, if PEER_GGUF is given)
# PEER_GGUF    a folder of SHAPE.PRECISION.gguf with random weights, made by peers/random_gguf.py
# RACE         the rows, "work shape precision batch;..."; a default set otherwise
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=$1
rounds=${2:-3}
race=${RACE:-"train small fp32 4;train small bf16 4;train smollm2 fp32 2;prefill small fp32 4;prefill smollm2 fp32 1;\
decode small fp32 1;decode small fp32 32;decode smollm2 bf16 1;decode smollm2 bf16 32"}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

peers() { # work shape precision batch: what runs against us, a name and a command a line
    [ -z "${PEER_PYTHON:-}" ] || {
        echo "torch|$PEER_PYTHON $here/peers/torch_model.py $1 $2 $3 --batch $4"
        [ -z "${PEER_COMPILE:-}" ] || [ "$1" = decode ] ||
            echo "torch.compile|$PEER_PYTHON $here/peers/torch_model.py $1 $2 $3 --batch $4 --compile"
    }
    [ -z "${PEER_GGUF:-}" ] || [ "$1" = train ] || [ ! -e "$PEER_GGUF/$2.$3.gguf" ] ||
        echo "llama.cpp|$PEER_PYTHON $here/peers/llama_model.py $1 $PEER_GGUF/$2.$3.gguf --batch $4"
}

once() { # file command...: appends "rate MiB"
    to=$1
    shift
    "$@" 2>"$tmp/err" | sed -n 's/.*: \([0-9.]*\) tokens\/s, peak \([0-9.]*\) MiB.*/\1 \2/p' >"$tmp/line"
    [ -s "$tmp/line" ] || { echo "race.sh: failed: $*" >&2; tail -n 3 "$tmp/err" >&2; }
    cat "$tmp/line" >>"$to"
}

median() { sort -n "$1" | awk '{ x[NR] = $1; m[NR] = $2 } END { if (NR) print x[int((NR + 1) / 2)], m[int((NR + 1) / 2)]; else print 0, 0 }'; }

echo "| work | shape | precision | batch | ours, tokens/s | MiB | peer | tokens/s | MiB | speed ratio | memory ratio |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
echo "$race" | tr ';' '\n' | while read -r work shape precision batch; do
    rm -f "$tmp"/rate.*
    peers "$work" "$shape" "$precision" "$batch" >"$tmp/peers"
    for round in $(seq "$rounds"); do
        once "$tmp/rate.0" "$bench" "$work" "$shape" "$precision" "$batch"
        n=0
        while IFS='|' read -r name command; do
            n=$((n + 1))
            once "$tmp/rate.$n" $command </dev/null
        done <"$tmp/peers"
    done
    n=0
    while IFS='|' read -r name command; do
        n=$((n + 1))
        echo "$work $shape $precision $batch $(median "$tmp/rate.0") $name $(median "$tmp/rate.$n")" |
            awk '{ printf "| %s | %s | %s | %s | %.0f | %.0f | %s | %.0f | %.0f | %s | %s |\n", $1, $2, $3, $4, $5, $6, $7, $8, $9,
                   ($8 > 0 ? sprintf("%.2f", $5 / $8) : "-"), ($9 > 0 ? sprintf("%.2f", $6 / $9) : "-") }'
    done <"$tmp/peers"
    [ -s "$tmp/peers" ] || echo "$work $shape $precision $batch $(median "$tmp/rate.0")" |
        awk '{ printf "| %s | %s | %s | %s | %.0f | %.0f | - | - | - | - | - |\n", $1, $2, $3, $4, $5, $6 }'
done
