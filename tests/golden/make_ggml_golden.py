#!/usr/bin/env python3
"""Makes tests/golden/ggml/, from the gguf package, which is not ours:
  formats.safetensors   NAME.blocks   U8 [blocks, bytes], and
                        NAME.values   F32 [blocks, numbers], what the package reads from them,
                        for every number format;
                        Q8_0.source   F32, of which Q8_0.blocks is the package's quantization
  tiny.gguf             a Llama of Q8_0, Q4_0, F16 and F32 tensors with a tokenizer, and
  tiny.safetensors      the same weights as a Hugging Face model has them, F32

Needs numpy, gguf and safetensors.  Run from the repository root:
python3 tests/golden/make_ggml_golden.py
"""
import sys

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/ggml"
TYPE = gguf.GGMLQuantizationType
rng = np.random.default_rng(5)
BLOCKS = 6


def random_blocks(name, scales):
    """Random bits, with sane float16 numbers where the format has its scales."""
    size = gguf.GGML_QUANT_SIZES[TYPE[name]][1]
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in scales:
        x = rng.uniform(-0.01, 0.01, BLOCKS).astype(np.float16)
        x[0] = 3e-6  # subnormal
        blocks[:, at:at + 2] = x.view(np.uint8).reshape(BLOCKS, 2)
    return blocks


def formats():
    out = {}
    for name, scales in [("Q4_0", [0]), ("Q4_1", [0, 2]), ("Q5_0", [0]), ("Q5_1", [0, 2]),
                         ("Q2_K", [80, 82]), ("Q3_K", [108]), ("Q4_K", [0, 2]), ("Q5_K", [0, 2]),
                         ("Q6_K", [208])]:
        blocks = random_blocks(name, scales)
        out[name + ".blocks"] = blocks
        out[name + ".values"] = dequantize(blocks, TYPE[name])
    source = (rng.standard_normal((8, 32)) * 10.0 ** rng.integers(-6, 3, (8, 1))).astype(np.float32)
    source[0] = 0
    source[1] = np.arange(32) - 127.0  # d = 1: halves and whole numbers
    source[2] = (np.arange(32) - 16) / 2
    source[2, 0] = 127
    out["Q8_0.source"] = source
    out["Q8_0.blocks"] = quantize(source, TYPE.Q8_0)
    out["Q8_0.values"] = dequantize(out["Q8_0.blocks"], TYPE.Q8_0)
    save_file(out, OUT + "/formats.safetensors")


LAYERS, DIM, HIDDEN, HEADS, KV, VOCAB = 1, 64, 64, 4, 2, 271
HEAD = DIM // HEADS


def permute(w, heads):
    """llama.cpp's order of the rows of q and k: pairs side by side."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(w.shape)


def byte_alphabet():
    same = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in same]
    return {**{b: chr(b) for b in same}, **{b: chr(256 + i) for i, b in enumerate(other)}}


def tokenizer(w):
    c = byte_alphabet()
    a = [c[b] for b in range(256)]
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), (c[32], "w"), ("o", "r"),
              (c[32] + "w", "or"), ("l", "d")]
    tokens = a + [x + y for x, y in merges] + ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"]
    types = [gguf.TokenType.NORMAL] * (256 + len(merges)) + [gguf.TokenType.CONTROL] * 3 + \
            [gguf.TokenType.USER_DEFINED]
    for i in range(len(tokens), VOCAB):
        tokens.append(f"[PAD{i}]")
        types.append(gguf.TokenType.UNUSED)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges([f"{x} {y}" for x, y in merges])
    w.add_bos_token_id(265)
    w.add_eos_token_id(266)
    w.add_pad_token_id(264)
    w.add_add_bos_token(False)
    w.add_chat_template("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
                        "{% endfor %}")


def tiny():
    w = gguf.GGUFWriter(OUT + "/tiny.gguf", "llama")
    w.add_name("tiny")
    w.add_block_count(LAYERS)
    w.add_context_length(128)
    w.add_embedding_length(DIM)
    w.add_feed_forward_length(HIDDEN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(HEAD)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(VOCAB)
    tokenizer(w)
    out = {}

    def matrix(theirs, ours, rows, cols, kind, heads=0):
        x = (rng.standard_normal((rows, cols)) * 0.1).astype(np.float32)
        q = quantize(permute(x, heads) if heads else x, kind)
        back = dequantize(q, kind).astype(np.float32)
        if heads:  # the inverse
            back = back.reshape(heads, HEAD // 2, 2, -1).swapaxes(1, 2).reshape(back.shape)
        w.add_tensor(theirs + ".weight", q, raw_dtype=kind)
        out[ours + ".weight"] = np.ascontiguousarray(back)

    def vector(theirs, ours):
        x = rng.uniform(0.5, 1.5, DIM).astype(np.float32)
        w.add_tensor(theirs + ".weight", x)
        out[ours + ".weight"] = x

    matrix("token_embd", "model.embed_tokens", VOCAB, DIM, TYPE.Q8_0)
    vector("output_norm", "model.norm")
    for i in range(LAYERS):
        b, m = f"blk.{i}.", f"model.layers.{i}."
        vector(b + "attn_norm", m + "input_layernorm")
        matrix(b + "attn_q", m + "self_attn.q_proj", DIM, DIM, TYPE.Q8_0, HEADS)
        matrix(b + "attn_k", m + "self_attn.k_proj", KV * HEAD, DIM, TYPE.F16, KV)
        matrix(b + "attn_v", m + "self_attn.v_proj", KV * HEAD, DIM, TYPE.F32)
        matrix(b + "attn_output", m + "self_attn.o_proj", DIM, DIM, TYPE.Q4_0)
        vector(b + "ffn_norm", m + "post_attention_layernorm")
        matrix(b + "ffn_gate", m + "mlp.gate_proj", HIDDEN, DIM, TYPE.Q4_1)
        matrix(b + "ffn_up", m + "mlp.up_proj", HIDDEN, DIM, TYPE.Q5_0)
        matrix(b + "ffn_down", m + "mlp.down_proj", DIM, HIDDEN, TYPE.Q5_1)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    save_file(out, OUT + "/tiny.safetensors", metadata={"format": "pt"})


formats()
tiny()
