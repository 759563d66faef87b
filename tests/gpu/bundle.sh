#!/bin/sh
# Packs what a machine with a GPU and nothing else of ours needs: programs and tests as linked for it (the Makefile's
# bundle folder: they look for libraries in ../lib/private), the plug-in, copies of the libraries.
# There: tar -xf thinkpipe-gpu.tar.gz && thinkpipe-gpu/run.sh
#
#   bundle.sh LINKED PLUGIN... OUT.tar.gz
set -eu
linked=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
to=$tmp/thinkpipe-gpu
mkdir -p "$to/lib/thinkpipe" "$to/lib/private"
cp -R "$linked/bin" "$linked/tests" "$to/"
strip "$to"/bin/* "$to"/tests/*
while [ $# -gt 1 ]; do
    [ ! -e "$1" ] || cp "$1" "$to/lib/thinkpipe/"
    shift
done
strip --strip-unneeded "$to"/lib/thinkpipe/*.so
# The C library and the loader are the machine's own; all others are ours.
ldd "$to"/bin/* "$to"/tests/* "$to"/lib/thinkpipe/*.so 2>/dev/null | awk '$2 == "=>" { print $3 }' | sort -u |
    grep -Ev '/(libc|libm|libpthread|libdl|librt|libresolv|ld-linux[^/]*)\.so' | while read -r library; do
    cp -L "$library" "$to/lib/private/"
done
cp "$here/run.sh" "$to/"
cp "$here/../bench/peers/torch_model.py" "$here/../tiny-sft.sh" "$to/tests/"
tar -C "$tmp" -czf "$1" thinkpipe-gpu
echo "$1: $(du -m "$1" | cut -f 1) MB"
