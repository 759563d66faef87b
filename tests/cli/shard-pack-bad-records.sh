# Every bad line is refused with its place; the good ones pass with --skip-bad.
i=0
while IFS= read -r line; do
    i=$((i + 1))
    printf '%s\n' "$line" >bad$i.jsonl
    shard-pack -q bad$i.jsonl >/dev/null
    echo "$i $?"
done <<'END'
{"tokens":[1,2],"loss_mask":[1]}
{"tokens":"1 2"}
{"text":"x"}
{"tokens":[1,2.5]}
{"tokens":[1,null]}
{"tokens":[-1]}
{"tokens":[3000000000]}
{"tokens":[1],"loss_mask":[2]}
{"tokens":[1],"logprobs":[null]}
{"tokens":[1],"reward":"high"}
{"tokens":[1],"id":[1]}
{"tokens":[1],"tokens":[2]}
{"tokens":[1]
[1,2]
{"tokens":[1]} x
{'tokens':[1]}
END
cat bad*.jsonl >all.jsonl
echo '{"id":"good","tokens":[5]}' >>all.jsonl
shard-pack --skip-bad --rejects rejects.jsonl all.jsonl 2>/dev/null | shard-dump
wc -l <rejects.jsonl | tr -d ' '
