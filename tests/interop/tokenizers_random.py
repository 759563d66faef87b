#!/usr/bin/env python3
"""Random Unicode strings through our tokenizer and the tokenizers library: the ids must be the same.

  PYTHON tests/interop/tokenizers_random.py build/obj/bench/bench_tokenizer COUNT TOKENIZER...

TOKENIZER: a folder with tokenizer.json, or tokenizer.json.zst.  Needs tokenizers, numpy and zstd.
A string is a chain of pieces: code points of all planes, of one script, of the kinds that tokenizers treat
alone (combining marks, Hangul jamo, spaces, digits of every script, emoji sequences), pieces of the
vocabulary cut at any byte that leaves UTF-8, contractions, runs, and added tokens, which are recognised.
"""
import os
import random
import struct
import subprocess
import sys

import numpy as np
from tokenizers import Tokenizer

BATCH = 50_000
SPACES = [9, 10, 11, 12, 13, 32, 0x85, 0xa0, 0x1680, 0x180e, *range(0x2000, 0x200e), 0x2028, 0x2029,
          0x202f, 0x205f, 0x2060, 0x3000, 0xfeff]
RANGES = [(0x20, 0x7e)] * 6 + [(0xa0, 0x24f)] * 2 + [
    (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0xdff), (0xe00, 0xfff), (0x1100, 0x11ff),
    (0x1e00, 0x1fff), (0x2000, 0x2bff), (0x3040, 0x30ff), (0x3400, 0x9fff), (0xac00, 0xd7a3),
    (0xf900, 0xfaff), (0xfb00, 0xffef), (0x1d400, 0x1d7ff), (0x1f000, 0x1faff), (0x2f800, 0x2fa1f)]
DIGITS = [0x30, 0x660, 0x6f0, 0x966, 0xbe6, 0xe50, 0xff10, 0x1d7ce]
FIXED = ["'s", "'T", "'re", "'VE", "'\u017fs", "'LL", "'d", "\u2019s", "e\u0301", "\u1100\u1161\u11a8",
         "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1e9\U0001f1ea",
         "\u0344", "\u0f73\u0f72", "\u212b", "\u2126", "\ufb01", "\u00bd", "\u216b", "\u00b2", "\u0000", "\r\n",
         "\n\n", "\t", "  ", "   \n", "\u3000", "a" * 70, "1" * 40, " " * 50, "-" * 60, "\u200d", "\ufeff"]


def valid(points):
    """Code points without surrogates, as text."""
    points = points[(points < 0xd800) | (points > 0xdfff)]
    return points.astype("<u4").tobytes().decode("utf-32-le")


class Maker:
    def __init__(self, tokenizer, seed):
        self.rng, self.py = np.random.default_rng(seed), random.Random(seed)
        self.added = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
        ids = self.rng.integers(0, tokenizer.get_vocab_size(), 20_000)
        self.words = [tokenizer.decode([int(i)], skip_special_tokens=False) for i in ids]

    def piece(self):
        kind = self.py.random()
        if kind < 0.30:
            low, high = self.py.choice(RANGES)
            return valid(self.rng.integers(low, high + 1, self.py.randint(1, 8)))
        if kind < 0.40:
            return valid(self.rng.integers(0, 0x110000, self.py.randint(1, 6)))
        if kind < 0.65:
            return self.py.choice(self.words)
        if kind < 0.75:
            return "".join(map(chr, self.py.choices(SPACES, k=self.py.randint(1, 4))))
        if kind < 0.82:
            first = self.py.choice(DIGITS)
            return "".join(chr(first + self.py.randrange(10)) for _ in range(self.py.randint(1, 7)))
        if kind < 0.94:
            return self.py.choice(FIXED)
        token = self.py.choice(self.added) if self.added else "<|"
        return token if self.py.random() < 0.7 else token[:self.py.randint(1, len(token))]

    def string(self):
        return "".join(self.piece() for _ in range(self.py.randint(1, 8)))


def ours(program, path, texts):
    raw = [t.encode() for t in texts]
    data = struct.pack("<I", len(raw)) + b"".join(struct.pack("<I", len(r)) + r for r in raw)
    out = np.frombuffer(subprocess.run([program, path, "ids", "2"], input=data, check=True,
                                       stdout=subprocess.PIPE).stdout, "<i4")
    at = 0
    for _ in raw:
        n = int(out[at])
        yield out[at + 1:at + 1 + n].tolist() if n >= 0 else None
        at += 1 + max(n, 0)


def read(path):
    file = os.path.join(path, "tokenizer.json")
    if os.path.exists(file):
        return Tokenizer.from_file(file)
    text = subprocess.run(["zstd", "-dc", file + ".zst"], check=True, stdout=subprocess.PIPE).stdout
    return Tokenizer.from_str(text.decode())


def compare(program, path, count):
    tokenizer, name = read(path), os.path.basename(os.path.normpath(path))
    maker = Maker(tokenizer, sum(map(ord, name)))
    different = done = n_tokens = n_bytes = 0
    while done < count:
        texts = [maker.string() for _ in range(min(BATCH, count - done))]
        theirs = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        for text, ids, got in zip(texts, theirs, ours(program, path, texts)):
            n_tokens += len(ids.ids)
            n_bytes += len(text.encode())
            if ids.ids != got:
                different += 1
                if different <= 5:
                    print(f"{name}: {text!r}\n  {ids.ids}\n  {got}", file=sys.stderr)
        done += len(texts)
    print(f"{name}: {done} strings, {n_bytes} bytes, {n_tokens} tokens, {different} differ", flush=True)
    return different


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    import tokenizers
    print("tokenizers", tokenizers.__version__)
    sys.exit(any([compare(sys.argv[1], path, int(sys.argv[2])) for path in sys.argv[3:]]))
