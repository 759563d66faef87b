# The most frequent pairs become tokens; any number of threads, and a pipe, give the same files.
for i in 1 2 3; do echo '{"id": 1, "text": "the cat and the hat, the cat", "x": [1]}'; done >docs.jsonl
tok-train -q --vocab-size 269 --special '<x>' --out T docs.jsonl
ls T
jq -r '.model.merges[] | if type == "array" then join(" ") else . end' T/tokenizer.json
jq -c '[.added_tokens[] | [.id, .content, .special]]' T/tokenizer.json
jq -c '[.eos_token, .pad_token, (.chat_template | length > 50)]' T/tokenizer_config.json
jq -c . T/generation_config.json
for threads in 1 2; do
    cat docs.jsonl | tok-train -q --vocab-size 269 --special '<x>' --threads $threads --out U$threads
    diff -r T U$threads && echo same
done
echo "conversations are text, too; a folder is replaced:"
echo '{"messages": [{"role": "user", "content": "aaaa aaaa"}, {"role": "assistant", "content": "aaaa"}]}' |
    tok-train -q --vocab-size 264 --out T
jq -c '.model.merges' T/tokenizer.json
echo "too little text for so many tokens:"
tok-train --vocab-size 400 --out V docs.jsonl
