# A plan as JSON lines, table and picture: variants side by side, memory and operations in parts.
export THINKPIPE_CPU=base
cat >c.json <<'J'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 256,
 "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": true,
 "torch_dtype": "float32"}
J
plan() { cost-plan -q --threads 1 "$@"; }
echo "fewer key heads, less memory; a window, less attention; the config is not repeated:"
plan --stage rlvr --context 1024 --context 2048 --variant config --variant gqa:2 --variant mqa+swa:64 c.json |
    jq -c '[.program, .variant, .context, .n_kv_heads, .kv_bytes_per_token, .memory.kv_cache, .flops_per_token.attention]'
plan --context 512 c.json | jq -r .variant
echo "the parts add up:"
plan --stage generate --context 512 c.json |
    jq -c '.memory | [.peak == .weights + .packed + .activations + .logits + .kv_cache + .tables + .scratch]' | uniq
plan --stage rlvr --context 512 --variant config c.json | jq -s -c '[.[].memory.peak] | [.[0] + .[1] == .[2]]'
plan --context 512 --variant config c.json | jq -c .flops_per_token
echo "layers that run again: less memory, more operations:"
for flag in "" --recompute; do
    plan --context 512 --variant config $flag c.json |
        jq -c '[.memory.activations, .memory.gradients, .flops_per_token.products, .flops_per_token.attention, .flops_per_token.head]'
done
echo "a folder, a GPU, a change, a ladder:"
mkdir D && cp c.json D/config.json
plan --context 512 --variant config --device gpu --precision bf16 D | jq -c '[.model, .precision, .memory.packed, .memory.weights, .memory.optimizer]'
plan --context 512 --variant config --n-layers 8 --n-kv-heads 1 D | jq -c '[.parameters, .n_kv_heads]'
plan --context 512 --variant config --like qwen3 --size 1.5B | jq -c '[.model, .parameters]'
echo "without groups a small model samples in the memory of a far larger one, GiB:"
for size in 7B 32B; do
    plan --stage generate --device gpu --precision bf16 --context 32768 --like olmo3 --size $size |
        jq -c '[.model, .variant, .n_kv_heads, (.memory.peak / 1073741824 | round)]'
done
plan --stage dpo --device gpu --context 512 --context 4096 --format table c.json
plan --stage sft --context 512 --context 4096 --format svg c.json >p.svg
head -n 1 p.svg
grep -c 'class="l"' p.svg
sed -n 's/.*<text[^>]*>\([^<]*\)<.*/\1/p' p.svg | tail -n 4
