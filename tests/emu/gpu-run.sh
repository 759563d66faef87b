#!/bin/sh
# The bundle for a machine with a GPU, rehearsed on the emulator: unpacked elsewhere, it runs by itself.  With LONG=1 only.
set -eu
[ -n "${LONG:-}" ] || { echo "only with LONG=1"; exit 77; }
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
[ -z "${ASAN:-}" ] || { echo "not a bundle for sanitizers"; exit 77; }
make -s -C "$ROOT" gpu-bundle >log 2>&1 || { tail log; exit 1; }
tar -xf "$ROOT/build/thinkpipe-gpu.tar.gz"
[ "$(du -m "$ROOT/build/thinkpipe-gpu.tar.gz" | cut -f 1)" -lt 60 ]
run() { env -i PATH=/usr/bin:/bin HOME="$PWD" "$@" thinkpipe-gpu/run.sh; }

# Whatever is not the C library's lies in the bundle.
for program in thinkpipe-gpu/bin/* thinkpipe-gpu/tests/test_* thinkpipe-gpu/tests/bench_*; do
    env -i PATH=/usr/bin:/bin ldd "$program"
done >needed
if grep 'not found' needed; then exit 1; fi
if grep '=>' needed | grep -v "$PWD/thinkpipe-gpu/\|lib\(c\|m\|pthread\|dl\|rt\|resolv\)\.so"; then exit 1; fi

# Where there is no GPU it says so, and why.
if ! ldconfig -p 2>/dev/null | grep -q libcuda.so.1; then
    if run OUT="$PWD/none" >log 2>&1; then echo "a GPU was found"; exit 1; fi
    grep -q 'no NVIDIA driver' none/results.md
    tail -n 1 log | grep -qx '0 passed, 1 failed, 1 skipped'
fi

run DEVICE=emu QUICK=1 OUT="$PWD" >log 2>&1 || { cat log; exit 1; }
grep -q ' 0 failed' results.md
grep -q '^=== attention against the reference$' run.log

# What fails does not keep the others from running, and is said at the end; there is an end to the time.
rm thinkpipe-gpu/tests/test_ops_values
if run DEVICE=emu QUICK=1 ONLY='values|adamw' OUT="$PWD/broken" >log 2>&1; then echo "nothing failed"; exit 1; fi
grep -q '^- \*\*FAIL\*\*: values that are known' broken/results.md
grep -q '^- ok: adamw against the reference' broken/results.md
tail -n 1 log | grep -qx '2 passed, 1 failed, 0 skipped'
if run DEVICE=emu QUICK=1 BUDGET=0 OUT="$PWD/late" >log 2>&1; then echo "done in no time"; exit 1; fi
grep -q '^- skipped: attention against the reference: no time left' late/results.md
