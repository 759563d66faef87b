#!/bin/sh
# A plain `make` builds every program: the first target of the Makefile is the whole.
set -eu
cd "$(dirname "$0")/../.."
make -n B="$PWD/build/none" BIN="$PWD/build/none/bin" >"${TMPDIR:-/tmp}/plan.$$" && trap 'rm -f "${TMPDIR:-/tmp}/plan.$$"' EXIT
for t in tools/*.c; do
    name=$(basename "$t" .c)
    grep -q "build/none/bin/$name " "${TMPDIR:-/tmp}/plan.$$" || { echo "plain make does not build $name" >&2; exit 1; }
done
