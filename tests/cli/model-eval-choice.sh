# Multiple choice: the answer is what logprob-recalc says is likeliest.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
tiny_tokenizer M
jq -nc 'range(0; 12) | {prompt: "question \(.):", choices: ["one", "\(. * 7)", "blue sky", "x"]}' >q.jsonl
# The log-probability of each choice, from another program: bos, prompt, space and choice as ids.
jq -c '. as $q | .choices[] | {prompt_token_ids: ([258] + ($q.prompt | explode)),
    token_ids: ((" " + .) | explode), choice: ., prompt: $q.prompt}' q.jsonl |
    logprob-recalc -q --model M --as old | jq -c '. + {sum: (.old_logprobs | add)}' >scored.jsonl
jq -sc --slurpfile s scored.jsonl '.[] | . as $q | [$s[] | select(.prompt == $q.prompt)] as $c
    | . + {answer: ([range(0; 4)] | max_by($c[.].sum)),
           norm: ([range(0; 4)] | max_by($c[.].sum / ($c[.].choice | length)))}' q.jsonl >keyed.jsonl
model-eval -q --task choice --model M sum=keyed.jsonl | jq -c '.results.sum["acc,none"]'
jq -c '.answer = .norm' keyed.jsonl | model-eval -q --task choice --model M --batch-tokens 1 | jq -c '.results.stdin["acc_norm,none"]'
jq -c '.answer = (["A", "B", "C", "D"][.answer])' keyed.jsonl | model-eval -q --task choice --model M | jq -c '.results.stdin["acc,none"]'
jq -c '.answer = .choices[.answer] | .context = .prompt | del(.prompt)' keyed.jsonl | model-eval -q --task choice --model M | jq -c '.results.stdin["acc,none"]'
echo "as requests:"
jq -c '. as $q | .answer as $a | .choices | to_entries[]
    | {request: {context: $q.prompt, continuation: (" " + .value)}, doc_id: $q.prompt, idx: .key, label: $a}' keyed.jsonl |
    model-eval -q --task choice --model M --batch-tokens 100 | jq -c '[.results.stdin["acc,none"], ."n-samples".stdin.original]'
echo "wrong:"
jq -c '.answer = (.answer + 1) % 4' keyed.jsonl | model-eval -q --task choice --model M | jq -c '.results.stdin["acc,none"]'
echo '{"prompt": "a", "choices": ["b"], "answer": 1}' | model-eval -q --task choice --model M 2>&1
echo '{"prompt": "a", "choices": "b", "answer": 1}' | model-eval -q --task choice --model M 2>&1
