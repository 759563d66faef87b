shard-pack --blob-tokens 0 </dev/null 2>/dev/null
echo $?
shard-pack --rejects r.jsonl </dev/null 2>/dev/null >/dev/null
echo $?
shard-pack --help | head -n 1
