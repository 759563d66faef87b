# Exact and near duplicates, which copy is kept, what the report says, and that records pass unchanged.
cat >docs.jsonl <<'END'
{"id":"a","text":"The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until noon.","n":1.50,"odd":"\u00e9\/"}
{"id":"b","text":"the quick  brown fox jumps over the lazy dog and then it sleeps under the old oak tree until NOON!","n":3}
{"id":"c","text":"The quick brown fox jumps over the lazy dog,\nand then it sleeps under the old oak tree until noon.","n":2}
{"id":"d","text":"Something else altogether is written in this one, with no word of animals or trees in it at all."}
{"id":"e","text":"The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until one.","n":"x"}
{"text":"..."}
{"id":7,"text":"..."}
{"messages":[{"role":"user","content":"Something else altogether is written in this one"},{"role":"assistant","content":"with no word of animals or trees in it at all."}]}
END
corpus-dedup --report r.jsonl docs.jsonl
cat r.jsonl
for keep in last shortest max:n min:n; do
    echo "$keep"
    corpus-dedup -q --keep $keep docs.jsonl | jq -c '.id'
done
echo exact
corpus-dedup -q --bands 0 docs.jsonl | jq -c .id
corpus-dedup -q --bands 0 --exact words --text-field text docs.jsonl --skip-bad | jq -c .id
corpus-dedup -q --bands 0 --exact raw <docs.jsonl | wc -l
corpus-dedup -q --keep longest <docs.jsonl 2>&1 | head -n 1
