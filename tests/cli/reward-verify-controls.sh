# random, incorrect and majority.
for g in 0 1 2 3 4 5 6 7 8 9; do
    for s in 0 1 2 3 4 5 6 7 8 9; do
        echo "{\"group\":$g,\"sample\":$s,\"completion\":\"$((s * s % (g + 2)))\",\"ground_truth\":\"1\",\"dataset\":\"math\"}"
    done
done >in.jsonl
reward-verify --verifier random:0.25 in.jsonl >a.jsonl
# Not by order: backwards gives the same rewards.
sed '1!G;h;$!d' in.jsonl | reward-verify -q --verifier random:0.25 | sed '1!G;h;$!d' | cmp - a.jsonl
reward-verify -q --verifier random:0.25 --threads 2 in.jsonl | cmp - a.jsonl
reward-verify -q --verifier random:0.25 --seed 1 in.jsonl | cmp -s - a.jsonl && echo "the seed does nothing"
reward-verify --verifier random:0 --verifier incorrect:0.5 --verifier majority:2 in.jsonl >b.jsonl
sed -n '1,12s/.*"completion":"\([^"]*\)".*"rewards"/\1/p' b.jsonl
# Not all have a group.
echo '{"completion":"1","ground_truth":"1","dataset":"math"}' | reward-verify --verifier majority
# inverse and python-only; weights in 'dataset'; not by threads.
cat >in.jsonl <<'END'
{"id":1,"completion":"I use Python: 1","ground_truth":["1","x"],"dataset":["math:3","string_f1:-0.5"]}
{"id":2,"completion":"2","ground_truth":"1","dataset":"math:0.5"}
{"id":3,"completion":"1","ground_truth":"1","dataset":"math:0.5"}
END
reward-verify -q in.jsonl | jq -c '[.id,.reward,.rewards]'
reward-verify -q --verifier inverse --verifier python-only:2 --explain in.jsonl | jq -c '[.id,.reward,.rewards,.verdict[].rule]'
echo '{"completion":"1","ground_truth":"1","dataset":"math:x"}' | reward-verify -q
# What is taken off for form.
cat >in.jsonl <<'END'
{"id":1,"completion":"1","token_ids":[1,2,3],"ground_truth":"1","dataset":"math"}
{"id":2,"completion":"so so so so 1","token_ids":[1,2,3,4,5,6,7,8,9],"ground_truth":"1","dataset":"math"}
{"id":3,"completion":"1","usage":{"completion_tokens":5000},"finish_reason":"length","ground_truth":"1","dataset":"math"}
END
reward-verify -q --scale 10 --overlong-length 10 --overlong-buffer 4 --overlong-penalty 2 --repetition-penalty 1 \
    --repetition-ngram 2 --non-stop-penalty 5 --threads 1 in.jsonl | tee one | jq -c '[.id,.reward,.rewards]'
reward-verify -q --scale 10 --overlong-length 10 --overlong-buffer 4 --overlong-penalty 2 --repetition-penalty 1 \
    --repetition-ngram 2 --non-stop-penalty 5 --threads 4 in.jsonl | cmp - one
echo '{"completion":"1","ground_truth":"1","dataset":"math"}' | reward-verify -q --overlong-length 10
