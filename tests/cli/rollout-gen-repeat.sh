# Passes over the prompts: numbers go on, each pass has randomness and order of its own.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
for i in 1 2 3 4 5 6; do echo "{\"id\": $i, \"prompt_token_ids\": [7, 8]}"; done >p.jsonl
run() { rollout-gen -q --model M --max-tokens 6 --ignore-eos "$@" p.jsonl; }
run --repeat 2 >twice.jsonl
jq -c '[.group, .id]' twice.jsonl | tr '\n' ' '; echo
echo "different completions:" "$(jq -c .token_ids twice.jsonl | sort -u | wc -l)"
run >once.jsonl
head -n 6 twice.jsonl | cmp - once.jsonl && echo "the first pass is a single run"
run --repeat 2 --shuffle --seed 1 | jq -c '[.group, .id]' | tr '\n' ' '; echo
run --repeat 2 --shuffle --seed 2 | jq -c '[.group, .id]' | tr '\n' ' '; echo
run --repeat 2 --first-group 9 >rest.jsonl
tail -n 3 twice.jsonl | cmp - rest.jsonl && echo "--first-group goes on where a run ended"
