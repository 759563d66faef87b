#!/usr/bin/env python3
"""The work of bench_model in PyTorch: tokens a second of a Llama-like model with random weights.

    torch_model.py train|prefill|decode small|smollm2 fp32|bf16 [--batch B] [--threads T] [--compile]
                   [--device cpu|cuda]

train    forward, cross-entropy, backward and AdamW (fused); bf16 is autocast over fp32 masters
prefill  forward with the log-probability of every token
decode   sampling at temperature 1 with a preallocated cache, after a prompt of 32 tokens
Prints one line, as bench_model does.
"""
import argparse
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {  # layers, width, heads, key heads, hidden, vocabulary, context
    "small": (4, 256, 8, 4, 704, 4096, 512),
    "smollm2": (30, 576, 9, 3, 1536, 49152, 1024),
    "1b": (16, 2048, 16, 16, 8192, 50304, 4096),
    "7b": (32, 4096, 32, 32, 11008, 50304, 4096),
}
PROMPT, NEW = 32, 64


class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), 1e-5)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Layer(nn.Module):
    def __init__(self, dim, heads, kv_heads, hidden):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, dim // heads
        self.norm1, self.norm2 = Norm(dim), Norm(dim)
        self.qkv = nn.Linear(dim, (heads + 2 * kv_heads) * self.head_dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.gate_up = nn.Linear(dim, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x, cos, sin, cache, pos):
        n_seqs, length, dim = x.shape
        kv = self.kv_heads * self.head_dim
        q, k, v = self.qkv(self.norm1(x)).split((dim, kv, kv), -1)
        q = rotate(q.view(n_seqs, length, -1, self.head_dim).transpose(1, 2), cos, sin)
        k = rotate(k.view(n_seqs, length, -1, self.head_dim).transpose(1, 2), cos, sin)
        v = v.view(n_seqs, length, -1, self.head_dim).transpose(1, 2)
        if cache is not None:
            cache[0][:, :, pos:pos + length] = k
            cache[1][:, :, pos:pos + length] = v
            k, v = cache[0][:, :, :pos + length], cache[1][:, :, :pos + length]
        a = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1, enable_gqa=True)
        x = x + self.out(a.transpose(1, 2).reshape(n_seqs, length, dim))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, n_layers, dim, heads, kv_heads, hidden, vocab, context):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(dim, heads, kv_heads, hidden) for _ in range(n_layers))
        self.norm = Norm(dim)
        half = dim // heads // 2
        angles = torch.outer(torch.arange(context), 10000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, cache=None, pos=0, last=False):
        x = self.embed(ids)
        cos = self.cos[pos:pos + ids.shape[1]].to(x.dtype)
        sin = self.sin[pos:pos + ids.shape[1]].to(x.dtype)
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, cache[i] if cache else None, pos)
        return F.linear(self.norm(x[:, -1:] if last else x), self.embed.weight)


def timed(step, least=3.0, most=15):
    rates = []
    step()
    start = time.perf_counter()
    while len(rates) < most and (len(rates) < 3 or time.perf_counter() - start < least):
        rates.append(step())
    return statistics.median(rates)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("work")
    p.add_argument("shape")
    p.add_argument("precision")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    torch.set_default_device(a.device)
    shape = SHAPES[a.shape]
    n_layers, dim, heads, kv_heads, _, vocab, context = shape
    model = Model(*shape)
    bf16 = a.precision == "bf16"
    if a.work != "train" and bf16:
        model.bfloat16()
    run = torch.compile(model) if a.compile else model

    def clock():
        if a.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def train():
        ids = torch.randint(vocab, (a.batch, context + 1))
        start = clock()
        with torch.autocast(a.device, dtype=torch.bfloat16, enabled=bf16):
            logits = run(ids[:, :-1])
        loss = F.cross_entropy(logits.float().view(-1, vocab), ids[:, 1:].reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return a.batch * context / (clock() - start)

    @torch.inference_mode()
    def prefill():
        ids = torch.randint(vocab, (a.batch, context + 1))
        start = clock()
        logits = run(ids[:, :-1])
        F.cross_entropy(logits.float().view(-1, vocab), ids[:, 1:].reshape(-1), reduction="none")
        return a.batch * context / (clock() - start)

    @torch.inference_mode()
    def decode():
        size = (a.batch, kv_heads, PROMPT + NEW, dim // heads)
        dtype = model.embed.weight.dtype
        cache = [(torch.zeros(size, dtype=dtype), torch.zeros(size, dtype=dtype))
                 for _ in range(n_layers)]
        token = torch.randint(vocab, (a.batch, PROMPT))
        for i in range(NEW):
            pos = PROMPT + i - 1 if i else 0
            logp = torch.log_softmax(run(token, cache, pos, True)[:, -1].float(), -1)
            token = torch.multinomial(logp.exp(), 1)
            logp.gather(1, token)
            if i == 0:
                start = clock()
        return a.batch * (NEW - 1) / (clock() - start)

    if a.work == "train":
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    rate = timed({"train": train, "prefill": prefill, "decode": decode}[a.work])
    peak = torch.cuda.max_memory_allocated() / 2**20 if a.device == "cuda" else \
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"torch-{torch.__version__}{' compiled' if a.compile else ''} {a.work} {a.shape} "
          f"{a.precision} batch {a.batch}: {rate:.1f} tokens/s, peak {peak:.0f} MiB")


main()
