#!/usr/bin/env python3
"""Makes tests/golden/model/NAME/: tiny random models of Hugging Face transformers with what torch
and transformers make of them:
  logits, logprobs, loss, grad.*           a forward and a backward of two sequences, in float32
  prompt, greedy                           generate() without sampling, with its cache, in float32
  bf16.logits, bf16.logprobs               the same forward in bfloat16
  train.loss, train.norm, moved.*, after.* a few clipped AdamW steps of torch.optim, in float32

Needs torch and transformers 5.13 or later (5.0 to 5.12 applied YaRN to Olmo 3's sliding layers).
Run from the repository root: python3 tests/golden/make_model_golden.py
"""
import copy
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
# Qwen's vocabularies are padded: ids from 50 on never occur, and count in every softmax.
USED_IDS = {"qwen2": 50, "qwen3": 50}
FULL = ["model.layers.0.post_attention_layernorm.weight", "model.layers.0.self_attn.q_proj.weight"]
# What is left out of config.json, so that the reader's own default is used.
ABSENT = {"olmo3-default": ["layer_types"], "llama-yarn": ["rope_parameters"]}
# The keys of transformers 4, in place of rope_parameters.
OLD_KEYS = {"llama-yarn": {"rope_theta": 500.0, "rope_scaling": {
    "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "mscale": 1.2,
    "mscale_all_dim": 0.7}}}
ADAMW = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
WEIGHT_DECAY, MAX_GRAD_NORM, STEPS = 0.1, 1.0, 5
PROMPT, NEW_TOKENS = 6, 32

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
    "qwen3-window": ("Qwen3Config", dict(rope_theta=1000.0, head_dim=8, attention_bias=True,
                                         use_sliding_window=True, sliding_window=6,
                                         max_window_layers=1, num_key_value_heads=1,
                                         tie_word_embeddings=True)),
    "olmo2-yarn": ("Olmo2Config", dict(rope_parameters=dict(YARN, rope_theta=500.0, attention_factor=1.3,
                                                            truncate=False), attention_bias=True,
                                       tie_word_embeddings=True)),
    "olmo3-default": ("Olmo3Config", dict(rope_parameters=dict(
        full_attention=dict(rope_type="default", rope_theta=500.0),
        sliding_attention=dict(rope_type="default", rope_theta=500.0)), sliding_window=5,
        attention_bias=True, num_hidden_layers=4, rms_norm_eps=1e-3, tie_word_embeddings=True)),
    "llama-yarn": ("LlamaConfig", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=500.0, factor=4.0, original_max_position_embeddings=16, mscale=1.2,
        mscale_all_dim=0.7), head_dim=12, num_key_value_heads=4, tie_word_embeddings=False)),
}


def randomise(model, dtype):
    """Initial weights would leave biases zero and norms one: a loader that mixes them up would pass.
    Values are rounded to the file's dtype, the computation is float32."""
    for name, p in model.named_parameters():
        torch.nn.init.normal_(p, 0.0, 0.15 if p.dim() == 2 else 0.2)
        if "norm" in name:
            p.data += 1
        p.data = p.data.to(dtype).float()


def config_json(config, name):
    """What save_pretrained writes, with null entries left out."""
    c = {k: v for k, v in config.to_dict().items() if v is not None}
    c["architectures"] = [type(config).__name__.replace("Config", "ForCausalLM")]
    for key in ("transformers_version", "_name_or_path", "id2label", "label2id", "problem_type",
                "return_dict", "output_attentions", "output_hidden_states", "chunk_size_feed_forward",
                "is_encoder_decoder"):
        c.pop(key, None)
    for key in ABSENT.get(name, []):
        del c[key]
    c.update(OLD_KEYS.get(name, {}))
    return c


def logprobs_of(model, tokens):
    logits = model(tokens[:, :-1]).logits.float()
    return logits, torch.log_softmax(logits, -1).gather(-1, tokens[:, 1:, None])[..., 0]


def forward_backward(model, tokens):
    logits, logprobs = logprobs_of(model, tokens)
    loss = -logprobs.mean()
    loss.backward()
    params = dict(model.named_parameters())
    out = {"grad." + n: p.grad.clone() for n, p in params.items()}
    out.update(logits=logits[:, -4:], logprobs=logprobs, loss=loss)
    return out


def greedy(model, prompt):
    """A continuation that rounding cannot change: each token leads by a clear margin."""
    model.generation_config.eos_token_id = None
    ids = model.generate(prompt, do_sample=False, max_new_tokens=NEW_TOKENS, use_cache=True)
    best = model(ids).logits[0, PROMPT - 1:-1].topk(2).values
    margin = (best[:, 0] - best[:, 1]).min().item()
    return {"prompt": prompt[0].to(torch.int32), "greedy": ids[0, PROMPT:].to(torch.int32)}, margin


def clear_greedy(model, tokens):
    for first in range(tokens.shape[1] - PROMPT):
        out, margin = greedy(model, tokens[:1, first:first + PROMPT])
        if margin > 1e-3:
            return out
    sys.exit("no prompt has a greedy continuation with clear margins")


def half_precision(model, tokens):
    with torch.no_grad():
        logits, logprobs = logprobs_of(copy.deepcopy(model).to(torch.bfloat16), tokens)
    return {"bf16.logits": logits[:, -4:], "bf16.logprobs": logprobs}


def decays(name, p):
    return p.dim() == 2 and "embed" not in name


def train(model, tokens):
    """Changes the model. Matrices decay, embeddings and vectors do not; gradients are clipped."""
    params = dict(model.named_parameters())
    start = {n: p.detach().clone() for n, p in params.items()}
    optimizer = torch.optim.AdamW([
        dict(params=[p for n, p in params.items() if decays(n, p)], weight_decay=WEIGHT_DECAY),
        dict(params=[p for n, p in params.items() if not decays(n, p)], weight_decay=0.0)], **ADAMW)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = -logprobs_of(model, tokens)[1].mean()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(params.values(), MAX_GRAD_NORM))
        losses.append(loss)
        optimizer.step()
    losses.append(-logprobs_of(model, tokens)[1].mean())
    out = {"train.loss": torch.stack(losses), "train.norm": torch.stack(norms)}
    out.update({"moved." + n: (p - start[n]).norm() for n, p in params.items()})
    out.update({"after." + n: params[n].clone() for n in FULL})
    return out


def save(folder, name, tensors):
    tensors = {k: t.detach().contiguous() for k, t in tensors.items()}
    save_file(tensors, os.path.join(folder, name), {
        "format": "pt", "torch": torch.__version__, "transformers": transformers.__version__})


def make(name, cls, settings):
    torch.manual_seed(sum(map(ord, name)))
    config = getattr(transformers, cls)(**dict(BASE, **settings))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    file_dtype = torch.float16 if len(name) % 2 else torch.bfloat16
    randomise(model, file_dtype)
    model.eval()
    tokens = torch.randint(0, USED_IDS.get(name, 64), (2, 25))
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    weights = {n: p.to(file_dtype) for n, p in model.named_parameters()}
    save(folder, "model.safetensors", weights)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config_json(config, name), f, indent=1, sort_keys=True)
        f.write("\n")
    out = {"tokens": tokens.to(torch.int32)}
    out.update(forward_backward(model, tokens))
    out.update(clear_greedy(model, tokens))
    out.update(half_precision(model, tokens))
    out.update(train(model, tokens))
    save(folder, "expected.safetensors", out)
    for f in os.listdir(folder):
        os.chmod(os.path.join(folder, f), 0o644)
    print(name, "loss", out["loss"].item(), sum(p.numel() for p in weights.values()), "parameters")


if __name__ == "__main__":
    print("torch", torch.__version__, "transformers", transformers.__version__)
    for name, (cls, settings) in MODELS.items():
        make(name, cls, settings)
