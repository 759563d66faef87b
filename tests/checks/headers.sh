#!/bin/sh
# Every header compiles alone.
set -u
cd "$ROOT" || exit 1
bad=0
for h in $(find common kernels -name '*.h'); do
    set -- -std=c17 -x c
    case $h in
    kernels/cpu/*) set -- "$@" -DISA=base ;;
    kernels/cuda/plugin.h) ;;
    kernels/cuda/* | kernels/emu/*) set -- -std=c++17 -x c++ -Wno-unknown-pragmas -Wno-unused-function ;;
    esac
    printf '#include "%s"\nint x;\n' "$h" |
        ${CC:-gcc} "$@" -D_GNU_SOURCE -I. -Icommon -Wall -Wextra -Werror -fsyntax-only - || bad=1
done
exit $bad
