# A write that fails is a failure, even at the last flush.
echo '{"tokens":[1]}' | shard-pack >/dev/full 2>err
echo $?
grep -c 'No space left' err
echo '{"tokens":[1]}' | shard-pack --out /dev/full 2>/dev/null
echo $?
echo '{"tokens":[1]}' | shard-pack >a.shard 2>/dev/null
shard-dump a.shard >/dev/full 2>/dev/null
echo $?
