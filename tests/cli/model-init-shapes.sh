# A checkpoint from a config: the vocabulary is the tokenizer's, the seed decides the weights.
. "$TESTS/tiny-model.sh"
mkdir T && tiny_tokenizer T
cat >c.json <<'J'
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 16, "intermediate_size": 32,
 "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 0,
 "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
init() { model-init -q --config c.json --tokenizer T "$@"; }
init --seed 1 --out A
ls A
jq -c '[.vocab_size, .eos_token_id, .torch_dtype]' A/config.json
cmp A/tokenizer.json T/tokenizer.json && echo "the tokenizer came along"
init --seed 1 --threads 2 --out B && cmp A/model.safetensors B/model.safetensors && echo "same seed, same weights"
init --seed 2 --out C && cmp -s A/model.safetensors C/model.safetensors || echo "another seed, other weights"
echo "nothing is overwritten, nothing half is left:"
init --out A 2>&1
jq '.vocab_size = 100' c.json >small.json
model-init -q --config small.json --tokenizer T --out D 2>&1
jq 'del(.hidden_size)' c.json >none.json
model-init -q --config none.json --tokenizer T --out D 2>&1
model-init -q --config c.json --out D 2>&1
jq '.hidden_act = "gelu"' c.json >gelu.json
model-init -q --config gelu.json --tokenizer T --out D 2>&1
ls
