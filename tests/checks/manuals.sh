#!/bin/sh
# Manual pages: every program has one, it lints, it documents exactly the options
# that --help lists with the same defaults, and each program is in README and thinkpipe(7).
set -u
cd "$ROOT" || exit 1
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
bad=0
fail() { echo "$*"; bad=1; }
# The ways to call a program, one a line, without spaces around "|".
synopsis() { # as the page shows them
    mandoc -Tascii -O width=500 "man/$1.1" | sed 's/.\x08//g' |
        sed -n '/^SYNOPSIS/,/^DESCRIPTION/s/^     *//p' | sed 's/ *| */|/g; s/  */ /g; s/ $//'
}
usage() { # as --help shows them
    sed -n 's/^Usage: //p; s/^       \([a-z]\)/\1/p' "$BUILD/help.txt" | sed 's/ *| */|/g'
}
# "--option default" for each option of --help whose default is more than "none" (0 or -1).
defaults() {
    awk 'function out() { if (option != "" && match(text, /\[[^]]+\]$/)) print option, substr(text, RSTART + 1, RLENGTH - 2); option = "" }
    /^  (-.,|   ) --/ { out(); match($0, /--[a-z0-9-]+/); option = substr($0, RSTART, RLENGTH)
        rest = substr($0, RSTART + RLENGTH); text = rest; next }
    /^                        / { text = text $0; next }
    { out() }
    END { out() }' "$BUILD/help.txt" | grep -vE ' (0|-1| )$'
}
# What the page says of an option, on one line.
entry() { # page option
    awk -v option="Fl -${2#--}" '/^\.(It|El|S[hs])/ { on = 0 }
        /^\.It .*Fl / && index($0 " ", option " ") { on = 1; next }
        on' "$1" | tr '\n' ' '
}
for src in tools/*.c; do
    p=$(basename "$src" .c)
    [ -e "man/$p.1" ] || { fail "man/$p.1 is missing"; continue; }
    mandoc -Tlint -W warning "man/$p.1" || fail "man/$p.1 does not lint"
    "$p" --help >"$BUILD/help.txt" || fail "$p --help failed"
    grep -q '^Example' "$BUILD/help.txt" || fail "$p --help has no example"
    grep -oE -e '^  (-.,|   ) --[a-z0-9][a-z0-9-]*' "$BUILD/help.txt" | grep -oE -e "--[a-z0-9][a-z0-9-]*" | grep -vE -e '^--(help|version)$' | sort -u >"$BUILD/opts.help"
    sed -n 's/^\.It .*Fl -\([a-z0-9][a-z0-9-]*\).*/--\1/p' "man/$p.1" | grep -vE -e '^--(help|version)$' | sort -u >"$BUILD/opts.man"
    missing=$(comm -23 "$BUILD/opts.help" "$BUILD/opts.man" | tr '\n' ' ')
    extra=$(comm -13 "$BUILD/opts.help" "$BUILD/opts.man" | tr '\n' ' ')
    [ -z "$missing" ] || fail "man/$p.1 does not document: $missing"
    [ -z "$extra" ] || fail "man/$p.1 documents what $p does not have: $extra"
    defaults >"$BUILD/defaults.txt"
    while read -r option default; do
        case $default in
        67108864) default="64 MiB" ;;
        1073741824) default="1 GiB" ;;
        1e-0*) default="1e-${default#1e-0}" ;;
        esac
        case $(entry "man/$p.1" "$option") in
        *"$default"*) ;;
        *) fail "man/$p.1: $option does not say that its default is $default" ;;
        esac
    done <"$BUILD/defaults.txt"
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" EXAMPLES "SEE ALSO"; do
        grep -q "^\.Sh $section\$" "man/$p.1" || fail "man/$p.1 has no section $section"
    done
    statuses="0 1 2 70"
    grep -qE -e '--(max-rejects|fail-above)' "$BUILD/help.txt" && statuses="$statuses 3"
    for status in $statuses; do
        awk '/^\.Sh/ { on = /EXIT STATUS/ } on' "man/$p.1" | grep -qw "$status" ||
            fail "man/$p.1: EXIT STATUS does not say what $status is"
    done
    [ "$(synopsis "$p")" = "$(usage "$p")" ] || fail "man/$p.1 and --help disagree on how to call $p:
man:    $(synopsis "$p")
--help: $(usage "$p")"
    grep -q "^| .*\`$p\`.* |" README.md || fail "README.md has no row of $p under Programs"
    grep -q "^\.It Xr $p 1\$" man/thinkpipe.7 || fail "thinkpipe(7) does not list $p under PROGRAMS"
done
# Every metric that a trainer can print is explained in some page.
for name in $(sed -n 's/.*metrics_\(add\|sum\|max\|min\)([^,]*, "\([^"]*\)".*/\2/p' common/train/*.c tools/*.c) \
    $(sed -n '/^static void print_metrics/,/^}/s/.*set_new(j, "\([^"]*\)".*/\1/p' common/train/trainer.c); do
    grep -qE "^\.It Va( .*)? $name( .*)?\$" man/thinkpipe-training.7 man/*-train.1 ||
        fail "no page explains the metric '$name'"
done
for m in man/*.[57]; do
    mandoc -Tlint -W warning "$m" || fail "$m does not lint"
done
exit $bad
