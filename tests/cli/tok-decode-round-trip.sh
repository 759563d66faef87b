# Text back from ids, in shards and in records, which keep their other fields.
. "$TESTS/tiny-model.sh"
mkdir T && tiny_tokenizer T
printf '{"id": "%s", "text": "%s"}\n' a 'plain' b 'Zürich, 東京 😀' c '<|im_end|> is text here' >in.jsonl
tok-encode -q --tokenizer T in.jsonl >in.shard
tok-decode -q --tokenizer T in.shard
tok-decode -q --tokenizer T --skip-special <in.shard | jq -c '[.id, .text]' | tee back
jq -c '[.id, .text]' in.jsonl | cmp - back && echo "all of it came back"
echo '{"x": {"y": 0.1}, "tokens": [97, 98, 257], "z": null}' | tok-decode -q --tokenizer T
echo '{"token_ids": [195], "text": "is replaced"}' | tok-decode -q --tokenizer T/tokenizer.json
echo "bad ones are set aside:"
printf '{"tokens": [1]}\n{"tokens": [300]}\n{"tokens": [97]}\n' |
    tok-decode --tokenizer T --skip-bad --rejects r.jsonl 2>&1
jq -c '[.file, .line, .error]' r.jsonl
echo "an id that the tokenizer lacks, in a shard:"
printf '{"tokens": [97]}\n{"tokens": [300]}\n' | shard-pack -q >big.shard
tok-decode -q --tokenizer T big.shard 2>&1
