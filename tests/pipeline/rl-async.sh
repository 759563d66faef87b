#!/bin/sh
# Asynchronous RL as one pipe.  With learning rate 0 nothing may drift: over 50
# steps the ratio is exactly 1 and the mismatch exactly 0, in fp32 and bf16, and no
# rollout is older than --max-staleness.  A recorded stream trains to the same
# bytes when it is replayed, and when the trainer is killed and resumed.
set -eu
delays="0.05 0.1 0.15 0.2 0.3" # seconds after which a run is killed
[ -z "${LONG:-}" ] || delays=$(seq 0.02 0.03 0.6)
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

# With no staleness allowed neither side may wait for the other for ever, nor when groups without a
# signal do not count and have to be replaced.
for options in "--max-staleness 0" "--max-staleness 0 --active-sampling"; do
    rm -rf policy-live live
    timeout 120 rollout-gen -q --follow policy-live --group 2 --max-tokens 16 --repeat 0 prompts.jsonl |
        reward-verify -q --verifier random:0.3 |
        timeout 120 rlvr-train -q --model sft --publish policy-live --out live --steps 6 --prompts-per-step 3 \
            $options --lr 1e-4 >live.metrics || { echo "$options: the loop did not end"; exit 1; }
    jq -s -e 'length == 6 and all(.[]; .["staleness/max"] == 0 and .num_groups == 3)' live.metrics >/dev/null ||
        { echo "$options"; cat live.metrics; exit 1; }
done
jq -s -e 'all(.[]; .num_sequences == 6) and any(.[]; .frac_reward_zero_std > 0)' live.metrics >/dev/null ||
    { echo "active sampling trained on groups without a signal"; cat live.metrics; exit 1; }

# Groups that are stale as a whole, or that lose some or all of their records as bad, are made good.
rm -rf policy-live live
timeout 120 rollout-gen -q --follow policy-live --group 2 --max-tokens 16 --repeat 0 prompts.jsonl |
    reward-verify -q --verifier random:0.5 |
    jq --unbuffered -c 'if .group % 4 == 1 then .policy_version |= map(0) else . end
        | if .group % 5 == 2 and .sample == 1 or .group % 7 == 3 then del(.reward) else . end' |
    timeout 120 rlvr-train -q --model sft --publish policy-live --out live --steps 6 --prompts-per-step 3 \
        --max-staleness 0 --skip-bad --rejects rejects --lr 1e-4 >live.metrics 2>err ||
    { echo "a loop with stale and bad groups did not end"; tail err; exit 1; }
jq -s -e 'length == 6 and all(.[]; .num_groups == 3) and any(.[]; .stale_dropped > 0)' live.metrics >/dev/null ||
    { echo "stale and bad groups"; cat live.metrics; exit 1; }
grep -q 'is stale and is left out' err && grep -q 'has only 0 of 2 usable' err && grep -q 'has only 1 of 2 usable' err ||
    { echo "a kind of group did not come"; cat err; exit 1; }

rollout-gen -q --model sft --group 4 --max-tokens 24 --repeat 2 prompts.jsonl | reward-verify -q --verifier random:0.5 >recorded.jsonl
rl="rlvr-train -q --model sft --steps 20 --prompts-per-step 8 --minibatches 2 --max-staleness -1 --lr 1e-3 --checkpoint-every 3"
$rl --out rl1 <recorded.jsonl >/dev/null
for delay in $delays; do
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

# A resumed run reads past what it has seen, through a pipe too; another stream is refused unless it is
# said to be new.
stopped() { [ -d "$1/step-000003" ] && [ ! -e "$1/model.safetensors" ]; }
mkfifo fifo
$rl --out rl3 <fifo >/dev/null 2>&1 &
pid=$!
exec 3>fifo
head -n 150 recorded.jsonl >&3
for _ in $(seq 100); do stopped rl3 && break; sleep 0.1; done
kill -9 $pid
wait $pid 2>/dev/null || true
exec 3>&-
stopped rl3 || { echo "the run was not stopped in the middle"; exit 1; }
cp -r rl3 rl4
cp -r rl3 rl5
cat recorded.jsonl | $rl --out rl3 --resume >/dev/null
cmp rl1/model.safetensors rl3/model.safetensors || { echo "a stream resumed through a pipe differs"; exit 1; }
tail -n +5 recorded.jsonl >other.jsonl
if $rl --out rl4 --resume <other.jsonl >/dev/null 2>err; then
    echo "another stream was taken for the recorded one"
    exit 1
fi
grep -q 'are not those that the checkpoint was trained on' err || { cat err; exit 1; }
$rl --out rl5 --resume --fresh-input <other.jsonl >/dev/null
