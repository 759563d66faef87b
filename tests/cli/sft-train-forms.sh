# What is trained on: the answers of conversations and completions, the masked part of tokens.
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M
u='{"role": "user", "content": "hi"}'
a='{"role": "assistant", "content": "yes"}'
train() { sft-train -q --model M --template chatml --lr 1e-2 "$@"; }
{
    echo "{\"id\": 1, \"messages\": [$u, $a, $u, $a], \"extra\": {\"deep\": [1]}}"
    echo '{"id": 2, "prompt": "ab", "completion": "cd"}'
    echo '{"id": 3, "tokens": [1, 2, 3, 4], "loss_mask": [0, 0, 1, 1]}'
} >in.jsonl
tok-encode -q --tokenizer M --template chatml <in.jsonl >in.shard
train --out A --epochs 2 --batch-size 3 in.jsonl >a.metrics
jq -c '[.step, .num_tokens]' a.metrics
jq -s '.[1].loss < .[0].loss' a.metrics
same() { cmp $1/model.safetensors $2/model.safetensors && echo same; }
train --out B --epochs 2 --batch-size 3 in.shard >/dev/null && same A B
train --out C --epochs 2 --batch-size 3 --threads 2 <in.jsonl >/dev/null && same A C
train --out D --epochs 2 --batch-size 3 --micro-tokens 16 --threads 1 in.jsonl >/dev/null && ls D | head -n 3
train --out E --epochs 4 --batch-size 1 --seed 1 in.jsonl >/dev/null
train --out F --epochs 4 --batch-size 1 --seed 2 in.jsonl >/dev/null
cmp -s E/model.safetensors F/model.safetensors || echo "another seed, another order"
echo "nothing to learn from, more steps than the epochs have:"
echo '{"tokens": [1, 2, 3], "loss_mask": [0, 0, 0]}' | train --out G 2>&1
train --out G --steps 5 in.jsonl 2>&1 >/dev/null
