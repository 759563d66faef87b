# Rollouts, sequences, pairs and conversations; what comes as text gets its ids.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
tiny_tokenizer M
recalc() { logprob-recalc -q --model M --template chatml "$@"; }
shape='to_entries | map([.key, if .value | type == "array" then (.value | length) else .value end])'
u='{"role": "user", "content": "hi"}'
a='{"role": "assistant", "content": "yes"}'
b='{"role": "assistant", "content": "no!!"}'
{
    echo '{"id": 1, "prompt_token_ids": [1, 2], "token_ids": [3, 4, 5], "z": 0.1}'
    echo '{"id": 2, "tokens": [1, 2, 3, 4]}'
    echo '{"id": 3, "prompt_token_ids": [1], "chosen_token_ids": [2, 3], "rejected_token_ids": [4]}'
    echo "{\"id\": 4, \"prompt\": [$u], \"chosen\": [$a], \"rejected\": [$b]}"
    echo "{\"id\": 5, \"messages\": [$u, $a]}"
    echo "{\"id\": 6, \"messages\": [$u, $a, $u, $b]}"
    echo '{"id": 7, "prompt": "ab", "completion": "cd"}'
} >in.jsonl
recalc --as ref in.jsonl | tee out.jsonl | jq -c "$shape"
echo "packed and alone are equal:"
recalc --as ref --batch-tokens 1 --threads 2 in.jsonl | cmp - out.jsonl && echo yes
echo "ids that were added give the same again:"
recalc --as ref out.jsonl | cmp - out.jsonl && echo yes
echo "any name:"
head -n 1 in.jsonl | recalc --as teacher | jq -c 'keys_unsorted'
echo "too long, outside the vocabulary:"
jq -nc '{tokens: [range(0; 258) | . % 9]}' | recalc --as old 2>&1
echo '{"tokens": [1, 264]}' | recalc --as old 2>&1
