#!/bin/sh
# Seconds and MB/s (of weights read) of model-convert on a Llama folder, in turn with the gguf package
# when PEER_PYTHON has it, so that a busy machine slows both.  In PATH: model-convert.
#
#   tests/bench/convert.sh DIR [rounds]
set -eu
model=$1 rounds=${2:-3}
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mb=$(wc -c <"$model/model.safetensors" | awk '{ print $1 / 1e6 }')
line() { # who type seconds
    awk -v mb="$mb" -v who="$1" -v type="$2" -v s="$3" \
        'BEGIN { printf "%-14s %-5s %6.2f s  %5.0f MB/s\n", who, type, s, mb / s }'
}
for type in f32 bf16 f16 q8_0; do
    for _ in $(seq "$rounds"); do
        begin=$(date +%s.%N)
        model-convert -q --dtype $type --out "$tmp/ours.gguf" "$model"
        line model-convert $type "$(date +%s.%N | awk -v b="$begin" '{ print $1 - b }')"
        [ -z "${PEER_PYTHON:-}" ] ||
            line gguf $type "$("$PEER_PYTHON" "$here/peers/gguf_convert.py" "$model" "$tmp/peer.gguf" $type)"
    done
done
