#!/usr/bin/env python3
"""What model-convert does, by the gguf package: a Llama folder to a GGUF file of weights.

    gguf_convert.py DIR OUT.gguf f32|f16|bf16|q8_0

Prints the seconds from the first read to the file's end, without the start of Python and without a
tokenizer.  Needs numpy, gguf and safetensors.
"""
import json
import os
import sys
import time

import gguf
import numpy as np
from gguf.quants import quantize

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
GLOBAL = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def tensors(path):
    """safetensors' numpy front end has no bfloat16."""
    data = np.memmap(path, np.uint8, "r")
    n = int.from_bytes(data[:8].tobytes(), "little")
    for name, t in json.loads(data[8:8 + n].tobytes()).items():
        if name != "__metadata__":
            raw = data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
            if t["dtype"] == "BF16":
                x = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                x = raw.view({"F32": np.float32, "F16": np.float16}[t["dtype"]]).astype(np.float32)
            yield name, x.reshape(t["shape"])


def main():
    folder, out, kind = sys.argv[1:]
    c = json.load(open(folder + "/config.json"))
    kind = getattr(gguf.GGMLQuantizationType, kind.upper())
    begin = time.perf_counter()
    w = gguf.GGUFWriter(out, "llama")
    for name, x in tensors(folder + "/model.safetensors"):
        stem, suffix = name.rsplit(".", 1)
        if stem.startswith("model.layers."):
            layer, part = stem[13:].split(".", 1)
            theirs = f"blk.{layer}.{NAMES[part]}.{suffix}"
        else:
            theirs = f"{GLOBAL[stem]}.{suffix}"
        for part, heads in ("q", "num_attention_heads"), ("k", "num_key_value_heads"):
            if stem.endswith(part + "_proj"):
                h = c[heads]
                x = x.reshape(h, 2, x.shape[0] // h // 2, -1).swapaxes(1, 2).reshape(x.shape)
        if x.ndim == 1:
            w.add_tensor(theirs, x)
        else:
            w.add_tensor(theirs, quantize(x, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    fd = os.open(out, os.O_RDONLY)
    os.fsync(fd)
    print(f"{time.perf_counter() - begin:.2f}")


main()
