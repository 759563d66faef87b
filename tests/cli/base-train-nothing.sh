# Sequences of one token hold nothing to predict: an error, not an endless second reading.
. "$TESTS/tiny-model.sh"
tiny_model m
for _ in 1 2 3; do echo '{"tokens": [5]}'; done | shard-pack -q >one.shard
base-train -q --model m --out out --steps 2 --batch-tokens 64 one.shard
