#!/usr/bin/env python3
"""What llama.cpp makes of a GGUF file, for tests/pipeline/gguf.sh.

    llama_gguf.py MODEL.gguf <lines >lines

A line with prompt_token_ids and token_ids gets llama_greedy, as many tokens of greatest probability
after the prompt, and llama_logprobs, those of token_ids.  A line with text gets llama_tokens, special
tokens in the text recognised and none added.  Everything in float32 where the file has it: the cache
too, no flash attention.
"""
import ctypes
import json
import sys

import llama_cpp
import numpy as np

quiet = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()
mp = llama_cpp.llama_model_default_params()
mp.n_gpu_layers = 0
model = llama_cpp.llama_model_load_from_file(sys.argv[1].encode(), mp)
if not model:
    sys.exit("llama.cpp does not load " + sys.argv[1])
vocab = llama_cpp.llama_model_get_vocab(model)
n_vocab = llama_cpp.llama_vocab_n_tokens(vocab)
cp = llama_cpp.llama_context_default_params()
cp.n_ctx = min(2048, llama_cpp.llama_model_n_ctx_train(model))
cp.n_batch = cp.n_ubatch = 512
cp.n_threads = cp.n_threads_batch = 2
cp.type_k = cp.type_v = llama_cpp.GGML_TYPE_F32
cp.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
cp.swa_full = True
ctx = llama_cpp.llama_init_from_model(model, cp)
memory = llama_cpp.llama_get_memory(ctx)


def logprobs(ids, first):
    """Log-probabilities after ids[first:], rows of the vocabulary; positions before it are in the cache."""
    ids, n = ids[first:], len(ids) - first
    rows = []
    for at in range(0, n, cp.n_batch):
        part = ids[at:at + cp.n_batch]
        batch = llama_cpp.llama_batch_init(len(part), 0, 1)
        batch.n_tokens = len(part)
        for i, token in enumerate(part):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, first + at + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, 1
        if llama_cpp.llama_decode(ctx, batch) != 0:
            sys.exit("llama.cpp does not decode")
        for i in range(len(part)):
            x = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, i), (n_vocab,)).astype(np.float64)
            rows.append(x - x.max() - np.log(np.exp(x - x.max()).sum()))
        llama_cpp.llama_batch_free(batch)
    return rows


def greedy(prompt, n):
    llama_cpp.llama_memory_clear(memory, True)
    ids = list(prompt)
    row = logprobs(ids, 0)[-1]
    while True:
        ids.append(int(row.argmax()))
        if len(ids) == len(prompt) + n:
            return ids[len(prompt):]
        row = logprobs(ids, len(ids) - 1)[0]


def tokens(text):
    raw = text.encode()
    out = (llama_cpp.llama_token * (len(raw) + 8))()
    n = llama_cpp.llama_tokenize(vocab, raw, len(raw), out, len(out), False, True)
    return list(out[:n])


for line in sys.stdin:
    r = json.loads(line)
    if "token_ids" in r:
        prompt, ids = r["prompt_token_ids"], r["token_ids"]
        r["llama_greedy"] = greedy(prompt, len(ids))
        llama_cpp.llama_memory_clear(memory, True)
        rows = logprobs(prompt + ids, 0)[len(prompt) - 1:-1]
        r["llama_logprobs"] = [float(row[i]) for row, i in zip(rows, ids)]
    if "text" in r:
        r["llama_tokens"] = tokens(r["text"])
    print(json.dumps(r))
