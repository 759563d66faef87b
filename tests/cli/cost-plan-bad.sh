# What cannot be planned is said by name.
cat >c.json <<'J'
{"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
 "num_attention_heads": 8, "vocab_size": 256, "max_position_embeddings": 512}
J
try() { cost-plan -q "$@" 2>&1; echo "exit $?"; }
try --variant gqa:3 c.json
try --variant nosuch c.json
try --variant gqa:x c.json
try --context 1 c.json
try --like olmo3 --size 30
try --like nosuch --size 30M
try --n-heads 7 --n-kv-heads 2 c.json
try --sliding-window 64 c.json
jq '.hidden_size = -1' c.json >bad.json
try bad.json
echo '{' >cut.json
try cut.json
try absent
cost-plan -q c.json >/dev/full 2>log; echo "exit $?" && cat log
