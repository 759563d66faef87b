# What a record gets, what it keeps, and what a model without a tokenizer can do.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
shape='[.id, .group, .sample, .seed, .model, .finish_reason, .sampling, has("completion"),
        (.prompt_token_ids | length), (.token_ids | length) == (.logprobs | length),
        (.token_ids | length) == (.policy_version | length), (.policy_version | unique),
        (.logprobs | all(. < 0))]'
echo '{"id": "a", "x": {"deep": [1, 0.1]}, "prompt_token_ids": [1, 2, 3]}' >ids.jsonl
rollout-gen -q --model M --group 2 --max-tokens 4 --ignore-eos --seed 9 ids.jsonl | tee out.jsonl | jq -c "$shape"
jq -c '[keys_unsorted, .x]' out.jsonl | uniq
echo "text without a tokenizer:"
echo '{"prompt": "hi"}' | rollout-gen -q --model M --max-tokens 4 2>&1
tiny_tokenizer M
echo "text:"
{
    echo '{"id": "b", "prompt": "hi"}'
    echo '{"id": "c", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "dropped"}]}'
} | rollout-gen -q --model M --template chatml --max-tokens 4 --ignore-eos --temperature 0.5 --top-k 20 --top-p 0.9 |
    tee text.jsonl | jq -c "$shape"
jq -c .prompt_token_ids text.jsonl
echo "greedy samples are equal:" "$(rollout-gen -q --model M --group 3 --temperature 0 ids.jsonl | jq -c .token_ids | sort -u | wc -l)"
