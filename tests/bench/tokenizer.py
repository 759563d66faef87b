#!/usr/bin/env python3
"""Speed of our tokenizer beside the tokenizers library and tiktoken, in turn, on the same texts.

  PYTHON tests/bench/tokenizer.py build/obj/bench/bench_tokenizer DATA/tokenizers DATA/text [rounds [step]]

Encoding alone, of every step-th text (1: all): texts are in memory before, ids stay there.  Ours recognises no
added tokens, as for user
text; the library's is encode_batch_fast; tiktoken's is encode_ordinary_batch with the same vocabulary, its
ranks being the ids where these are in the order of merging (else it is left out).  Medians of the rounds;
the threads are those of each program itself.  BENCH_CLOCK=cpu counts processor time of all threads instead
of time, for a machine that others use: MB a second of one core.  Needs tokenizers, tiktoken and numpy.
"""
import glob
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

CPU = os.environ.get("BENCH_CLOCK") == "cpu"
THREADS = int(os.environ.get("BENCH_THREADS", "0"))
os.environ["RAYON_NUM_THREADS"] = str(THREADS or 1)
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import tiktoken  # noqa: E402  (the number of threads is read when the library is loaded)
import tokenizers  # noqa: E402

GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CL100K = (r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"""
          r"""|\s*[\r\n]+|\s+(?!\S)|\s+""")
PATTERNS = {"gpt2": GPT2, "gpt-neox-olmo": GPT2, "dolma2": CL100K % r"\p{N}{1,3}", "qwen3": CL100K % r"\p{N}"}


def zstd(path):
    return subprocess.run(["zstd", "-dc", path], check=True, stdout=subprocess.PIPE).stdout.decode()


def texts_of(folder):
    return [json.loads(line)["text"] for path in sorted(glob.glob(folder + "/*.jsonl.zst"))
            for line in zstd(path).splitlines()]


def byte_alphabet():
    same = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in same]
    return {**{chr(b): b for b in same}, **{chr(256 + i): b for i, b in enumerate(other)}}


def tiktoken_of(name, doc):
    alphabet = byte_alphabet()
    ranks = {bytes(alphabet[c] for c in piece): i for piece, i in doc["model"]["vocab"].items()
             if all(c in alphabet for c in piece)}
    return tiktoken.Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


class Ours:
    def __init__(self, program, path, texts):
        self.p = subprocess.Popen([program, path, "speed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        raw = [t.encode() for t in texts]
        self.p.stdin.write(struct.pack("<I", len(raw)))
        for r in raw:
            self.p.stdin.write(struct.pack("<I", len(r)) + r)
        self.p.stdin.flush()

    def seconds(self, threads):
        self.p.stdin.write(b"%d\n" % threads)
        self.p.stdin.flush()
        return float(self.p.stdout.readline().split()[CPU])


def timed(work):
    clock = time.process_time if CPU else time.perf_counter
    start = clock()
    work()
    return clock() - start


def measure(program, root, name, texts, rounds, threads):
    """One line of the table: medians of MB/s."""
    n_bytes = sum(len(t.encode()) for t in texts)
    doc = zstd(os.path.join(root, name, "tokenizer.json.zst"))
    library, peers = tokenizers.Tokenizer.from_str(doc), {}
    peers["tokenizers"] = lambda: library.encode_batch_fast(texts, add_special_tokens=False)
    other = tiktoken_of(name, json.loads(doc))
    sample = texts[::200]
    if other.encode_ordinary_batch(sample) == [e.ids for e in library.encode_batch_fast(sample, add_special_tokens=False)]:
        peers["tiktoken"] = lambda: other.encode_ordinary_batch(texts, num_threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "tokenizer.json"), "w") as f:
            f.write(doc)
        ours = Ours(program, folder, texts)
        ours.seconds(threads)
    seconds = {"ours": [], **{p: [] for p in peers}}
    for _ in range(rounds):
        seconds["ours"].append(ours.seconds(threads))
        for p, work in peers.items():
            seconds[p].append(timed(work))
    speed = {p: n_bytes / 1e6 / statistics.median(s) for p, s in seconds.items()}
    cells = [name, str(threads), f"{speed['ours']:.1f}"]
    for p in ("tokenizers", "tiktoken"):
        cells += [f"{speed[p]:.1f}", f"{speed['ours'] / speed[p]:.1f}"] if p in speed else ["other ids", ""]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    program, root, folder = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    texts = texts_of(folder)[::int(sys.argv[5]) if len(sys.argv) > 5 else 1]
    if not THREADS:
        print("tokenizers", tokenizers.__version__, "tiktoken", tiktoken.__version__, len(texts), "texts",
              sum(len(t.encode()) for t in texts), "bytes")
        print("| tokenizer | threads | ours, MB/s | tokenizers | ratio | tiktoken | ratio |\n|---|---|---|---|---|---|---|",
              flush=True)
        for threads in ("1", "2"):
            subprocess.run([sys.executable, *sys.argv], check=True, env=dict(os.environ, BENCH_THREADS=threads))
        return
    for path in sorted(glob.glob(root + "/*/tokenizer.json.zst")):
        measure(program, root, os.path.basename(os.path.dirname(path)), texts, rounds, THREADS)


if __name__ == "__main__":
    main()
