# Less memory for keys and values than the sequences want: some give up their pages and start again, and
# write the same.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
for i in 1 2 3 4; do jq -nc --argjson i $i '{prompt_token_ids: [range(30 * $i) | . * 7 % 250 + 1]}'; done >p.jsonl
gen() { rollout-gen --model M --group 12 --max-tokens 130 --ignore-eos --batch 48 --seed 3 "$@" p.jsonl; }
gen -q >all.jsonl
gen -v --kv-memory 1 >few.jsonl 2>few.err
cmp all.jsonl few.jsonl && jq -s '[.[].logprobs | length] | unique' -c few.jsonl
grep -o 'a key-value cache of [0-9]* pages of 64 tokens; 48 sequences could fill [0-9]*' few.err
grep -o '[1-9][0-9]* times a sequence gave up its place' few.err | sed 's/[0-9]*/some/'
gen -q --kv-memory 100 | cmp - all.jsonl && echo "more than needed"
