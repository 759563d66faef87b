# Bad prompts: named, or set aside without a gap in the numbers of the groups.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
{
    echo '{"prompt_token_ids": [1]}'
    echo '{"prompt_token_ids": [1, 264]}'
    echo '{"prompt_token_ids": []}'
    echo '{"prompt_token_ids": [1, 2, 3, 4]}'
    echo '{"question": "?"}'
    echo '{"prompt_token_ids": [2]}'
} >p.jsonl
rollout-gen -q --model M --max-tokens 3 p.jsonl 2>&1 >/dev/null
echo "status $?"
for repeat in 1 2; do
    rollout-gen --model M --max-tokens 3 --max-prompt-tokens 3 --repeat $repeat --skip-bad \
        --rejects r.jsonl p.jsonl 2>err | jq -c '[.group, .prompt_token_ids]' | tr '\n' ' '
    echo
    tail -n 1 err
done
jq -c '[.line, .error]' r.jsonl
