# What cannot be converted: one line, nothing left behind.
. "$TESTS/tiny-model.sh"
tiny_model m
model-convert -q --out m.gguf m
refuse() { model-convert -q "$@"; echo "exit $?"; }
cp -r m taken
refuse --out taken m.gguf
refuse --out x nowhere
refuse --out x nowhere.gguf
head -c 3000 m.gguf >cut.gguf
refuse --out x cut.gguf
head -c 50000 m.gguf >cut.gguf
refuse --out x cut.gguf
echo "GGUF" >bad.gguf
refuse --out x bad.gguf
sed 's/llama.block_count/llama.block_C0unt/' m.gguf >bad.gguf
refuse --out x bad.gguf
sed 's/blk.1.ffn_up.weight/blk.1.ffn_vp.weight/' m.gguf >bad.gguf
refuse --out x bad.gguf
sed 's/no_vocab/llama\x00\x00\x00/' m.gguf >bad.gguf
refuse --out x bad.gguf
model-convert -q --shard-size 30K --out s.gguf m
refuse --out x s-00002-of-*.gguf
refuse --shard-size 30K --out s.gguf m
cp s-00001-of-*.gguf other.gguf
refuse --out x other.gguf
mv s-00002-of-*.gguf away.gguf
refuse --out x s-00001-of-*.gguf
cp s-00003-of-*.gguf "$(ls s-00003-of-*.gguf | sed s/00003/00002/)"
refuse --out x s-00001-of-*.gguf
tiny_tokenizer m
jq '.pre_tokenizer.add_prefix_space = true' m/tokenizer.json >t && mv t m/tokenizer.json
refuse --out x.gguf m
refuse --no-tokenizer --out /dev/full/x.gguf m
ls -d x* 2>/dev/null || echo "nothing left behind"
