# Texts, conversations and completions; masks; limits; the order of the input for any --threads.
. "$TESTS/tiny-model.sh"
mkdir T && tiny_tokenizer T
encode() { tok-encode -q --tokenizer T --template chatml "$@"; }
u='{"role": "user", "content": "hi"}'
a='{"role": "assistant", "content": "yes"}'
{
    echo '{"id": "t", "text": "ab", "source": "s"}'
    echo "{\"id\": \"m\", \"messages\": [$u, $a]}"
    echo '{"id": "p", "prompt": "ab", "completion": "cd"}'
    echo '{"id": "f", "text": "<|im_end|>"}'
} >in.jsonl
encode --format jsonl in.jsonl
encode --show-mask in.jsonl
echo "no eos, truncated, too long:"
head -n 1 in.jsonl | encode --format jsonl --no-eos
head -n 1 in.jsonl | encode --format jsonl --max-tokens 1 --truncate
head -n 1 in.jsonl | encode --format jsonl --max-tokens 1 2>&1
echo "a shard, any threads, middle of a pipe:"
for i in 1 2 3 4 5 6 7 8 9; do sed "s/\"id\": \"/&$i/" in.jsonl; done >many.jsonl
encode --threads 1 many.jsonl >one.shard
cat many.jsonl | encode --threads 2 | cmp - one.shard && echo same
encode --out two.shard.zst many.jsonl
zstd -qdc two.shard.zst | cmp - one.shard && echo same
shard-dump -q one.shard | jq -r .id | tr '\n' ' '
