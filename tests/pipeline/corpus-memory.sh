#!/bin/sh
# A corpus goes through the front of the pipe in little memory, however large it is: 60 MB here, 10 GB
# with LONG=1.  And a reader that was killed and started again gives the same documents.
set -eu
bad=0
fail() { echo "$*"; bad=1; }
[ -z "${ASAN:-}" ] || { echo "skip: AddressSanitizer needs all of the address space"; exit 77; }
blocks=3
[ -z "${LONG:-}" ] || blocks=500

# A block of 20 MB: 1000 documents, ten times over.
awk -v mode=make -v n=1000 -v least=150 -v most=500 -v seed=21 -f "$TESTS/plant.awk" |
    jq -R -c 'split("\t") | {text: .[1]}' >part.jsonl
for i in 1 2 3 4 5 6 7 8 9 10; do cat part.jsonl; done | zstd -q >block.zst
bytes=$(($(zstd -qdc block.zst | wc -c) * blocks))
[ $bytes -ge 50000000 ] || fail "a block is too small: $bytes bytes"
echo '{"question": "none of the documents holds this question of ten words"}' >eval.jsonl
corpus() { n=0; while [ $n -lt $blocks ]; do cat block.zst; n=$((n + 1)); done; }

# 200 MB of address space each; what is kept is the first thousand.
in_little() { (ulimit -v 200000 && exec "$@"); }
corpus | in_little corpus-read -q --format jsonl |
    in_little corpus-filter -q --threads 1 --rule olmo3 |
    in_little corpus-decontam -q --threads 1 --against eval.jsonl |
    in_little corpus-dedup --threads 1 2>dedup.log >out.jsonl
grep -q " documents=$((blocks * 10000)) kept=1000 exact=$((blocks * 10000 - 1000)) near=0 " dedup.log ||
    fail "$(cat dedup.log)"
jq -r .text out.jsonl >out.txt
jq -r .text part.jsonl | cmp -s - out.txt || fail "other documents come out"

# kill -9: what was written is the beginning of what a second run writes, which is whole.
blocks=1
corpus | corpus-read -q --format jsonl >whole.jsonl
mkfifo pipe
corpus-read -q --format jsonl <pipe >killed.jsonl &
reader=$!
exec 8>pipe # a writer that does not end
zstd -qdc block.zst | head -n 2000 >&8
n=0
while [ ! -s killed.jsonl ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
kill -9 $reader
wait $reader 2>/dev/null || true
exec 8>&-
[ -s killed.jsonl ] || fail "nothing was written before the kill"
cmp -s -n "$(wc -c <killed.jsonl)" killed.jsonl whole.jsonl || fail "a second run writes something else"
exit $bad
