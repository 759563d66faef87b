# int8 weights: other numbers than exact ones, by little; alike for every batch and thread; the cost
# is logged.  A trainer knows no such option.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
for i in 1 2 3 4; do echo "{\"prompt_token_ids\": [$i, 2, 3]}"; done >p.jsonl
gen() { rollout-gen --model M --group 2 --max-tokens 24 --ignore-eos --seed 9 "$@" p.jsonl; }
gen -q >exact.jsonl
gen --weights int8 --batch 1 --threads 1 >a.jsonl 2>a.err
gen --weights int8 --batch 8 --threads 2 >b.jsonl 2>b.err
cmp a.jsonl b.jsonl && echo "the same for any batch and threads"
cmp -s a.jsonl exact.jsonl || echo "not the exact bits"
jq -n --slurpfile a a.jsonl --slurpfile b exact.jsonl '[$a, $b | .[0].logprobs[0]] | (.[0] - .[1]) | fabs < 0.05'
grep -c 'int8 weights: log-probabilities of 192 sampled tokens are .* nats above' a.err
gen 2>&1 >/dev/null | grep -c 'int8'
sft-train --weights int8 --model M --out X </dev/null 2>&1 | head -n 1
echo "what computes:"
rollout-gen --version -v | sed 's/^rollout-gen (thinkpipe) .*/name/; s/: cpu\/[a-z0-9-]*$/: cpu\/.../'
