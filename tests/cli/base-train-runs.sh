# Steps, epochs, checkpoints on the way; the result depends on neither threads nor micro-batches.
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M
for i in 1 2 3 4 5 6 7 8; do echo "{\"text\": \"document number $i says $i and $i\"}"; done |
    tok-encode -q --tokenizer M >docs.shard
train() { base-train -q --model M --batch-tokens 64 --seq-len 32 --lr 1e-2 "$@"; }
train --steps 6 --checkpoint-every 2 --keep 1 --out A docs.shard >a.metrics
jq -c '[.step, .num_tokens, .epoch]' a.metrics
jq -c 'keys_unsorted' a.metrics | sort -u
jq -s '.[5].loss < .[0].loss' a.metrics
ls A
jq -c '[.program, .seed, (.inputs | map(.path)), (.parents | map(.path))]' A/lineage.json
same() { cmp $1/model.safetensors $2/model.safetensors && echo same; }
cat docs.shard docs.shard | train --steps 6 --threads 1 --out B >/dev/null
same A B
train --steps 6 --threads 2 --out C --seed 7 <docs.shard >/dev/null
same A C
jq -c '[.inputs[] | .path, (.digest | test("^[a-z0-9]+:[0-9a-f]+$"))]' C/lineage.json
train --steps 100 --epochs 1 --out D docs.shard | jq -s 'map(.step) | max'
echo "the same folder again:"
train --steps 6 --out A docs.shard 2>&1
train --steps 6 --out A --resume docs.shard 2>&1
train --steps 7 --out A --overwrite docs.shard >/dev/null && ls A
