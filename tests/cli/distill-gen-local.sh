# A model on this machine as the teacher.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M
gen() { distill-gen -q --model M --template plain --max-tokens 6 "$@"; }
for i in 1 2 3 4 5; do echo "{\"id\": \"p$i\", \"prompt\": \"question $i\", \"level\": $i}"; done >in.jsonl
gen --samples 2 in.jsonl >out.jsonl
jq -c '[.id, .level, .group, .sample, .finish_reason, (.completion | type), [.messages[].role]]' out.jsonl
jq -c 'keys_unsorted' out.jsonl | sort -u
echo "any threads, any batch, a pipe:"
cat in.jsonl | gen --samples 2 --threads 1 --batch 1 | cmp - out.jsonl && echo same
cat in.jsonl | gen --samples 2 --threads 2 --batch 3 | cmp - out.jsonl && echo same
gen --samples 2 --seed 1 in.jsonl | cmp -s - out.jsonl || echo "another seed, other answers"
gen --temperature 0 in.jsonl >greedy.jsonl
gen --temperature 0 --seed 9 in.jsonl | jq -c .completion >again
jq -c .completion greedy.jsonl | cmp - again && echo "greedy has no seed"
echo "a last message to go on with:"
echo '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The answer "}]}' |
    jq -c '., . + {continue_final_message: true}' | gen --temperature 0 |
    jq -c '[(.prompt_token_ids | implode), .messages[-1].content == "The answer " + .completion, has("continue_final_message")]'
echo "into a file, and on from there by id:"
head -n 2 in.jsonl | gen --samples 2 --out j.jsonl
tail -r in.jsonl 2>/dev/null >back.jsonl || tac in.jsonl >back.jsonl
gen --samples 2 --out j.jsonl back.jsonl
jq -c '[.id, .sample]' j.jsonl | tr '\n' ' '
echo
gen --samples 2 --temperature 0.5 --out j.jsonl in.jsonl 2>&1
