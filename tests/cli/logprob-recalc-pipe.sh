# In the middle of a pipe: records keep order and fields, for any number of threads.
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M
for i in 1 2 3 4 5 6 7; do echo "{\"id\": $i, \"x\": {\"f\": 0.1, \"n\": null}, \"tokens\": [$i, 2, 3]}"; done >in.jsonl
logprob-recalc -q --model M --as teacher --threads 1 in.jsonl >one.jsonl
cat in.jsonl | logprob-recalc -q --model M --as teacher --threads 2 --batch-tokens 4 | cmp - one.jsonl && echo same
jq -c '[.id, .x, (.teacher_logprobs // .teacher | length)]' one.jsonl
jq -c 'del(.teacher, .teacher_logprobs)' one.jsonl >back.jsonl
jq -c . in.jsonl | cmp - back.jsonl && echo "nothing else changed"
jq -s 'all(.[]; (.teacher_logprobs // .teacher)[1:] | all(. < 0))' one.jsonl
