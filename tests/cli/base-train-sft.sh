# Pretraining and fine-tuning with a full mask are one computation: three steps over all documents.
. "$TESTS/tiny-model.sh"
tiny_model m
jq -n -c 'range(20) | . as $d | {tokens: [range(9)] | map((. * 37 + $d * 11) % 250)}' >docs.jsonl
jq -c '.loss_mask = (.tokens | map(1))' docs.jsonl >full.jsonl
jq -c '.loss_mask = (.tokens | map(1) | .[5] = 0)' docs.jsonl >part.jsonl
o="-q --model m --steps 3 --lr 1e-2 --schedule constant"
base-train $o --out base --batch-tokens 160 docs.jsonl >base.metrics
sft-train $o --out full --epochs 3 --batch-size 20 full.jsonl >full.metrics
sft-train $o --out part --epochs 3 --batch-size 20 part.jsonl >part.metrics
agree() {
    jq -s -c --slurpfile other base.metrics '[range(3) as $i | .[$i].loss - $other[$i].loss, .[$i].grad_norm - $other[$i].grad_norm
        | fabs < 1e-5]' $1
}
agree full.metrics
agree part.metrics
