# Pairs with and without references, in text and ids; extra fields are nobody's business.
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M
train() { dpo-train -q --model M --template chatml --epochs 3 --batch-size 2 --lr 1e-2 "$@"; }
q='[{"role": "user", "content": "hi"}]'
{
    echo "{\"prompt\": $q, \"chosen\": [{\"role\": \"assistant\", \"content\": \"yes\"}], \"rejected\": [{\"role\": \"assistant\", \"content\": \"no!\"}], \"why\": 1}"
    echo '{"prompt": "ab", "chosen": "cd", "rejected": "ef"}'
} >pairs.jsonl
train --out A pairs.jsonl >a.metrics
jq -c .step a.metrics
jq -c 'keys_unsorted' a.metrics | sort -u
jq -s '.[2].loss < .[0].loss and .[2]["rewards/accuracies"] == 1' a.metrics
same() { cmp $1/model.safetensors $2/model.safetensors && echo same; }
echo "references made on the way, given, and from a pipe:"
logprob-recalc -q --model M --template chatml --as ref pairs.jsonl >refs.jsonl
train --out B refs.jsonl >/dev/null && same A B
cat refs.jsonl | train --threads 2 --out C >/dev/null && same A C
jq -c 'del(.prompt, .chosen, .rejected)' refs.jsonl | train --threads 1 --out D >/dev/null && same A D
for loss in sigmoid ipo simpo; do
    train --loss $loss --beta 0.5 --out $loss pairs.jsonl | jq -s -c '[.[].loss | type] | unique'
done
echo "no difference to learn from:"
echo '{"prompt": "a", "chosen": "b", "rejected": "b"}' | train --out E 2>&1 | jq -c '[.step, .["rewards/margins"]]'
