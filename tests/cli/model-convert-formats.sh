# Between folders and GGUF files: the same bits back, types, files of weights, lineage, any --threads.
. "$TESTS/tiny-model.sh"
tiny_model m
tiny_tokenizer m
echo "--- there and back"
model-convert -q --out m.gguf m
model-convert -q --out back m.gguf
cmp m/model.safetensors back/model.safetensors && echo "weights are the same bytes"
# How it was drawn once is not kept.
jq "del(.initializer_range)" m/config.json >a; jq "del(.initializer_range)" back/config.json >b
cmp a b && echo "config.json is the same"
for d in m back; do
    echo '{"text": "Hello, wörld 123<|im_end|>"}' | tok-encode -q --tokenizer $d | shard-dump -q | jq -c .tokens
done
ls back
echo "--- types"
for t in f32 f16 bf16 q8_0; do
    model-convert -q --dtype $t --out m-$t.gguf m
    wc -c <m-$t.gguf
    model-convert -q --out from-$t m-$t.gguf
    model-info -q from-$t | jq -c '[.dtype, .parameters.total]'
done
echo "--- any number of threads"
model-convert -q --threads 1 --name m-q8_0 --dtype q8_0 --out one.gguf m
model-convert -q --threads 3 --name m-q8_0 --dtype q8_0 --out three.gguf m
# The command line, which names the file, is in it; the tensors are behind that.
for f in one three; do tail -c 20000 $f.gguf >$f.tail; done
cmp one.tail three.tail && echo "the same"
echo "--- files of weights"
model-convert -q --shard-size 30K --out shards m
ls shards
jq -c '[.metadata.total_size, (.weight_map | length)]' shards/model.safetensors.index.json
model-convert -q --out joined shards && cmp m/model.safetensors joined/model.safetensors
model-convert -q --shard-size 30K --out split.gguf m
ls split*
model-convert -q --out unsplit split-00001-of-*.gguf && cmp m/model.safetensors unsplit/model.safetensors
jq -c '[(.parents[] | .path), (.inputs[] | .path)]' unsplit/lineage.json
run-lineage -q --check unsplit | grep -c '\[ok\]'
model-convert -q --shard-size 1G --out whole.gguf m && ls whole*
echo "--- lineage"
jq -c '[.program, .arguments, (.parents[] | [.path, (.lineage | [.program, (.parents[] | .path)])])]' back/lineage.json
echo "--- without a tokenizer"
model-convert -q --no-tokenizer --out ids.gguf m
model-convert -q --out ids ids.gguf
ls ids
jq -c '[.bos_token_id, .eos_token_id]' ids/config.json
