# The comparison with what the sampler recorded, and a limit on it.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
jq -nc 'range(0; 4) | {prompt_token_ids: [., 1]}' |
    rollout-gen -q --model M --max-tokens 20 --ignore-eos --temperature 0.8 >r.jsonl
logprob-recalc --model M --as old --fail-above 0 r.jsonl 2>&1 >/dev/null
echo "status $?"
echo "an eighth more on every token:"
jq -c '.logprobs |= map(. - 0.125)' r.jsonl >off.jsonl
logprob-recalc -q --model M --as old --fail-above 0.1 --report report.json off.jsonl 2>&1 >/dev/null | sed 's/0\.125[0-9]*/0.125/'
jq -c 'map_values(. * 1000 | round / 1000)' report.json
logprob-recalc -q --model M --as old --fail-above 0.2 off.jsonl >/dev/null
echo "status $?"
echo "nothing to compare:"
echo '{"tokens": [1, 2]}' | logprob-recalc -q --model M --as old --fail-above 0 2>&1 >/dev/null
echo "status $?"
logprob-recalc --model M </dev/null 2>&1 | head -n 1
