#!/bin/sh
# Runs one golden case: tests/cli/NAME.sh in an empty folder, comparing its stdout
# with NAME.stdout, its stderr with NAME.stderr when that exists, its status with
# NAME.exit (0 when that does not exist).  REDO=1 rewrites the expected files.
# In stderr the progress of time is masked: nothing here may print one.
set -u
case=$(cd "$(dirname "$1")" && pwd)/$(basename "$1" .sh)
tmp=$(mktemp -d)
out=$(mktemp -d)
trap 'rm -rf "$tmp" "$out"' EXIT
(cd "$tmp" && sh "$case.sh") >"$out/stdout" 2>"$out/stderr" </dev/null
status=$?
if [ $status -eq 77 ]; then
    tail -n 1 "$out/stdout"
    exit 77
fi
want=0
[ -e "$case.exit" ] && want=$(cat "$case.exit")
if [ -n "${REDO:-}" ]; then
    cp "$out/stdout" "$case.stdout"
    [ -s "$out/stderr" ] && grep -v '^[a-z-]*: in=' "$out/stderr" >"$case.stderr"
    if [ $status -ne 0 ]; then echo $status >"$case.exit"; else rm -f "$case.exit"; fi
    exit 0
fi
bad=0
if [ "$status" != "$want" ]; then
    echo "exit status $status, expected $want"
    bad=1
fi
[ -e "$case.stdout" ] || { echo "no $case.stdout"; bad=1; }
diff -u "$case.stdout" "$out/stdout" || bad=1
if [ -e "$case.stderr" ]; then
    grep -v '^[a-z-]*: in=' "$out/stderr" >"$out/stderr.plain"
    diff -u "$case.stderr" "$out/stderr.plain" || bad=1
elif [ $bad = 1 ]; then
    cat "$out/stderr"
fi
exit $bad
