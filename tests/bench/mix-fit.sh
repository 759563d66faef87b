#!/bin/sh
# How well mix-fit predicts RegMix's published runs, as the tables of mix-fit.md.  In PATH: mix-fit, jq.
#
#   tests/bench/mix-fit.sh spearman FOLDER         every regressor, every split, every domain
#   tests/bench/mix-fit.sh small FOLDER [N ...]    fits on N of the 512 runs
#   tests/bench/mix-fit.sh search FOLDER           RegMix's own search, several seeds, against its published mixture
set -eu
what=$1 data=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
loss() { echo "metric/the_pile_$1_val_loss"; }

# fit NAME ROWS OPTIONS: a model of the first ROWS runs of $tmp/order.
fit() {
    name=$1 rows=$2
    shift 2
    for part in mixture pile_loss; do
        awk -F, -v rows="$rows" 'NR == FNR { keep[$1] = FNR <= rows; next } FNR == 1 || keep[$1]' \
            "$tmp/order" "$data/train_${part}_1m.csv" >"$tmp/$part.csv"
    done
    mix-fit fit -q --mixtures "$tmp/mixture.csv" --metrics "$tmp/pile_loss.csv" "$@" --out "$tmp/$name.json" 2>/dev/null
}

score() { # NAME SPLIT: writes $tmp/NAME-SPLIT.report
    mix-fit predict -q --model "$tmp/$1.json" --mixtures "$data/test_mixture_$2.csv" --metrics "$data/test_pile_loss_$2.csv" \
        --report "$tmp/$1-$2.report" >/dev/null
}

order() { # SEED: the runs in a random order
    awk -F, -v seed="$1" 'BEGIN { srand(seed) } NR > 1 { print rand() "," $1 }' "$data/train_mixture_1m.csv" | sort -t, -k1,1 | cut -d, -f2 >"$tmp/order"
}

percent() { jq -r "$1 | . * 10000 | round / 100" "$2"; }

spearman() {
    order 1
    kinds="linear law1 law3 law gbt mean"
    fit linear 512 --regressor linear
    fit law1 512 --regressor law --terms 1
    fit law3 512 --regressor law --terms 3
    fit law 512 --regressor law
    fit gbt 512 --regressor gbt
    fit mean 512
    for k in $kinds; do for s in 1m 60m 1B; do score $k $s; done; done
    echo "| domain | $(echo $kinds | sed 's/ / | /g') |"
    echo "|---|$(for _ in $kinds; do printf -- '---|'; done)"
    for d in $(jq -r 'keys[]' "$tmp/mean-1m.report"); do
        printf '| %s |' "$(echo "$d" | sed 's/metric.the_pile_//; s/_val_loss//')"
        for k in $kinds; do
            for s in 1m 60m 1B; do printf ' %s' "$(percent ".[\"$d\"].spearman" "$tmp/$k-$s.report")"; done
            printf ' |'
        done
        echo
    done
    printf '| **mean** |'
    for k in $kinds; do
        for s in 1m 60m 1B; do printf ' %s' "$(percent '[.[].spearman] | add / length' "$tmp/$k-$s.report")"; done
        printf ' |'
    done
    echo
}

# Mean over six domains at 1M / Pile-CC at 1B, three draws.
small() {
    six=$(for d in pile_cc arxiv github stackexchange wikipedia_en freelaw; do printf '"%s",' "$(loss $d)"; done)
    for n in "$@"; do
        printf '| %s |' "$n"
        for k in linear "law --terms 1" gbt mean; do
            : >"$tmp/a"
            for seed in 1 2 3; do
                order $seed
                # shellcheck disable=SC2086 # an option
                fit s "$n" --regressor $k
                score s 1m
                score s 1B
                echo "$(percent "[.[${six%,}].spearman // 0] | add / length" "$tmp/s-1m.report") $(percent ".[\"$(loss pile_cc)\"].spearman // 0" "$tmp/s-1B.report")" >>"$tmp/a"
            done
            awk '{ a += $1; b += $2 } END { printf " %.1f / %.1f |", a / NR, b / NR }' "$tmp/a"
        done
        echo
    done
}

# The prior is that of RegMix's configuration; its published mixture has these three shares above 0.01.
search() {
    order 1
    for trees in 250 1000; do fit trees$trees 512 --regressor gbt --trees $trees; done
    sed 's/^\([^,]*\),\(.*\)/{"name":"train_the_pile_\1","tokens":\2}/' >"$tmp/sources.jsonl" <<'P'
arxiv,113285273
freelaw,79608651
nih_exporter,3913491
pubmed_central,185375901
wikipedia_en,51081359
dm_mathematics,15962925
github,101750772
philpapers,3707518
stackexchange,66529351
enron_emails,1750772
gutenberg_pg_19,27085479
pile_cc,236869207
ubuntu_irc,11843460
europarl,7929969
hackernews,8032956
pubmed_abstracts,38825953
uspto_backgrounds,46446962
P
    for trees in 250 1000; do
        for seed in 1 2 3 4 5 6; do
            mix-fit solve -q --model "$tmp/trees$trees.json" --objective "$(loss pile_cc)" --sources "$tmp/sources.jsonl" --kl 0 \
                --extrapolate --search regmix --seed $seed 2>/dev/null | jq -r --arg t $trees --arg s $seed '.weights |
                with_entries(.key |= ltrimstr("train_the_pile_")) as $w | "trees \($t) seed \($s): pile_cc \($w.pile_cc) ubuntu_irc \($w.ubuntu_irc) pubmed_abstracts \($w.pubmed_abstracts), differs by \(
                ([($w.pile_cc - 0.870), ($w.ubuntu_irc - 0.064), ($w.pubmed_abstracts - 0.024)] | map(fabs) | add) * 1000 | round / 1000)"'
        done
    done
}

case $what in
spearman) spearman ;;
small) [ $# -gt 0 ] || set -- 32 54 64 96 128 256 512; small "$@" ;;
search) search ;;
*) echo "$0: spearman, small or search" >&2; exit 2 ;;
esac
