#!/bin/sh
# Planted duplicates: which are found, whether what is found was planted, and that stages, shards,
# threads, and an index on disk give the same records.  Texts of random words; with $THINKPIPE_DATA
# the same with prose.
set -eu
. "$TESTS/plant.sh"

# Each kind of edit of 100 originals of its own, behind all originals.
measure() { # name options: from originals.tsv
    name=$1
    shift
    plant_edits originals.tsv
    cat originals.tsv planted.tsv | records >all.jsonl
    corpus-dedup -q --report clusters.jsonl "$@" all.jsonl >unique.jsonl
    jq -r '.kept as $k | .dropped[] | "\(.id)\t\($k)"' clusters.jsonl >found.tsv
    rate_finds "$name${*:+ }$*" 0.95
    [ "$(wc -l <unique.jsonl)" = $(($(wc -l <all.jsonl) - $(wc -l <found.tsv))) ] || fail "$name: records are lost"
}

texts 800 60 300 1 >originals.tsv
measure "random words" --threshold 0.3 --ngram 3 --bands 64 --rows 2
at_least "recall at 15 % with a lower threshold" "$r_15" 0.95
measure "random words"

# The same records from any way of working.
same() { cmp -s unique.jsonl "$1" || fail "$2 gives other records"; }
corpus-dedup -q --threads 1 all.jsonl >other.jsonl && same other.jsonl "one thread"
corpus-dedup -q --index DIR all.jsonl >other.jsonl && same other.jsonl "an index on disk"
[ -z "$(ls -A DIR)" ] || fail "an index on disk leaves files: $(ls DIR)"
for i in 1 2 3; do corpus-dedup -q --stage sign --index DIR --shard $i/3 --report - all.jsonl 2>/dev/null && fail "--report -"; done
for i in 1 2 3; do corpus-dedup -q --stage sign --index DIR --shard $i/3 --report x all.jsonl; done
corpus-dedup -q --stage match --index DIR --report staged.jsonl
for i in 1 2 3; do corpus-dedup -q --stage drop --index DIR --shard $i/3 all.jsonl >part.$i; done
jq -r .id unique.jsonl | sort >want.ids
cat part.* | jq -r .id | sort | cmp -s - want.ids || fail "three stages in three shards give other records"
cmp -s clusters.jsonl staged.jsonl || fail "three stages give another report"

# A chosen copy: the longest of each group is what stays, in the order of the input.
corpus-dedup -q --keep longest --report clusters.jsonl all.jsonl >longest.jsonl
jq -r '[.kept, .dropped[].id] | @tsv' clusters.jsonl >groups.tsv
jq -r '[.id, (.text | length)] | @tsv' all.jsonl | awk -F '\t' '
    NR == FNR { len[$1] = $2; next }
    { for (i = 2; i <= NF; i++) if (len[$i] > len[$1]) { print $i " is longer than " $1; bad = 1 } }
    END { exit bad }' - groups.tsv || fail "--keep longest keeps a shorter one"
jq -r .id longest.jsonl >kept.ids
jq -r .id all.jsonl | grep -F -x -f kept.ids | cmp -s - kept.ids || fail "--keep longest: not in the order of the input"

mkdir tmp
for i in 1 2 3 4 5; do cat all.jsonl; done >many.jsonl
TMPDIR=$PWD/tmp corpus-dedup -q --keep last many.jsonl | head -n 1 >/dev/null
[ -z "$(ls -A tmp)" ] || fail "a closed pipe leaves files: $(ls tmp)"

# kill -9 while signing: nothing that looks whole; run again, and all is well.
rm -rf DIR
(corpus-dedup -q --stage sign --index DIR - <all.jsonl & pid=$!; kill -9 $pid 2>/dev/null; wait $pid) 2>/dev/null || true
corpus-dedup -q --stage match --index DIR 2>log && fail "match without signatures"
grep -q "has no signatures" log || fail "match without signatures says '$(cat log)'"
corpus-dedup -q --stage sign --index DIR all.jsonl && corpus-dedup -q --stage match --index DIR
corpus-dedup -q --stage drop --index DIR all.jsonl >other.jsonl && same other.jsonl "a stage that was killed and run again"
{ head -n 5 all.jsonl; echo '{"text": "another"}'; } >changed.jsonl
corpus-dedup -q --stage drop --index DIR changed.jsonl >/dev/null 2>log && fail "changed input is taken"
grep -q "changed.jsonl:6: not the record that was signed" log || fail "changed input: $(cat log)"

if [ -d "${THINKPIPE_DATA:-}/text" ]; then
    for domain in fiction tinystories web french; do
        zstd -qdc "$THINKPIPE_DATA/text/$domain.jsonl.zst" |
            jq -r --arg d $domain '["\($d)\(input_line_number)", .text[:4000]] | @tsv' | sed 's/\\./ /g; s/   */ /g'
    done | awk -F '\t' 'split($2, w, " ") >= 40' | awk 'NR % 2' >originals.tsv
    measure prose
else
    echo "skip: prose: no text in \$THINKPIPE_DATA"
fi
exit $bad
