#!/usr/bin/env python3
"""Does `math` accept gold answers as sympy writes them?

    THINKPIPE_DATA=DIR python3 tests/bench/math-forms.py [BIN/reward-verify [N [SEED]]]

Needs a Python with math-verify.  Takes N gold answers of MATH, OlympiadBench and OlymMATH that are no plain whole numbers, as Math-Verify
parses them, and lets sympy print each in eight forms: str(), latex(), and latex() after expand, factor, together, radsimp,
powsimp and trigsimp.  Prints those that reward-verify does not take for the answer, but for sympy's own names of
classes, then counts: the rest is to be read, for much of it Math-Verify parsed wrongly.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys

import sympy
from math_verify import parse

DATA = os.environ.get("THINKPIPE_DATA", "")
CLASSES = re.compile(r"Interval|Matrix|Union|Eq\(|\bNe\(|&")
FORMS = {"str": str, "latex": sympy.latex}
for change in (sympy.expand, sympy.factor, sympy.together, sympy.radsimp, sympy.powsimp, sympy.trigsimp):
    FORMS[change.__name__] = lambda e, change=change: sympy.latex(change(e))


def lines(path):
    path = os.path.join(DATA, path)
    command = ["zstd", "-dc", path] if path.endswith(".zst") else ["cat", path]
    return [json.loads(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\n") if line]


def golds():
    found = []
    for path in ("math/math500.jsonl", "math/math_train_answers.jsonl.zst", "math-evals/olympiadbench_math_en.jsonl",
                 "math-evals/olymmath_en_hard.jsonl", "math-evals/olymmath_en_easy.jsonl"):
        for record in lines(path):
            answer = record["answer"]
            found += [a for a in (answer if isinstance(answer, list) else [answer]) if isinstance(a, str)]
    return [a for a in dict.fromkeys(found) if not a.strip().lstrip("-").isdigit() and len(a) < 120]


def late(*_):
    raise TimeoutError


def forms(gold):
    signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    try:
        parsed = parse("$" + gold + "$", parsing_timeout=None)
    except Exception:
        parsed = []
    signal.alarm(0)
    for name, form in FORMS.items() if parsed and not isinstance(parsed[0], str) else ():
        signal.alarm(2)
        try:
            text = form(parsed[0])
        except Exception:
            text = None
        signal.alarm(0)
        if text and len(text) <= 400:
            yield {"form": name, "gold": gold, "text": text, "completion": "\\boxed{" + text + "}", "ground_truth": gold}


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "bin/reward-verify"
    n, seed = (int(a) for a in (sys.argv[2:4] + ["1000", "1"][len(sys.argv[2:4]):]))
    answers = golds()
    random.Random(seed).shuffle(answers)
    records = [r for gold in answers[:n] for r in forms(gold)]
    judged = subprocess.run([program, "-q", "--verifier", "math"], input="\n".join(map(json.dumps, records)), capture_output=True, text=True, check=True)
    refused = [r for r in map(json.loads, judged.stdout.split("\n")[:-1]) if not r["reward"]]
    classes = [r for r in refused if CLASSES.search(r["text"])]
    small = [r for r in refused if r not in classes and r["text"].lower() == r["text"] and r["gold"].lower() != r["gold"]]
    for r in refused:
        if r not in classes and r not in small:
            print("%-10s %s   for   %s" % (r["form"], r["text"], r["gold"]))
    print(f"{len(records)} forms of {min(n, len(answers))} answers: {len(records) - len(refused)} accepted, {len(classes)} name classes of sympy, "
          f"{len(small)} in small letters, {len(refused) - len(classes) - len(small)} others")


main()
