# A policy that is published: versions on the tokens, credits that bound the groups, the end.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
mkdir P
publish() { # version seed
    tiny_model "P/v00000$1" "$2"
    ln -s "v00000$1" P/tmp && mv -T P/tmp P/latest
}
credits() { # version groups done
    echo "{\"version\": $1, \"groups\": $2, \"done\": $3}" >P/credits.tmp && mv P/credits.tmp P/credits.json
}
for i in 0 1 2 3 4 5 6 7; do echo "{\"id\": $i, \"prompt_token_ids\": [5, $i]}"; done >p.jsonl

echo "nothing published:"
rollout-gen -q --follow P --follow-timeout 0.05 p.jsonl 2>&1
echo "weights but no credits:"
publish 1 1
rollout-gen -q --follow P --follow-timeout 0.05 p.jsonl 2>&1
echo "three credits:"
credits 1 3 false
rollout-gen -q --follow P --follow-timeout 0.05 --max-tokens 5 --ignore-eos p.jsonl 2>err |
    jq -c '[.group, .policy_version, .model]'
cat err
for swap in inflight sequence; do
    echo "a new version, $swap:"
    # The reader of the groups is the trainer: after two it publishes, after four it ends the run.
    rm -rf P/*
    publish 1 1
    credits 1 2 false
    rollout-gen -q --follow P --follow-timeout 60 --swap $swap --group 2 --max-tokens 5 --ignore-eos \
        --repeat 0 p.jsonl | {
        for n in 1 2 3 4; do read -r line; printf '%s\n' "$line"; done
        publish 2 2
        credits 2 4 false
        for n in 1 2 3 4; do read -r line; printf '%s\n' "$line"; done
        credits 2 4 true
        cat
    } | jq -c '[.group, .sample, (.policy_version | unique)]'
done
echo "the second version's groups are what its weights give:"
rollout-gen -q --model P/v000002 --group 2 --max-tokens 5 --ignore-eos p.jsonl | tail -n +5 | head -n 4 |
    jq -c '[.token_ids, .logprobs]' >want
rm -rf P/v000001
credits 2 4 false
rollout-gen -q --follow P --follow-timeout 0.05 --group 2 --max-tokens 5 --ignore-eos --first-group 2 p.jsonl 2>/dev/null |
    jq -c '[.token_ids, .logprobs]' >got
cmp want got && echo equal
echo "a finished run:"
credits 2 9 true
rollout-gen --follow P p.jsonl
