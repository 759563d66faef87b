# Sources without a loss mask get one of ones when another has one.
echo '{"tokens":[1,2],"loss_mask":[0,1]}' | shard-pack -q -o a.shard
echo '{"tokens":[3]}' | shard-pack -q -o b.shard
shard-mix -q --weight a=2 --weight b=1 --sources . --tokens 3 | shard-dump
