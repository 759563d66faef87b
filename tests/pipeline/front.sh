#!/bin/sh
# The front of the pipe: archives and files to documents, filtered, without duplicates and evaluation
# items, to tokens; every document that was planted to go is gone for its reason, and no other.
set -eu
bad=0
fail() { echo "$*"; bad=1; }
mkdir -p in/notes
awk -v mode=make -v n=60 -v least=60 -v most=120 -v seed=11 -f "$TESTS/plant.awk" >good.tsv
head -n 5 good.tsv | awk -v mode=edit -v how=case -v seed=1 -f "$TESTS/plant.awk" >again.tsv
awk -v mode=make -v n=4 -v least=30 -v most=40 -v seed=12 -f "$TESTS/plant.awk" | sed 's/^d/q/' >items.tsv
jq -R -c 'split("\t") | {id: .[0], question: .[1]}' items.tsv >eval.jsonl
json() { jq -R -c 'split("\t") | {id: .[0], text: .[1]}' "$@"; }
# Good ones as text files in a tar, as JSON lines, and as CSV; bad ones among them.
head -n 20 good.tsv | while IFS='	' read -r id text; do printf '%s\n' "$text" >"in/notes/$id.txt"; done
tar -C in -czf in/notes.tar.gz notes && rm -r in/notes
{ sed -n 21,40p good.tsv; cat again.tsv; } | json | zstd -q >in/part.jsonl.zst
{ echo 'id,text'; sed -n 41,60p good.tsv | sed 's/\t/,"/; s/$/"/'; } >in/part.csv
awk -F '\t' '{ print "leak" NR "\tIt was asked: " $2 " And so on." }' items.tsv | json >in/leaks.jsonl
{
    printf 'han\t'; yes '你好' | head -n 40 | tr -d '\n'; echo
    printf 'loop\t'; yes 'and again' | head -n 60 | tr '\n' ' '; echo
    printf 'who\tI am ChatGPT, and that is all there is to say of it.\n'
} | json >in/unfit.jsonl

corpus-read -q in >read.jsonl
[ "$(wc -l <read.jsonl)" = 72 ] || fail "$(wc -l <read.jsonl) documents read, expected 72"
corpus-read in 2>read.log | corpus-filter --rule olmo3 2>filter.log |
    corpus-dedup --report clusters.jsonl 2>dedup.log |
    corpus-decontam --against eval.jsonl --report found.jsonl 2>decontam.log >clean.jsonl
for want in 'filter.log:dropped 1: repeated-phrases' 'filter.log:dropped 1: script' \
    'filter.log:dropped 1: identity' 'dedup.log:documents=69 kept=64 exact=0 near=5' \
    'decontam.log:records=64 contaminated=4 items-found=4'; do
    grep -q ": ${want#*:}" "${want%%:*}" || fail "${want%%:*} does not say '${want#*:}': $(cat "${want%%:*}")"
done
jq -r .text clean.jsonl | grep . | sort >clean.txt
cut -f 2 good.tsv | sort | cmp -s - clean.txt || fail "what comes out is not what was good"
jq -s -e 'length == 4 and all(.score == 1 and (.id | startswith("leak")))' found.jsonl >/dev/null ||
    fail "found: $(jq -c 'del(.found)' found.jsonl)"

# Nothing depends on threads, and the tokens are those of the documents.
corpus-read -q in | corpus-filter -q --threads 3 --rule olmo3 | corpus-dedup -q --threads 3 |
    corpus-decontam -q --threads 3 --against eval.jsonl | cmp -s - clean.jsonl || fail "three threads give other records"
tok-train -q --vocab-size 300 --out tok clean.jsonl
tok-encode -q --tokenizer tok clean.jsonl >clean.shard
tok-decode -q --skip-special --tokenizer tok clean.shard | jq -r .text | grep . | sort | cmp -s - clean.txt ||
    fail "the shard holds other text"

# A reader that had enough ends all of them; a full disk fails.
corpus-read -q in | corpus-filter -q --rule olmo3 | corpus-dedup -q | head -n 1 | grep -q '"text"' || fail "head gets nothing"
corpus-dedup -q read.jsonl >/dev/full 2>/dev/null && fail "a full disk goes unnoticed"
corpus-dedup -q --report /dev/full/x read.jsonl >/dev/null 2>&1 && fail "a report that cannot be written goes unnoticed"
exit $bad
