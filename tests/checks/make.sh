#!/bin/sh
# A plain `make` builds every program: the first target of the Makefile is the whole.
set -u
cd "$ROOT" || exit 1
bad=0
make -n B="$BUILD/none" BIN="$BUILD/none/bin" >"$BUILD/plan.txt" || exit 1
for t in tools/*.c; do
    name=$(basename "$t" .c)
    grep -q "build/test/none/bin/$name " "$BUILD/plan.txt" || { echo "plain make does not build $name"; bad=1; }
done
exit $bad
