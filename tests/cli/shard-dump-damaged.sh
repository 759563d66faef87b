# One changed byte of the data is seen.
printf '{"id":"a","tokens":[1,2,3]}\n' | shard-pack -q >a.shard
size=$(wc -c <a.shard)
{ head -c $((size - 1)) a.shard; printf x; } >b.shard
shard-dump b.shard 2>err
echo $?
sed 's/xxh64 is [0-9a-f]*/xxh64 is H/; s/says [0-9a-f]*/says H/' err | head -n 1
