#!/bin/sh
# The bundle for a machine with a GPU, rehearsed on the emulator: unpacked elsewhere, it runs by itself.  With LONG=1 only.
set -eu
[ -n "${LONG:-}" ] || { echo "only with LONG=1"; exit 77; }
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
[ -z "${ASAN:-}" ] || { echo "not a bundle for sanitizers"; exit 77; }
make -s -C "$ROOT" gpu-bundle >log 2>&1 || { tail log; exit 1; }
tar -xf "$ROOT/build/thinkpipe-gpu.tar.gz"
[ "$(du -m "$ROOT/build/thinkpipe-gpu.tar.gz" | cut -f 1)" -lt 60 ]
env -u THINKPIPE_PLUGINS -u TESTS PATH=/usr/bin:/bin DEVICE=emu QUICK=1 OUT="$PWD" thinkpipe-gpu/run.sh
grep -q ' 0 failed' results.md
