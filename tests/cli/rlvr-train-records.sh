# What rlvr-train refuses, and what it leaves out: one line each, naming file and line.
. "$TESTS/tiny-model.sh"
tiny_model m
roll() { # group size reward version
    echo "{\"prompt_token_ids\":[1,2],\"token_ids\":[3,4],\"logprobs\":[-5.5,-5.5],\"policy_version\":[$4,$4],\"group\":$1,\"group_size\":$2,\"reward\":$3,\"finish_reason\":\"stop\"}"
}
train() {
    rm -rf out
    rlvr-train -q --model m --out out --prompts-per-step 1 --lr 1e-3 "$@" >metrics
    echo "status $?, $(wc -l <metrics) steps"
}
show() { jq -c '[.num_groups, .num_sequences, .reward, .stale_dropped, .frac_reward_zero_std]' metrics; }
{ roll 0 2 1 0; roll 0 2 0 0; roll 1 2 0 0; roll 1 2 0 0; roll 2 2 1 2; roll 2 2 0 0; } >good
for bad in 'del(.reward)' 'del(.group)' 'del(.logprobs)' '.reward = "1"' '.group = -3' '.group_size = -1' '.logprobs = [-1]' \
    '.policy_version = [0.5, 0]' '.sampling.temperature = 0' '.token_ids = [3, 9999]'; do
    { head -n 1 good; sed -n 2p good | jq -c "$bad"; } >bad
    train --steps 1 bad 2>&1 | grep -v in=
done
echo "-- skipped records leave their group out"
{ cat good; } | sed '2s/"reward":0/"reward":null/' >bad
train --steps 2 --max-staleness -1 --skip-bad --rejects rejects bad 2>&1
show
echo "-- cut short"
{ roll 0 2 1 0; roll 1 2 1 0; } >bad
train --steps 1 bad 2>&1
echo "-- the records do not say: a group ends where another begins, --group checks"
jq -c 'del(.group_size)' good >plain
train --steps 3 --max-staleness -1 plain 2>&1
show
train --steps 3 --group 3 plain 2>&1
echo "-- groups of equal rewards, active sampling"
train --steps 2 --max-staleness -1 --active-sampling good 2>&1
show
echo "-- stale"
train --steps 3 --max-staleness 1 good 2>&1
show
train --steps 3 --max-staleness 1 --stale fail good 2>&1
echo "-- their own advantages"
jq -c '. + {advantage: (if .reward > 0 then 2 else 0 end)}' good >own
train --steps 2 --max-staleness -1 own 2>&1
show
echo "-- a live stream that begins too early after a resume, with a group of lost weights"
{ head -n 2 good; roll 1 2 1 0; echo '{"group":2}'; } >first
publish="--steps 4 --max-staleness -1 --checkpoint-every 1 --publish policy"
train $publish first 2>&1
jq -c '[.version, .groups, .next_group, .done, .stopped]' policy/credits.json
{ cat good; roll 3 2 1 9; roll 3 2 0 1; roll 4 2 1 2; roll 4 2 0 2; } >again
resume() {
    rlvr-train -q --model m --out out --resume --prompts-per-step 1 --lr 1e-3 $publish "$@" >metrics 2>&1
    echo "status $?"
    grep -v '^{' metrics
    jq -R -c 'fromjson? | [.step, .num_groups, .reward]' metrics
}
cp -r out kept
resume again
jq -c '[.version, .groups, .next_group, .done, .stopped]' policy/credits.json
echo "-- the same, said to be new"
rm -rf out && mv kept out
resume --fresh-input again
echo "-- a step whose gradient is not finite leaves weights, moments and their count alone"
{ sed -n 1,2p good | jq -c '. + {advantage: 1e39}'; sed -n 1,2p good; } >infinite
train --steps 2 --schedule constant --warmup-steps 0 infinite 2>&1
mv out skipped
train --steps 1 --schedule constant --warmup-steps 0 good 2>&1
cmp out/model.safetensors skipped/model.safetensors && echo same
cmp -s m/model.safetensors out/model.safetensors || echo "and it learns"
train --steps 2 --max-bad-steps 1 infinite 2>&1
