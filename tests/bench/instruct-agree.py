#!/usr/bin/env python3
"""How reward-verify and the reference checkers judge whether instructions were followed.

    python3 tests/bench/instruct-agree.py BIN/reward-verify FILE...             # published verdicts
    python3 tests/bench/instruct-agree.py BIN/reward-verify --reference IFBENCH FILE...
    python3 tests/bench/instruct-agree.py BIN/reward-verify --reference IFBENCH --cross 200 FILE...

FILE holds JSON lines with completion, instruction_id_list and kwargs, and for the first form `ref`, the
verdict for each instruction; or, as tests/verifier/instructions.jsonl does, kind, args and text.
IFBENCH is a checkout of github.com/allenai/IFBench (it holds the checkers of IFEval, too) or, for the kinds of
training sets, of github.com/allenai/open-instruct, run by a Python with
nltk, langdetect, emoji, syllapy and immutabledict, and NLTK_DATA.  --cross N: the first N texts, each with every
instruction of the files.  --loose: the loose verdicts.  Prints a Markdown table by kind of where the two
disagree; every disagreement goes to the file named by --out.  Both judge the same slices in turn, one thread each, timed
by CPU time, which a busy machine tells on less than on the clock; ours includes the program's start and its JSON.
"""
import argparse
import collections
import json
import random
import resource
import statistics
import subprocess
import sys
import time

SLICES = 9


def records(path):
    for line in open(path, encoding="utf-8"):
        r = json.loads(line)
        if "kind" in r:
            r = {"completion": r["text"], "instruction_id_list": [r["kind"]], "kwargs": [r["args"]]}
        yield r


def crossed(rows, n):
    """Each of n texts with every instruction that the rows have."""
    known = {}
    for r in rows:
        for kind, args in zip(r["instruction_id_list"], r["kwargs"]):
            known[json.dumps([kind, args], sort_keys=True)] = (kind, args)
    for r in rows[:n]:
        for kind, args in known.values():
            yield {"completion": r["completion"], "instruction_id_list": [kind], "kwargs": [args]}


def ours(binary, rows, loose):
    name = "ifbench_loose" if loose else "ifbench"
    text = "".join(json.dumps({k: r[k] for k in ("completion", "instruction_id_list", "kwargs")}) + "\n" for r in rows)
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([binary, "-q", "--explain", "--threads", "1", "--verifier", name], input=text,
                          capture_output=True, text=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    if done.returncode:
        sys.exit(done.stderr)
    verdicts = []
    for line in done.stdout.splitlines():
        notes = json.loads(line)["verdict"][name]["detail"]
        verdicts.append([note.rsplit(": ", 1)[1] == "followed" for note in notes.split("; ")])
    return verdicts, seconds


class Reference:
    def __init__(self, folder, loose):
        sys.path.insert(0, folder)
        try:
            from ifbench import instructions_registry
        except ImportError:
            from open_instruct.IFEvalG import instructions_registry
        import langdetect
        langdetect.DetectorFactory.seed = 0
        random.seed(0)
        self.kinds = instructions_registry.INSTRUCTION_DICT
        self.loose = loose

    def texts(self, text):
        if not self.loose:
            return [text]
        lines = text.split("\n")
        parts = [text, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
        return [t for p in parts for t in (p, p.replace("*", ""))]

    def one(self, kind, args, text):
        """True, False, or None when there is no such kind or the checker fails."""
        if kind not in self.kinds:
            return None
        checker = self.kinds[kind](kind)
        try:
            checker.build_description(**{k: v for k, v in (args or {}).items() if v is not None})
            return any(bool(t.strip() and checker.check_following(t)) for t in self.texts(text))
        except Exception:
            return None

    def all(self, rows):
        start = time.process_time()
        found = [[self.one(k, a, r["completion"]) for k, a in zip(r["instruction_id_list"], r["kwargs"])] for r in rows]
        return found, time.process_time() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument("binary")
    p.add_argument("files", nargs="+")
    p.add_argument("--reference")
    p.add_argument("--cross", type=int, default=0)
    p.add_argument("--loose", action="store_true")
    p.add_argument("--out")
    o = p.parse_args()
    rows = [r for f in o.files for r in records(f)]
    if o.cross:
        rows = list(crossed(rows, o.cross))
    reference = Reference(o.reference, o.loose) if o.reference else None
    mine, theirs, rates = [], [], []
    size = -(-len(rows) // SLICES) if reference else len(rows)
    for i in range(0, len(rows), size):
        part = rows[i:i + size]
        found, my_seconds = ours(o.binary, part, o.loose)
        mine += found
        if reference:
            found, their_seconds = reference.all(part)
            n = sum(len(x) for x in found)
            rates.append((n / my_seconds, n / their_seconds, their_seconds / my_seconds))
            theirs += found
        else:
            theirs += [r["ref"] for r in part]
    out = open(o.out, "w", encoding="utf-8") if o.out else None
    table = collections.defaultdict(lambda: [0, 0, 0, 0])
    for r, a, b in zip(rows, mine, theirs):
        for kind, args, x, y in zip(r["instruction_id_list"], r["kwargs"], a, b):
            row = table[kind]
            row[0] += 1
            if y is None:
                row[3] += 1
            elif x != y:
                row[1 if x else 2] += 1
                if out:
                    out.write(json.dumps({"kind": kind, "args": args, "ours": x, "theirs": y, "text": r["completion"]},
                                         ensure_ascii=False) + "\n")
    print("| kind | verdicts | only we say followed | only they do | they fail |\n| --- | --- | --- | --- | --- |")
    for kind, (n, yes, no, failed) in sorted(table.items(), key=lambda kv: -kv[1][1] - kv[1][2]):
        if yes + no + failed:
            print(f"| {kind} | {n} | {yes} | {no} | {failed} |")
    total = [sum(row[i] for row in table.values()) for i in range(4)]
    compared = total[0] - total[3]
    print(f"\n{compared} verdicts of {len(table)} kinds compared, {total[1] + total[2]} differ: "
          f"{100 - 100 * (total[1] + total[2]) / compared:.2f} % agree.")
    if rates:
        mid = [statistics.median(column) for column in zip(*rates)]
        print(f"{mid[0]:.0f} verdicts a CPU second against {mid[1]:.0f}, ratio {mid[2]:.1f}: medians of {len(rates)} slices in turn.")


main()
