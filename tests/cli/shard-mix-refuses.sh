echo '{"tokens":[1]}' | shard-pack -q -o a.shard
echo '{"tokens":[1],"reward":1}' | shard-pack -q -o r.shard
shard-pack -q -o empty.shard </dev/null
try() {
    shard-mix -q --tokens 5 "$@" >out.shard
    echo "$? $(wc -c <out.shard)"
}
try --weight a=1 --weight b=1 --sources .
try --weight r=1 --sources .
try --weight empty=1 --sources .
try --weight a=0 --sources .
try --weight a=1 a=a.shard b=a.shard
echo '{"weights":[1]}' >w.json
try --weights w.json
echo '{"weights":{"a":"x"}}' >w.json
try --weights w.json a=a.shard
echo '{"weights":{"a":-1}}' >w.json
try --weights w.json a=a.shard
try --weights none.json
head -c 200 a.shard >cut.shard
try --weight cut=1 --sources .
shard-mix --weight a=x a=a.shard --tokens 1 2>&1 | head -n 1
shard-mix --weight a=1 a=a.shard 2>&1 | head -n 1
shard-mix --tokens 1 a=a.shard 2>&1 | head -n 1
