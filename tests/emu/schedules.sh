#!/bin/sh
# Every op of the GPU's backend with blocks, warps and lanes in descending and in random order.
set -u
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
export OPS_ONLY=cuda-emu THINKPIPE_PRODUCTS=own
EMU_SCHEDULE=1 "$BUILT/unit/test_ops_cpu" >one 2>&1 &
EMU_SCHEDULE=7 "$BUILT/unit/test_ops_cpu" >seven 2>&1
status=$?
wait $! || status=$?
cat one seven
[ $status = 0 ] && grep -q '^ok [0-9]\{3\}' one && grep -q '^ok [0-9]\{3\}' seven
