# JSON lines to a shard and back: every field, in order, bit for bit.
cat >in.jsonl <<'END'
{"id":"a","tokens":[1,2,3],"loss_mask":[0,1,1],"logprobs":[0.0,-0.1,-1.5e-8],"policy_version":[-1,0,1],"reward":0.5}
{"id":7,"tokens":[4],"loss_mask":[1],"logprobs":[-3.4028235e+38],"policy_version":[0],"reward":1,"other":"gone"}
{"tokens":[],"loss_mask":[],"logprobs":[],"policy_version":[],"reward":-2}
END
shard-pack -q in.jsonl | shard-dump
shard-pack -q --blob-tokens 1 --out x.shard.zst in.jsonl
shard-info x.shard.zst
shard-pack -q in.jsonl >a.shard
cat a.shard a.shard | shard-info
shard-dump --head 1 a.shard | cut -c 1-20
shard-pack -q </dev/null | shard-info
