#!/usr/bin/env python3
"""What `words:start_verb` and the tagger of the reference checker say of how sentences begin.

    python3 tests/bench/start-verb.py BIN/reward-verify [--limit N] [--list N] FILE...

FILE holds JSON lines with `response`, `completion` or `prompt`.  Every line and sentence in them is a response of its
own, each beginning once.  Needs nltk, and in NLTK_DATA taggers/averaged_perceptron_tagger_eng.  The reference is IFBench's
checker: the first token's tag holds "VB".  Prints how often the two agree and the words they differ on most.
"""
import argparse
import collections
import json
import re
import subprocess
import sys

import nltk

MARKS = re.compile(r"^[\s\-*#>•\d.)(\"'“_\[]+")


def beginnings(files):
    seen = set()
    for path in files:
        for line in open(path, encoding="utf-8"):
            r = json.loads(line)
            text = r.get("response") or r.get("completion") or r.get("prompt") or ""
            for part in re.split(r"\n+|(?<=[.!?])\s+(?=[A-Z])", text):
                words = MARKS.sub("", part).replace("*", "").split()[:12]
                if len(words) < 3 or not words[0][0].isascii() or not words[0][0].isalpha() or tuple(words[:3]) in seen:
                    continue
                seen.add(tuple(words[:3]))
                yield " ".join(words)


def ours(binary, texts):
    lines = "".join(json.dumps({"completion": t, "instruction_id_list": ["words:start_verb"], "kwargs": [{}]}) + "\n"
                    for t in texts)
    done = subprocess.run([binary, "-q", "--verifier", "ifbench"], input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return [json.loads(line)["reward"] == 1 for line in done.stdout.splitlines()]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("binary")
    p.add_argument("files", nargs="+")
    p.add_argument("--limit", type=int, default=100000)
    p.add_argument("--list", type=int, default=20)
    o = p.parse_args()
    texts = list(dict.fromkeys(beginnings(o.files)))[:o.limit]
    mine = ours(o.binary, texts)
    differ = {True: collections.Counter(), False: collections.Counter()}
    n_verbs = 0
    for text, yes in zip(texts, mine):
        tokens = nltk.word_tokenize(text, preserve_line=True)
        verb = "VB" in nltk.pos_tag(tokens)[0][1]
        n_verbs += verb
        if verb != yes:
            differ[yes][tokens[0].lower()] += 1
    n = {yes: sum(c.values()) for yes, c in differ.items()}
    print(f"{len(texts)} beginnings, {n_verbs} with a verb by the tagger: {100 - 100 * sum(n.values()) / len(texts):.2f} % agree")
    for yes, what in ((True, "only we say verb"), (False, "only the tagger does")):
        top = ", ".join(f"{w} {k}" for w, k in differ[yes].most_common(o.list))
        print(f"{what}: {n[yes]}, of {len(differ[yes])} words: {top}")


main()
