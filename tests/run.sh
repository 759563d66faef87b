#!/bin/sh
# Runs the tests and ends with "N passed, N failed, N skipped".
#
#   tests/run.sh --bin DIR --units DIR [name ...]
#
# A test is: a unit program (exit 0 ok, 77 skipped; a line "skip: REASON" for a part that was left
# out counts as skipped, too), a case in tests/cli (see
# tests/cli/run.sh), or a script in tests/checks, tests/emu, tests/pipeline, tests/fault
# (exit 0 ok, 77 skipped, with the reason as its last line).  With names, only the
# tests whose name contains one of them.  LONG=1 widens the slower ones.
set -u
cd "$(dirname "$0")/.." || exit 1
bin= units=
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2; shift 2 ;;
    --units) units=$2; shift 2 ;;
    *) break ;;
    esac
done
PATH="$(cd "$bin" && pwd):$PATH"
TESTS="$PWD/tests" ROOT="$PWD" LC_ALL=C.UTF-8
BUILD="$PWD/build/test"
mkdir -p "$BUILD"
export PATH TESTS ROOT LC_ALL BUILD
# Real data is used when THINKPIPE_DATA names its folder; a user does not need it.
export THINKPIPE_DATA="${THINKPIPE_DATA:-}"
# Only the emulated GPU's kernels, whatever this machine has.
BUILT="$(cd "$units/.." && pwd)"
THINKPIPE_PLUGINS="$BUILT/plugins" CUDA_PLUGIN="$(cd "$bin/.." && pwd)/lib/thinkpipe/thinkpipe-cuda.so"
export BUILT THINKPIPE_PLUGINS CUDA_PLUGIN
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}" UBSAN_OPTIONS="print_stacktrace=1"

passed=0 failed=0 skipped=0
log="$BUILD/last.log"

wanted() {
    [ $# -eq 1 ] && return 0
    wanted_name=$1
    shift
    for w in "$@"; do
        case $wanted_name in *"$w"*) return 0 ;; esac
    done
    return 1
}

# A test that passed may have left out a part, each with a line "skip: REASON".
report_parts() { # name
    parts=$(grep -c '^skip: ' "$log")
    skipped=$((skipped + parts))
    [ "$parts" = 0 ] || sed -n "s|^skip: |skip part of $1: |p" "$log"
}

report() { # name status
    case $2 in
    0) passed=$((passed + 1)); echo "ok   $1"; report_parts "$1" ;;
    77) skipped=$((skipped + 1)); echo "skip $1: $(tail -n 1 "$log" | sed 's/^skip: //')" ;;
    *) failed=$((failed + 1)); echo "FAIL $1 (exit $2)"; tail -n 40 "$log" | sed 's/^/     /' ;;
    esac
}

for t in "$units"/test_*; do
    case $t in *.o | *.d) continue ;; esac
    name=unit/$(basename "$t")
    wanted "$name" "$@" || continue
    "$t" >"$log" 2>&1
    report "$name" $?
done
for t in tests/cli/*.sh; do
    case $t in */run.sh) continue ;; esac
    name=cli/$(basename "$t" .sh)
    wanted "$name" "$@" || continue
    tests/cli/run.sh "$t" >"$log" 2>&1
    report "$name" $?
done
for t in tests/checks/*.sh tests/emu/*.sh tests/pipeline/*.sh tests/fault/*.sh; do
    [ -e "$t" ] || continue
    name=$(basename "$(dirname "$t")")/$(basename "$t" .sh)
    wanted "$name" "$@" || continue
    tmp=$(mktemp -d)
    (cd "$tmp" && sh "$ROOT/$t") >"$log" 2>&1
    report "$name" $?
    rm -rf "$tmp"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
