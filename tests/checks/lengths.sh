#!/bin/sh
# Files stay under 600 lines and functions under 100, so that each can be read at once.
set -u
cd "$ROOT" || exit 1
too_long() { # files: names those that are
    awk 'function file_ends() { if (lines > 600) print file ": " lines " lines, at most 600" }
    FNR == 1 { file_ends(); file = FILENAME; start = 0 }
    { lines = FNR }
    /^{/ { start = FNR }
    /^}/ && start { if (FNR - start > 101) print FILENAME ":" start ": a function of " FNR - start - 1 " lines, at most 100"; start = 0 }
    END { file_ends() }' "$@"
}
# It sees what is too long, and nothing that is not.
{
    echo 'int f(void)' && echo '{' && seq 100 && echo '}' && echo 'int g(void)' && echo '{' && seq 101 && echo '}'
    seq 395
} >"$BUILD/long.c"
[ "$(too_long "$BUILD/long.c")" = "$BUILD/long.c:105: a function of 101 lines, at most 100
$BUILD/long.c: 602 lines, at most 600" ] || { echo "this check does not see what is too long: $(too_long "$BUILD/long.c")"; exit 1; }
found=$(too_long $(find common kernels tools tests pipelines -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' \
    -o -name '*.sh' -o -name '*.py' -o -name '*.awk'))
[ -z "$found" ] || { echo "$found"; exit 1; }
