#!/bin/sh
# Packs what a machine with a GPU and nothing else of ours needs: programs, the plug-in, copies of the libraries, tests and
# benchmarks.  There: tar -xf thinkpipe-gpu.tar.gz && thinkpipe-gpu/run.sh
#
#   bundle.sh BIN OBJECTS OUT.tar.gz
set -eu
bin=$1 objects=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
to=$tmp/thinkpipe-gpu
mkdir -p "$to/bin" "$to/lib/thinkpipe" "$to/lib/private" "$to/tests"
for p in task-gen tok-train tok-encode model-init base-train sft-train rlvr-train rollout-gen reward-verify logprob-recalc; do
    cp "$bin/$p" "$to/bin/"
done
for p in unit/test_ops_cpu unit/test_ops_values unit/test_ops_exact unit/test_device bench/bench_gpu bench/bench_model; do
    cp "$objects/$p" "$to/tests/"
done
strip "$to"/bin/* "$to"/tests/test_* "$to"/tests/bench_*
for plugin in "$bin/../lib/thinkpipe/thinkpipe-cuda.so" "$objects/plugins/thinkpipe-emu.so"; do
    [ ! -e "$plugin" ] || cp "$plugin" "$to/lib/thinkpipe/"
done
strip --strip-unneeded "$to"/lib/thinkpipe/*.so
# The C library and the loader are the machine's own; all others are ours.
ldd "$to"/bin/* "$to"/tests/* 2>/dev/null | awk '$2 == "=>" { print $3 }' | sort -u |
    grep -Ev '/(libc|libm|libpthread|libdl|librt|ld-linux[^/]*)\.so' | while read -r library; do
    cp -L "$library" "$to/lib/private/"
done
cp "$here/run.sh" "$to/"
cp "$here/../bench/peers/torch_model.py" "$here/../tiny-sft.sh" "$to/tests/"
tar -C "$tmp" -czf "$out" thinkpipe-gpu
echo "$out: $(du -m "$out" | cut -f 1) MB"
