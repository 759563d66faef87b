#!/usr/bin/env python3
"""The work of bench_model in llama.cpp, through llama-cpp-python's low-level interface.

    llama_model.py prefill|decode MODEL.gguf [--batch B] [--threads T] [--context N]

prefill  sequences of N tokens with the logits of every position (no log-probabilities made of them)
decode   after a prompt of 32 tokens, 63 more, each step one llama_decode for all sequences; the next
         tokens are given, not sampled
Prints one line, as bench_model does.
"""
import argparse
import ctypes
import resource
import statistics
import time

import llama_cpp as ll

PROMPT, NEW = 32, 64


def batch_of(entries):
    b = ll.llama_batch_init(len(entries), 0, 1)
    for i, (token, pos, seq, logits) in enumerate(entries):
        b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = token, pos, 1, logits
        b.seq_id[i][0] = seq
    b.n_tokens = len(entries)
    return b


def main():
    p = argparse.ArgumentParser()
    p.add_argument("work")
    p.add_argument("model")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--context", type=int, default=512)
    a = p.parse_args()
    quiet = ll.llama_log_callback(lambda level, text, data: None)
    ll.llama_log_set(quiet, ctypes.c_void_p(0))
    ll.llama_backend_init()
    model = ll.llama_load_model_from_file(a.model.encode(), ll.llama_model_default_params())
    c = ll.llama_context_default_params()
    length = PROMPT + NEW if a.work == "decode" else a.context
    c.n_ctx, c.n_seq_max = length * a.batch, a.batch
    c.n_batch, c.n_ubatch = max(512, PROMPT * a.batch), 512
    c.n_threads = c.n_threads_batch = a.threads
    ctx = ll.llama_new_context_with_model(model, c)
    vocab = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))

    def decode_batch(entries):
        b = batch_of(entries)
        if ll.llama_decode(ctx, b) != 0:
            raise SystemExit("llama_decode failed")
        ll.llama_batch_free(b)

    def clear():
        ll.llama_memory_clear(ll.llama_get_memory(ctx), True)

    def token(i):
        return (i * 2654435761 >> 7) % vocab

    def decode():
        clear()
        decode_batch([(token(s * PROMPT + i), i, s, i == PROMPT - 1)
                      for s in range(a.batch) for i in range(PROMPT)])
        start = time.perf_counter()
        for i in range(NEW - 1):
            decode_batch([(token(s + i), PROMPT + i, s, True) for s in range(a.batch)])
        return a.batch * (NEW - 1) / (time.perf_counter() - start)

    def prefill():
        clear()
        start = time.perf_counter()
        for s in range(a.batch):
            for first in range(0, a.context, 512):
                decode_batch([(token(i), i, s, True)
                              for i in range(first, min(first + 512, a.context))])
        return a.batch * a.context / (time.perf_counter() - start)

    run = {"decode": decode, "prefill": prefill}[a.work]
    run()
    rates = [run() for _ in range(3)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"llama.cpp {a.work} {a.model} batch {a.batch}: {statistics.median(rates):.1f} tokens/s, "
          f"peak {peak:.0f} MiB")


main()
