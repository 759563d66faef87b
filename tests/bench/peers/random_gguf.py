#!/usr/bin/env python3
"""A Llama-like model with random weights, of a shape of bench_model, as a GGUF file for llama.cpp.

    random_gguf.py small|smollm2 fp32|bf16 OUT.gguf

Needs numpy and the gguf package.
"""
import sys

import gguf
import numpy as np

SHAPES = {
    "small": (4, 256, 8, 4, 704, 4096, 512),
    "smollm2": (30, 576, 9, 3, 1536, 49152, 1024),
}


def to_bf16(x):
    u = x.view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def main():
    layers, dim, heads, kv_heads, hidden, vocab, context = SHAPES[sys.argv[1]]
    bf16 = sys.argv[2] == "bf16"
    rng = np.random.default_rng(0)
    w = gguf.GGUFWriter(sys.argv[3], "llama")
    w.add_block_count(layers)
    w.add_context_length(context)
    w.add_embedding_length(dim)
    w.add_feed_forward_length(hidden)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(dim // heads)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(vocab)
    w.add_tokenizer_model("no_vocab")

    def matrix(name, rows, columns):
        x = rng.standard_normal((rows, columns), dtype=np.float32) * 0.02
        if bf16:
            w.add_tensor(name, to_bf16(x).view(np.uint8),
                         raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            w.add_tensor(name, x)

    def ones(name):
        w.add_tensor(name, np.ones(dim, np.float32))

    matrix("token_embd.weight", vocab, dim)
    ones("output_norm.weight")
    kv = kv_heads * dim // heads
    for i in range(layers):
        b = f"blk.{i}."
        ones(b + "attn_norm.weight")
        matrix(b + "attn_q.weight", dim, dim)
        matrix(b + "attn_k.weight", kv, dim)
        matrix(b + "attn_v.weight", kv, dim)
        matrix(b + "attn_output.weight", dim, dim)
        ones(b + "ffn_norm.weight")
        matrix(b + "ffn_gate.weight", hidden, dim)
        matrix(b + "ffn_up.weight", hidden, dim)
        matrix(b + "ffn_down.weight", dim, hidden)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
