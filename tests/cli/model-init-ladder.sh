# Shapes of a family in several sizes, and changes of single fields.
shape() { model-init -q --print "$@"; }
for family in llama smollm2 qwen3 olmo2 olmo3; do
    for size in 1M 30M 400M 7B; do
        shape --like $family --size $size | jq -r --arg of "$family-$size" '[$of, .hidden_size, .num_hidden_layers,
            .num_attention_heads, .num_key_value_heads, .head_dim, .intermediate_size, .tie_word_embeddings] | map(tostring) | join(" ")'
    done
done
echo "with its embeddings a published model is itself:"
shape --like smollm2 --size 134515008 --with-embeddings | jq -c '[.hidden_size, .num_hidden_layers, .intermediate_size]'
shape --like qwen3 --size 596049920 --with-embeddings | jq -c '[.hidden_size, .num_hidden_layers, .intermediate_size]'
shape --like olmo3 --size 7298011136 --with-embeddings --vocab-size 100278 | jq -c '[.hidden_size, .num_hidden_layers, .intermediate_size]'
echo "changes:"
shape --like olmo3 --size 5M --n-kv-heads 1 --qk-norm head --sliding-window 128 --vocab-size 512 --max-positions 1024 \
    --rope-theta 10000 --tie-embeddings yes --dtype bfloat16 |
    jq -c '[.num_key_value_heads, .thinkpipe.qk_norm, .sliding_window, (.layer_types | map(.[0:1]) | join("")), .vocab_size,
        .max_position_embeddings, .rope_theta, .tie_word_embeddings, .torch_dtype]'
shape --like qwen3 --size 5M --sliding-window 64 >q.json && jq -c '[.use_sliding_window, .sliding_window]' q.json
model-init -q --config q.json --print --sliding-window 0 | jq -c '[.use_sliding_window, (.layer_types | unique)]'
. "$TESTS/tiny-model.sh"
mkdir T && tiny_tokenizer T
model-init --like llama --size 1M --tokenizer T --out M 2>&1 | grep -v in=
model-info -q M | jq -c '[.config.vocab_size, .parameters.total]'
echo "refused:"
shape --like llama --size 1M --sliding-window 64 2>&1
shape --like llama --size 30M --n-layers 100 --hidden-size 2048 2>&1
shape --like llama --size 5Q 2>&1
shape --like qwen3 --size 5M --n-kv-heads 7 2>&1
exit 0
