#!/usr/bin/env python3
"""Makes tests/golden/model/NAME/: tiny random models of Hugging Face transformers with the logits,
log-probabilities and gradients that transformers computes for them, in float32.

Needs torch and transformers 5.13 or later (5.0 to 5.12 applied YaRN to Olmo 3's sliding layers).
Run from the repository root: python3 tests/golden/make_model_golden.py
"""
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/model"
YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 16,
        "beta_fast": 32.0, "beta_slow": 1.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
BASE = dict(vocab_size=64, hidden_size=32, intermediate_size=20, num_attention_heads=4,
            num_key_value_heads=2, num_hidden_layers=2, max_position_embeddings=128,
            pad_token_id=None, bos_token_id=None, eos_token_id=[1, 2])

# name: (config class, settings)
MODELS = {
    "llama": ("LlamaConfig", dict(rope_parameters=dict(LLAMA3, rope_theta=10000.0), attention_bias=True,
                                  mlp_bias=True, tie_word_embeddings=False)),
    "llama-linear": ("LlamaConfig", dict(rope_parameters=dict(rope_type="linear", factor=2.0,
                                                             rope_theta=10000.0),
                                         num_key_value_heads=1, tie_word_embeddings=True)),
    "qwen2": ("Qwen2Config", dict(rope_theta=1000.0, use_sliding_window=True, sliding_window=8,
                                  max_window_layers=1, num_hidden_layers=3,
                                  tie_word_embeddings=True)),
    "qwen3": ("Qwen3Config", dict(rope_parameters=dict(YARN, rope_theta=1000.0), head_dim=16,
                                  tie_word_embeddings=False)),
    "olmo2": ("Olmo2Config", dict(rope_theta=500.0, num_key_value_heads=4,
                                  tie_word_embeddings=False)),
    "olmo3": ("Olmo3Config", dict(rope_parameters=dict(
        full_attention=dict(YARN, rope_theta=500.0),
        sliding_attention=dict(rope_type="default", rope_theta=500.0)), sliding_window=8,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        num_hidden_layers=3, tie_word_embeddings=False)),
}


def randomise(model, dtype):
    """Initial weights would leave biases zero and norms one: a loader that mixes them up would pass.
    Values are rounded to the file's dtype, the computation is float32."""
    for name, p in model.named_parameters():
        torch.nn.init.normal_(p, 0.0, 0.15 if p.dim() == 2 else 0.2)
        if "norm" in name:
            p.data += 1
        p.data = p.data.to(dtype).float()


def config_json(config, settings):
    """What save_pretrained writes, with null entries left out."""
    c = {k: v for k, v in config.to_dict().items() if v is not None}
    c["architectures"] = [type(config).__name__.replace("Config", "ForCausalLM")]
    for key in ("transformers_version", "_name_or_path", "id2label", "label2id", "problem_type",
                "return_dict", "output_attentions", "output_hidden_states", "chunk_size_feed_forward",
                "is_encoder_decoder"):
        c.pop(key, None)
    return c


def make(name, cls, settings):
    torch.manual_seed(sum(map(ord, name)))
    config = getattr(transformers, cls)(**dict(BASE, **settings))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    file_dtype = torch.float16 if len(name) % 2 else torch.bfloat16
    randomise(model, file_dtype)
    model.eval()
    tokens = torch.randint(0, 64, (2, 25))
    logits = model(tokens[:, :-1]).logits
    logprobs = torch.log_softmax(logits, -1).gather(-1, tokens[:, 1:, None])[..., 0]
    loss = -logprobs.mean()
    loss.backward()
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    weights = {n: p.data.to(file_dtype) for n, p in model.named_parameters()}
    save_file(weights, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    grads = {"grad." + n: p.grad.norm() for n, p in model.named_parameters()}
    # The norm of every gradient, and two whole gradients from the bottom of the network.
    n = "model.layers.0.post_attention_layernorm.weight"
    grads["full." + n] = dict(model.named_parameters())[n].grad
    q = "model.layers.0.self_attn.q_proj.weight"
    grads["full." + q] = dict(model.named_parameters())[q].grad
    out = {k: t.contiguous() for k, t in grads.items()}
    out.update(tokens=tokens.to(torch.int32), logits=logits.detach()[:, -4:].contiguous(),
               logprobs=logprobs.detach().contiguous(), loss=loss.detach())
    save_file(out, os.path.join(folder, "expected.safetensors"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config_json(config, settings), f, indent=1, sort_keys=True)
        f.write("\n")
    for f in os.listdir(folder):
        os.chmod(os.path.join(folder, f), 0o644)
    print(name, "loss", loss.item(), sum(p.numel() for p in model.parameters()), "parameters")


if __name__ == "__main__":
    print("torch", torch.__version__, "transformers", transformers.__version__)
    for name, (cls, settings) in MODELS.items():
        make(name, cls, settings)
