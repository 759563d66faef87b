#!/bin/sh
# clang takes all of it, too, without a warning.  LONG=1: it is a minute.
set -u
cd "$ROOT" || exit 1
[ -n "${LONG:-}" ] || { echo "LONG=1 has clang compile everything"; exit 77; }
command -v clang >/dev/null || { echo "clang is not installed"; exit 77; }
make -n CC=clang CUDA=0 B="$BUILD/clang" BIN="$BUILD/clang/bin" all units | sed -n 's/^\(clang .*\) -MMD -MP -c -o [^ ]* \([^ ]*\.c\)$/\1 -fsyntax-only \2/p' >"$BUILD/clang.txt"
[ "$(wc -l <"$BUILD/clang.txt")" -gt 300 ] || { echo "make -n CC=clang shows only $(wc -l <"$BUILD/clang.txt") files"; exit 1; }
xargs -d '\n' -P 2 -n 1 sh -c <"$BUILD/clang.txt" || exit 1
