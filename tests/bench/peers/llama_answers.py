#!/usr/bin/env python3
"""What llama.cpp says and how likely it finds a text, for tests/interop/smollm2.sh.

    llama_answers.py score MODEL.gguf <lines >lines          llama_logprobs, those of token_ids
    llama_answers.py agree MODEL.gguf <lines >lines          llama_agrees: so many of token_ids, from the first
        on, are what it would have said itself (the likeliest); all of them: its greedy answer is this one
    llama_answers.py answer MODEL.gguf N SEQS <lines >lines  llama_ids: at most N greedy tokens after
        prompt_token_ids until one of stop_ids (which is left out), SEQS lines side by side

The cache is float32 and there is no flash attention.
"""
import ctypes
import json
import sys

import llama_cpp
import numpy as np

quiet = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
what, path = sys.argv[1:3]
most, seqs = (int(sys.argv[3]), int(sys.argv[4])) if what == "answer" else (0, 1)
llama_cpp.llama_backend_init()
mp = llama_cpp.llama_model_default_params()
mp.n_gpu_layers = 0
model = llama_cpp.llama_model_load_from_file(path.encode(), mp)
if not model:
    sys.exit("llama.cpp does not load " + path)
n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
cp = llama_cpp.llama_context_default_params()
cp.n_ctx, cp.n_seq_max = 1024 * seqs, seqs
cp.n_batch = cp.n_ubatch = 1024
cp.n_threads = cp.n_threads_batch = 2
cp.type_k = cp.type_v = llama_cpp.GGML_TYPE_F32
cp.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
ctx = llama_cpp.llama_init_from_model(model, cp)
memory = llama_cpp.llama_get_memory(ctx)
batch = llama_cpp.llama_batch_init(1024, 0, 1)


def decode(rows):
    """rows: (token, position, sequence); the logits after each."""
    batch.n_tokens = len(rows)
    for i, (token, position, sequence) in enumerate(rows):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
        batch.seq_id[i][0], batch.logits[i] = sequence, 1
    if llama_cpp.llama_decode(ctx, batch) != 0:
        sys.exit("llama.cpp does not decode")
    return [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, i), (n_vocab,))
            for i in range(len(rows))]


def score(row):
    ids = row["prompt_token_ids"] + row["token_ids"]
    llama_cpp.llama_memory_clear(memory, True)
    out = []
    for i, x in enumerate(decode([(t, p, 0) for p, t in enumerate(ids[:-1])])):
        if i >= len(row["prompt_token_ids"]) - 1:
            x = x.astype(np.float64) - float(x.max())
            out.append(float(x[ids[i + 1]] - np.log(np.exp(x).sum())))
    return dict(row, llama_logprobs=out)


def agree(row):
    prompt, ids = row["prompt_token_ids"], row["token_ids"]
    llama_cpp.llama_memory_clear(memory, True)
    said = [int(x.argmax()) for x in decode([(t, p, 0) for p, t in enumerate((prompt + ids)[:-1])])[len(prompt) - 1:]]
    same = [a == b for a, b in zip(said, ids)] + [False]
    return dict(row, llama_agrees=same.index(False))


def answer(rows):
    """Each row's answer; all of them a token further at a time."""
    llama_cpp.llama_memory_clear(memory, True)
    out, alive = [[] for _ in rows], {}
    for s, row in enumerate(rows):
        prompt = row["prompt_token_ids"]
        alive[s] = int(decode([(t, p, s) for p, t in enumerate(prompt)])[-1].argmax())
    while alive:
        for s, token in list(alive.items()):
            if token in rows[s]["stop_ids"]:
                del alive[s]
                continue
            out[s].append(token)
            if len(out[s]) == most:
                del alive[s]
        if alive:
            logits = decode([(out[s][-1], len(rows[s]["prompt_token_ids"]) + len(out[s]) - 1, s) for s in alive])
            alive = {s: int(x.argmax()) for s, x in zip(list(alive), logits)}
    return [dict(row, llama_ids=ids) for row, ids in zip(rows, out)]


if what != "answer":
    for line in sys.stdin:
        print(json.dumps({"score": score, "agree": agree}[what](json.loads(line))), flush=True)
else:
    lines = [json.loads(line) for line in sys.stdin]
    for at in range(0, len(lines), seqs):
        for row in answer(lines[at:at + seqs]):
            print(json.dumps(row), flush=True)
