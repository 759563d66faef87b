#!/bin/sh
# What README, CONTRIBUTING, CHANGELOG and the manual pages name is there: files, tests, options; and the figures that
# can be counted are right.
set -u
cd "$ROOT" || exit 1
bad=0
fail() { echo "$*"; bad=1; }
documents="README.md CONTRIBUTING.md CHANGELOG.md $(echo man/*.[1-9])"
for f in $documents tests/*/*.md; do
    # CASE and PROGRAM stand for any; test_list and test_setup_code are fields of records.
    for path in $(grep -oE '\b(tests|pipelines|common|kernels|man)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' "$f" | grep -v CASE | sort -u); do
        [ -e "$path" ] || fail "$f: there is no $path"
    done
    for name in $(grep -oE '\btest_[a-z_0-9]+' "$f" | grep -vxE 'test_(list|setup_code)' | sort -u); do
        [ -e "tests/unit/$name.c" ] || fail "$f: there is no tests/unit/$name.c"
    done
    for name in $(grep -oE '\b[a-z][a-z-]+\.sh\b' "$f" | sort -u); do
        [ -n "$(find tests pipelines -name "$name")" ] || fail "$f: there is no $name"
    done
done
for source in tools/*.c; do "$(basename "$source" .c)" --help; done | grep -oE -e '--[a-z][a-z0-9-]*' | sort -u >"$BUILD/options.txt"
for f in README.md CHANGELOG.md; do
    for option in $(grep -oE '[`( ]--[a-z][a-z0-9-]*' "$f" | grep -oE -e '--.*' | sort -u); do
        grep -qxF -e "$option" "$BUILD/options.txt" || fail "$f: no program has $option"
    done
done
for target in $(grep -ohE '`make( [A-Z_]+=[^ `]*)* [a-z-]+' README.md CONTRIBUTING.md CHANGELOG.md | sed 's/.* //' | sort -u); do
    grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:" Makefile || fail "the Makefile has no $target"
done
figure() { # of README, what it counts, the count
    grep -qE "\b$1 $2" README.md || fail "README.md should say $1 $2"
}
figure "$(grep -cv '^#' tests/verifier/math.tsv)" "pairs of answers"
figure "$(grep -c . tests/verifier/instructions.jsonl)" "texts"
exit $bad
