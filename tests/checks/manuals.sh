#!/bin/sh
# Manual pages: every program has one, it lints, it documents exactly the options
# that --help lists, and each program is in README and thinkpipe(7).
set -u
cd "$ROOT" || exit 1
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
bad=0
fail() { echo "$*"; bad=1; }
for src in tools/*.c; do
    p=$(basename "$src" .c)
    [ -e "man/$p.1" ] || { fail "man/$p.1 is missing"; continue; }
    mandoc -Tlint -W warning "man/$p.1" || fail "man/$p.1 does not lint"
    "$p" --help >"$BUILD/help.txt" || fail "$p --help failed"
    grep -q '^Example' "$BUILD/help.txt" || fail "$p --help has no example"
    grep -E '^ +(-., )? *--' "$BUILD/help.txt" | grep -oE -e '^ +(-., )? *--[a-z0-9][a-z0-9-]*' | grep -oE -e "--[a-z0-9][a-z0-9-]*" | grep -vE -e '^--(help|version)$' | sort -u >"$BUILD/opts.help"
    sed -n 's/^\.It .*Fl -\([a-z0-9][a-z0-9-]*\).*/--\1/p' "man/$p.1" | grep -vE -e '^--(help|version)$' | sort -u >"$BUILD/opts.man"
    missing=$(comm -23 "$BUILD/opts.help" "$BUILD/opts.man" | tr '\n' ' ')
    extra=$(comm -13 "$BUILD/opts.help" "$BUILD/opts.man" | tr '\n' ' ')
    [ -z "$missing" ] || fail "man/$p.1 does not document: $missing"
    [ -z "$extra" ] || fail "man/$p.1 documents what $p does not have: $extra"
    grep -q "^\.Sh EXAMPLES" "man/$p.1" || fail "man/$p.1 has no EXAMPLES"
    grep -q "$p" README.md || fail "README.md does not name $p"
    grep -q "$p" man/thinkpipe.7 || fail "thinkpipe(7) does not name $p"
done
for m in man/*.[57]; do
    mandoc -Tlint -W warning "$m" || fail "$m does not lint"
done
exit $bad
