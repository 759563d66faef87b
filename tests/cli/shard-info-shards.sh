# What a shard holds: by domain, with masks, empty, compressed, cut into other blobs, blended, joined.
printf '%s\n' '{"id":"a","domain":"web","tokens":[1,2,3],"loss_mask":[0,1,1]}' \
    '{"id":"b","domain":"code","tokens":[9],"loss_mask":[1]}' \
    '{"id":"c","domain":"","tokens":[4,5],"loss_mask":[0,0]}' \
    '{"id":"d","domain":7,"tokens":[6,7,8,9],"loss_mask":[1,1,1,1]}' \
    '{"id":"e","domain":"web","tokens":[],"loss_mask":[]}' >in.jsonl
shard-pack -q --out a.shard in.jsonl
shard-info a.shard
shard-dump -q --head 2 a.shard
shard-pack -q --blob-tokens 1 --out b.shard.zst in.jsonl
echo "the same digest, whatever the blobs:"
shard-info a.shard b.shard.zst - <a.shard | jq -c '[.file, .n_blobs, .xxh64]'
echo "another one for another mask, and for other cuts between sequences:"
for edit in 's/\[0,1,1\]/[1,1,1]/' 's/"web"/"books"/' 's/\[1,2,3\],"loss_mask":\[0,1,1\]/[1,2],"loss_mask":[0,1]/; s/\[9\],"loss_mask":\[1\]/[3,9],"loss_mask":[1,1]/'; do
    sed "$edit" in.jsonl | shard-pack -q | shard-info -q
done | jq -c '[.n_tokens, .xxh64, .domains]'
shard-pack -q </dev/null | shard-info
printf '{"tokens":[1,2,3,4]}\n{"tokens":[5]}\n' | shard-pack -q --out web.shard
printf '{"tokens":[6,7]}\n' | shard-pack -q --out code.shard
cat web.shard code.shard | shard-info
shard-mix -q --weight web=3 --weight code=1 --tokens 40 web=web.shard code=code.shard | shard-info | jq -c .domains
echo "refused:"
head -c 150 a.shard >cut.shard
shard-info web.shard cut.shard code.shard | jq -r .file
shard-info none.shard
