# Validation between steps and after the last; the loss is what model-eval finds in the final checkpoint.
. "$TESTS/tiny-model.sh"
tiny_model m
jq -n -c 'range(40) | {tokens: [range(9)] | map((. * 37 + 11) % 250)}' | shard-pack -q >train.shard
jq -n -c 'range(3) | {tokens: [range(12)] | map((. * 31 + 5) % 250)}' | shard-pack -q >held.shard
base-train -q --model m --out out --steps 5 --batch-tokens 64 --lr 1e-3 --eval-every 2 --eval-shard held=held.shard \
    --eval-shard train=train.shard train.shard >metrics
jq -c '[.step, has("eval/held/loss"), has("eval/train/loss")]' metrics
mean=$(tail -n 1 metrics | jq '.["eval/held/loss"]')
model-eval -q --task bpb --model out held=held.shard | jq --argjson mean "$mean" '.results.held["loss,none"] - $mean | fabs < 1e-6'
echo "-- the data ends before the steps do"
for every in 2 5; do
    base-train -q --model m --out out --overwrite --steps 9 --epochs 1 --batch-tokens 64 --lr 1e-3 --eval-every $every \
        --eval-shard held=held.shard train.shard 2>&1 >metrics
    jq -c '[.step, has("loss"), has("eval/held/loss")]' metrics
    mean=$(jq -s 'map(.["eval/held/loss"] // empty) | last' metrics)
    model-eval -q --task bpb --model out held=held.shard | jq --argjson mean "$mean" '.results.held["loss,none"] - $mean | fabs < 1e-6'
done
base-train -q --model m --out bad --steps 1 --eval-shard held.shard train.shard 2>&1
base-train -q --model m --out bad --steps 1 --eval-shard held=missing.shard train.shard 2>&1
