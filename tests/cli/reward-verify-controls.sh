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
