# Sourced by the tests of corpus-dedup and corpus-decontam: plants edited copies (plant.awk), and says how many of them
# were found and how many of the finds were planted.
bad=0
fail() { echo "$*"; bad=1; }
percent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", b ? a / b : 0 }'; }
at_least() { # what value least
    awk -v v="$2" -v least="$3" 'BEGIN { exit !(v >= least) }' || fail "$1 is $2, expected at least $3"
}
texts() { # n least most seed: lines "id<TAB>text" of random words
    awk -v mode=make -v n="$1" -v least="$2" -v most="$3" -v seed="$4" -f "$TESTS/plant.awk"
}
records() { # such lines as records
    jq -R -c --arg text "${1:-text}" 'split("\t") | {id: .[0], ($text): .[1]}'
}

# planted.tsv: 100 lines of FILE for each kind of edit.
plant_edits() { # FILE
    at=0
    for how in verbatim case 5 15 30 half; do
        tail -n +$((at * 100 + 1)) "$1" | head -n 100 | awk -v mode=edit -v how=$how -v seed=$at -f "$TESTS/plant.awk"
        at=$((at + 1))
    done >planted.tsv
}

# found.tsv has a line "id of a copy<TAB>id of what it is said to be a copy of" for each find.
rate_finds() { # name least-recall-at-5-%
    right=$(awk -F '\t' '$1 ~ ":" { n += substr($1, index($1, ":") + 1) == $2 } END { print n + 0 }' found.tsv)
    precision=$(percent "$right" "$(wc -l <found.tsv)")
    for how in verbatim case 5 15 30 half; do
        n=$(awk -F '\t' -v how=$how '$1 == how ":" $2 { n++ } END { print n + 0 }' found.tsv)
        eval "r_$how=$(percent "$n" "$(grep -c "^$how:" planted.tsv)")"
    done
    # shellcheck disable=SC2154
    echo "$1: precision $precision, recall verbatim $r_verbatim, case $r_case, 5 % $r_5, 15 % $r_15, 30 % $r_30, half $r_half"
    at_least "$1: precision" "$precision" 0.98
    at_least "$1: recall of verbatim copies" "$r_verbatim" 1
    at_least "$1: recall of copies in other case" "$r_case" 1
    at_least "$1: recall at 5 %" "$r_5" "$2"
}
