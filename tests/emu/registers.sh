#!/bin/sh
# What ptxas says of the GPU's kernels: no spills, and the registers, shared memory and stack of registers.txt, whose first
# line names the compiler.  REDO=1 writes the table anew.  Another compiler is held to the spills alone.
set -eu
table="$TESTS/emu/registers.txt"
set -- "$BUILT"/kernels/cuda/*.ptxas
[ -e "$1" ] || { echo "no nvcc here: the GPU's kernels were not compiled"; exit 77; }
command -v c++filt >/dev/null || { echo "no c++filt here"; exit 77; }
awk '/Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2]; arch = quoted[4] }
    /stack frame/ { stack = $1; spills = $5 + $9 }
    /Used [0-9]+ registers/ {
        smem = 0
        for (i = 1; i < NF; i++) { if ($i == "Used") regs = $(i + 1); if ($(i + 2) ~ /^smem/) smem = $i }
        printf "%s %d registers %d shared %d stack %d spilled %s\n", arch, regs, smem, stack, spills, kernel
    }' "$@" | c++filt | LC_ALL=C sort -k 10 >now.table
compiler=$(cat "$BUILT/nvcc.version")
{ echo "# $compiler"; cat now.table; } >now.txt
if grep -v ' 0 spilled' now.table; then
    echo "these kernels spill registers"
    exit 1
fi
if [ -n "${REDO:-}" ]; then
    cp now.txt "$table"
elif [ "$(head -n 1 "$table")" = "# $compiler" ]; then
    diff "$table" now.txt
else
    echo "skip: the table is of another nvcc ($(head -n 1 "$table"))"
fi
echo "$(wc -l <now.table) kernels"
