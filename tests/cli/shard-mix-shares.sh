# Shares follow the weights at every prefix; epochs are counted; the same seed gives the same bytes.
seq 1 20 | sed 's/.*/{"id":"a&","tokens":[&,&,&,&,&]}/' | shard-pack -q -o a.shard
seq 1 10 | sed 's/.*/{"id":"b&","tokens":[&,&]}/' | shard-pack -q -o b.shard.zst
echo '{"weights":{"a":0.75,"b":0.25,"unused":0}}' >mixture.json
shard-mix -q --weights mixture.json --sources . --tokens 200 --seed 1 --report report.json >one.shard
cat report.json
shard-mix -q --weight a=3 --weight b=1 a=a.shard b=b.shard.zst --tokens 200 --seed 1 >two.shard
cmp one.shard two.shard && echo same
shard-mix -q --weights mixture.json --sources . --tokens 200 --seed 2 >three.shard
cmp -s one.shard three.shard || echo different
shard-dump -q one.shard | head -n 5 | tr -d '0-9'
shard-dump -q one.shard | sed -n 's/.*"id":"\(a[0-9]*\)".*/\1/p' | head -n 20 | sort | uniq | wc -l | tr -d ' '
