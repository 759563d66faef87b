#!/bin/sh
# A shape of weight for which cuBLASLt has no algorithms that agree: the stand-in splits the sums of 17 to 64 rows, whatever
# is asked.  All rows must come from our own kernel then, those too for which there is an algorithm.
set -u
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }
OPS_ONLY=cuda-emu EMU_LT=split "$BUILT/unit/test_ops_exact"
