# A small model to generate from, for tests: tiny_model DIR [SEED], and tiny_tokenizer DIR, which
# gives it a tokenizer of bytes (ids 0 to 255 are the bytes), <|im_start|> 256, <|im_end|> 257,
# <|endoftext|> 258 and a chat template.  To be read with ".".

tiny_model() {
    cat >"$1.config.json" <<'EOF'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
 "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
 "head_dim": 8, "vocab_size": 264, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false, "initializer_range": 0.2,
 "bos_token_id": 258, "eos_token_id": 258, "torch_dtype": "float32"}
EOF
    model-init -q --config "$1.config.json" --out "$1" --seed "${2:-1}"
}

tiny_tokenizer() {
    # GPT-2's way to write bytes as characters: printable ones stand for themselves, the others
    # follow from U+0100 on.
    jq -n '([range(33; 127), range(161; 173), range(174; 256)]) as $same
        | ([range(0; 256)] - $same) as $other
        | def char: . as $b | [if $same | index([$b]) then $b else 256 + ($other | index([$b])) end] | implode;
        def special($id; $text): {id: $id, content: $text, single_word: false, lstrip: false,
            rstrip: false, normalized: false, special: true};
        {version: "1.0", truncation: null, padding: null,
         added_tokens: [special(256; "<|im_start|>"), special(257; "<|im_end|>"), special(258; "<|endoftext|>")],
         normalizer: null, post_processor: null,
         pre_tokenizer: {type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true},
         decoder: {type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true},
         model: {type: "BPE", vocab: ([range(0; 256) | {key: char, value: .}] | from_entries), merges: []}}' \
        >"$1/tokenizer.json"
    echo '{"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}' >"$1/tokenizer_config.json"
}
