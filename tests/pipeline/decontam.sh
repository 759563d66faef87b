#!/bin/sh
# Planted evaluation items: which are found in the midst of other text, whether what is found was
# planted, by both rules; and the overlaps that real sets are known to have.  Texts of random words;
# with $THINKPIPE_DATA GSM8K's questions in prose.
set -eu
. "$TESTS/plant.sh"

# 100 items of each kind of edit stand in the middle of documents; the other documents are clean.
plant() { # from items.tsv and documents.tsv: records.jsonl, eval.jsonl
    plant_edits items.tsv
    awk -F '\t' 'NR == FNR { id[NR] = $1; item[NR] = $2; n = NR; next }
        { m = split($2, w, " "); line = ""
          for (i = 1; i <= m; i++) {
              line = line (i > 1 ? " " : "") w[i]
              if (i == int(m / 2) && FNR <= n) line = line " " item[FNR]
          }
          print (FNR <= n ? id[FNR] : "clean:" FNR) "\t" line }' planted.tsv documents.tsv |
        records >records.jsonl
    records question <items.tsv >eval.jsonl
}

measure() { # name least-at-5-% options
    name=$1 least=$2
    shift 2
    corpus-decontam -q --against set=eval.jsonl --report found.jsonl "$@" records.jsonl >clean.jsonl
    jq -r '"\(.id)\t\(.item)"' found.jsonl >found.tsv
    rate_finds "$name${*:+ }$*" "$least"
    jq -r .id found.jsonl | sort -u >dropped.ids
    jq -r .id records.jsonl | grep -v -F -x -f dropped.ids >want.ids
    jq -r .id clean.jsonl | cmp -s - want.ids || fail "$name $*: what is printed is not what is clean"
}

texts 600 16 70 5 | sed 's/^d/q/' >items.tsv
texts 1200 60 300 6 >documents.tsv
plant
measure "random words, Olmo 3's rule" 0.9 --rule ngram
measure "random words" 0.95

# The same records from any way of working; "where" is where it is.
corpus-decontam -q --threads 1 --against set=eval.jsonl records.jsonl | cmp -s - clean.jsonl ||
    fail "one thread gives other records"
for i in 1 2 3; do corpus-decontam -q --against set=eval.jsonl --shard $i/3 records.jsonl; done |
    sort >parts
sort clean.jsonl | cmp -s - parts || fail "three shards give other records"
corpus-decontam -q --mark --against set=eval.jsonl records.jsonl >marked.jsonl
[ "$(wc -l <marked.jsonl)" = 1200 ] || fail "--mark drops records"
jq -c 'select(.contamination | not)' marked.jsonl | cmp -s - clean.jsonl || fail "--mark marks others"
jq -s -e 'map(select(.contamination and (.id | startswith("verbatim")))) | length == 100 and
    all(.contamination as $c | $c.score > 0.999 and $c.items == 1 and $c.eval == "set" and
        ($c.end - $c.begin) as $n | $n > 50 and $c.begin > 100 and $c.end < (.text | length))' \
    marked.jsonl >/dev/null || fail "--mark: the marks are wrong"
corpus-decontam -q --against eval.jsonl --fail-above 0.1 records.jsonl >/dev/null 2>log && fail "--fail-above"
grep -q "records are contaminated" log || fail "--fail-above says '$(cat log)'"

if [ -f "${THINKPIPE_DATA:-}/gsm8k/test.jsonl" ]; then
    data=$THINKPIPE_DATA
    jq -r '["q\(input_line_number)", .question] | @tsv' "$data/gsm8k/test.jsonl" |
        sed 's/\\./ /g' | head -n 600 >items.tsv
    for domain in fiction wiki web tinystories; do
        zstd -qdc "$data/text/$domain.jsonl.zst" | jq -r '["d", .text[:3000]] | @tsv' | sed 's/\\./ /g'
    done | awk -F '\t' 'split($2, w, " ") >= 60' >documents.tsv
    plant
    measure "GSM8K in prose, Olmo 3's rule" 0.9 --rule ngram
    measure "GSM8K in prose" 0.95

    overlap() { # least eval record options
        least=$1 eval=$2 records=$3
        shift 3
        n=$(corpus-decontam --against "$data/$eval" "$@" "$data/$records" 2>&1 >/dev/null |
            sed -n 's/.* contaminated=\([0-9]*\) .*/\1/p')
        echo "$eval in $records: $n"
        [ "$n" -ge "$least" ] || fail "$eval in $records: $n found, expected at least $least"
    }
    overlap 1319 gsm8k/test.jsonl gsm8k-model-solutions/example_model_solutions.jsonl.zst
    overlap 1300 gsm8k/test.jsonl math-evals/gsm_hard.jsonl
    overlap 1319 gsm8k/test.jsonl olmes-requests/gsm8k-gold_bpb_5shot.requests.jsonl.zst --text-field doc.question
    overlap 541 ifeval/input_data.jsonl ifeval-delta-pairs/pairs.jsonl.zst
    overlap 95 math/math500.jsonl math-rollouts/rollouts.jsonl.zst --against "$data/math/math_test_minus500.jsonl.zst" --min-words 5
    # Prompts of digits have fewer words than anything is looked for: equal ones are exact copies.
    n=$(for part in train test; do jq -r .prompt "$data/digit-completion/$part.jsonl" | sort -u; done |
        jq -R -c '{text: .}' | corpus-dedup --bands 0 2>&1 >/dev/null | sed -n 's/.* exact=\([0-9]*\) .*/\1/p')
    [ "$n" = 29 ] || fail "digit-completion: $n prompts in both parts, expected 29"
else
    echo "skip: GSM8K in prose, known overlaps: no gsm8k in \$THINKPIPE_DATA"
fi
exit $bad
