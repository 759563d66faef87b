# Bits per byte: the same from text, ids and shards, for any batch; windows cover every token once.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
tiny_tokenizer M
jq -nc 'range(0; 9) | {text: ([range(0; . * . * 5 + 1) | . * 7 % 90 + 33] | implode)}' >docs.jsonl
jq -c '{tokens: (.text | explode)}' docs.jsonl >ids.jsonl
shard-pack <ids.jsonl >docs.shard 2>/dev/null
eval_bpb() { model-eval -q --task bpb --model M "$@" >out.json; jq -c '.results[] | del(.alias)' out.json | sort -u | wc -l; }
mkfifo pipe
cat docs.jsonl >pipe &
echo "different results:" "$(eval_bpb text=docs.jsonl ids=ids.jsonl shard=docs.shard pipe=pipe stdin=- <docs.shard)"
jq -c '."n-samples"' out.json
jq -c '.results.text | ["bits_per_byte,none", "loss,none"] as $k | (.[$k[0]] * 0.6931471805599453 - .[$k[1]] | fabs) < 1e-9' out.json
jq -c .results.text out.json >whole
for batch in 1 100 100000; do
    model-eval -q --task bpb --model M --batch-tokens $batch --threads 2 docs.jsonl | jq -c '.results.docs | .alias = "text"' | cmp - whole && echo same
done
echo "windows:"
for len in 1 7 64; do model-eval -q --task bpb --model M --seq-len $len docs.jsonl | jq -c '."n-samples".docs'; done
echo "without a tokenizer:"
rm M/tokenizer*
model-eval -q --task bpb --model M docs.shard | jq -c '[(.results.docs | keys), ."n-samples".docs.tokens]'
model-eval -q --task bpb --model M docs.jsonl 2>&1
model-eval -q --task bpb --model M --seq-len 300 docs.shard 2>&1
model-eval -q --task bpb --model M docs.shard docs.jsonl 2>&1 | head -n 1
