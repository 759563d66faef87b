#!/bin/sh
# Every header compiles alone.
set -u
cd "$ROOT" || exit 1
bad=0
for h in $(find common kernels -name '*.h'); do
    case $h in kernels/cpu/*) def=-DISA=base ;; *) def= ;; esac
    printf '#include "%s"\nint x;\n' "$h" |
        ${CC:-gcc} -std=c17 -D_GNU_SOURCE $def -I. -Icommon -Wall -Wextra -Werror -fsyntax-only -x c - || bad=1
done
exit $bad
