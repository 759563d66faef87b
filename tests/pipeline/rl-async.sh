#!/bin/sh
# Asynchronous RL as one pipe.  With learning rate 0 nothing may drift: over 50
# steps the ratio is exactly 1 and the mismatch exactly 0, in fp32 and bf16, and no
# rollout is older than --max-staleness.  A recorded stream trains to the same
# bytes when it is replayed, and when the trainer is killed and resumed.
set -eu
. "$TESTS/tiny-sft.sh"

for precision in fp32 bf16; do
    rollout-gen -q --follow "policy-$precision" --precision $precision --group 4 --max-tokens 24 --repeat 50 prompts.jsonl |
        reward-verify -q --verifier random:0.5 |
        rlvr-train -q --model sft --publish "policy-$precision" --precision $precision --out "still-$precision" \
            --steps 50 --prompts-per-step 4 --max-staleness 2 --lr 0 >still.metrics
    jq -s -e 'length == 50 and all(.[]; .["sampling/sampling_logp_difference/max"] == 0
        and .["sampling/importance_sampling_ratio/min"] == 1 and .["sampling/importance_sampling_ratio/max"] == 1
        and .["staleness/max"] <= 2)' still.metrics >/dev/null ||
        { echo "$precision: an lr 0 run drifted"; tail -n 1 still.metrics; exit 1; }
done

rollout-gen -q --model sft --group 4 --max-tokens 24 --repeat 2 prompts.jsonl | reward-verify -q --verifier random:0.5 >recorded.jsonl
rl="rlvr-train -q --model sft --steps 20 --prompts-per-step 8 --minibatches 2 --max-staleness -1 --lr 1e-3 --checkpoint-every 3"
$rl --out rl1 <recorded.jsonl >/dev/null
for delay in 0.05 0.1 0.15 0.2 0.3; do
    $rl --out rl2 --resume <recorded.jsonl >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
done
$rl --out rl2 --resume <recorded.jsonl >/dev/null
for f in model.safetensors trainer_state.safetensors; do
    cmp rl1/$f rl2/$f || { echo "rl1/$f differs from rl2/$f"; exit 1; }
done

# What is missing is named.
jq -c 'del(.reward)' recorded.jsonl >bare.jsonl
if rlvr-train -q --model sft --out bare --steps 1 <bare.jsonl >/dev/null 2>err; then
    echo "rollouts without a reward were taken"
    exit 1
fi
grep -q "'reward' is missing" err || { cat err; exit 1; }
