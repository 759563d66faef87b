# A shard that is cut anywhere is an error, on a pipe too.
printf '{"id":"a","tokens":[1,2,3]}\n{"id":"b","tokens":[4,5]}\n' | shard-pack -q --blob-tokens 1 >a.shard
size=$(wc -c <a.shard)
for n in 0 1 7 8 9 100 $((size / 2 - 1)) $((size / 2)) $((size / 2 + 1)) $((size - 1)); do
    head -c "$n" a.shard >cut.shard
    shard-dump -q cut.shard >/dev/null 2>&1
    echo "file $?"
    head -c "$n" a.shard | shard-dump -q >/dev/null 2>&1
    echo "pipe $?"
done | sort | uniq -c | tr -s ' '
shard-dump a.shard
head -c 8 a.shard | cat - a.shard | shard-dump
