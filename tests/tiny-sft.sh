# Sourced by pipeline tests: makes tok/ and sft/, a tiny model that has seen a few
# worked problems, and prompts.jsonl.
task-gen -q --task list --difficulty 1 --n 300 --seed 1 --trace >worked.jsonl
task-gen -q --task list --difficulty 1 --n 100 --seed 2 >prompts.jsonl
tok-train -q --vocab-size 280 --template chatml --out tok <worked.jsonl
cat >config.json <<'J'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
 "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 0,
 "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
model-init -q --config config.json --tokenizer tok --out init
sft-train -q --model init --out sft --epochs 4 --batch-tokens 2048 --lr 3e-3 worked.jsonl >/dev/null
