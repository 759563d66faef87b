#!/usr/bin/env python3
"""How reward-verify's `math` and Math-Verify judge the same answers.

    THINKPIPE_DATA=DIR python3 tests/bench/math-agree.py BIN/reward-verify [out-folder]
    THINKPIPE_DATA=DIR python3 tests/bench/math-agree.py --sample 30   # lines of tests/verifier/math.tsv

Needs a Python with math-verify (0.9.0 made the figures of math-agree.md), or with PEER=sympy one with
sympy and antlr4-python3-runtime 4.11.  PEER_PAIRS says how many pairs the peer gets, 0 for none.  From the gold answers of
MATH, OlympiadBench and OlymMATH it makes pairs that are equal by construction (rewritten forms) and
pairs that differ (perturbed forms), gives both programs the same text, and prints a Markdown table by
kind; every pair on which they disagree goes to OUT/disagree.tsv, every pair that we judge against its
construction to OUT/wrong.tsv.  The sampled solutions of math-rollouts are judged as they stand.  Both
judge the same pairs in alternating slices, on one thread, and are timed by the CPU time they take (a
busy machine tells on that less than on the clock); ours includes the program's start and its JSON.
"""
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

DATA = os.environ.get("THINKPIPE_DATA", "")
SLICE = 500
PEER = os.environ.get("PEER", "Math-Verify")
PEER_PAIRS = int(os.environ.get("PEER_PAIRS", "6000"))


def records(path):
    path = os.path.join(DATA, path)
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout.decode()
    else:
        text = open(path, encoding="utf-8").read()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def braced(s, i):
    """The end of the group that opens at s[i]."""
    depth = 0
    for k in range(i, len(s)):
        if s[k] == "{" and s[k - 1] != "\\":
            depth += 1
        elif s[k] == "}" and s[k - 1] != "\\":
            depth -= 1
            if depth == 0:
                return k
    return -1


def last_boxed(s):
    i = max(s.rfind("\\boxed{"), s.rfind("\\fbox{"))
    if i < 0:
        return None
    j = s.index("{", i)
    return s[j + 1:braced(s, j)]


def golds():
    out = []
    for r in records("math/math500.jsonl"):
        out.append(r["answer"])
    for r in records("math/math_test_minus500.jsonl.zst"):
        out.append(last_boxed(r["solution"]))
    for r in records("math/math_train_answers.jsonl.zst"):
        out.append(r["answer"])
    for name in ("olympiadbench_math_en", "olymmath_en_easy", "olymmath_en_hard"):
        for r in records("math-evals/%s.jsonl" % name):
            answers = r["answer"] if isinstance(r["answer"], list) else [r["answer"]]
            out.extend(str(a) for a in answers)
    plain = []
    for a in out:
        a = (a or "").strip().strip("$").rstrip(".").strip()
        if a and "$" not in a:
            plain.append(a)
    return plain


# What an answer is, as far as the rewritings need to know.

def depth_zero(s, chars):
    """Places of chars outside brackets."""
    depth, places = 0, []
    for i, c in enumerate(s):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif depth == 0 and c in chars:
            places.append(i)
    return places


def is_value(a):
    """One expression: no list, tuple, relation, words, base."""
    if re.search(r"[<>=,;:_%!&]|\\(text|mbox|le|ge|in|cup|cap|pm|mp|infty|begin|circ|neq|overline|%|\$|approx|{)", a):
        return False
    words = re.sub(r"\\[a-zA-Z]+", " ", a)
    return not re.search(r"[A-Za-z]{4}", words) and not re.search(r"\d \d", a) and not a.startswith("[")


def is_number(a):
    return re.fullmatch(r"-?\d+(\.\d+)?", a) is not None


def is_tuple(a):
    return re.fullmatch(r"\(.*,.*\)", a) is not None and not depth_zero(a, ",+-") and "=" not in a


def is_mixed(a):
    return re.match(r"-?\d+\s*\\[dt]?frac", a) is not None


# Rewritten forms: equal by construction.  Each gives None where it does not apply.

def rw_delimiters(a):
    return "$" + a + "$"


def rw_style(a):
    b = a.replace("\\frac", "\\dfrac").replace("\\left", "").replace("\\right", "")
    b = re.sub(r"(?<!\\)\(", r"\\left(", b).replace(")", "\\right)")
    return "\\displaystyle " + re.sub(r"\s*\+\s*", r"\\,+\\,", b)


def rw_plain(a):
    if not is_value(a) or is_mixed(a):
        return None
    b = a
    for _ in range(8):
        b = re.sub(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))", b)
        b = re.sub(r"\\[dtc]?frac\s*(\d)\s*(\d)", r"(\1/\2)", b)
        b = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"sqrt(\1)", b)
        b = re.sub(r"\\sqrt\s*(\d)", r"sqrt(\1)", b)
        b = re.sub(r"\^\{([^{}]*)\}", r"^(\1)", b)
    b = b.replace("\\left", "").replace("\\right", "").replace("\\pi", "pi").replace("\\cdot", "*")
    b = b.replace("\\times", "*").replace("\\!", "")
    return None if "\\" in b or b == a else b


def rw_number(a):
    if not is_number(a):
        return None
    if "." in a:
        return a + "0"
    digits = a.lstrip("-")
    if len(digits) > 3:
        return ("-" if a[0] == "-" else "") + "{:,}".format(int(digits))
    return a + ".0"


def rw_fraction(a):
    m = re.fullmatch(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}", a)
    if not m:
        return None
    return "%s\\frac{%d}{%d}" % (m[1], 6 * int(m[2]), 6 * int(m[3]))


def rw_label(a):
    return "x = " + a if is_value(a) and "x" not in a and "=" not in a else None


def rw_minus(a):
    return a.replace("-", "\u2212") if "-" in a else None


def rw_scaled(a):
    return "\\frac{6(%s)}{6}" % a if is_value(a) and not is_mixed(a) else None


def rw_shifted(a):
    return "%s + 17 - 17" % a if is_value(a) and not is_mixed(a) else None


def rw_swapped(a):
    places = [i for i in depth_zero(a, "+-") if i > 0]
    if not is_value(a) or len(places) != 1 or a[0] in "+-" or a[places[0] - 1] in "^_":
        return None
    i = places[0]
    right = a[i + 1:].strip()
    return ("-" if a[i] == "-" else "") + right + " + " + a[:i].strip()


def rw_list(a):
    places = depth_zero(a, ",")
    if not places or re.search(r"[_=]|\\!", a) or re.match(r"\d{1,3}(,\d{3})+$", a):
        return None
    items, start = [], 0
    for i in places + [len(a)]:
        items.append(a[start:i].replace("\\,", "").strip())
        start = i + 1
    if not all(items):
        return None
    return ", ".join(reversed(items))


def rw_union(a):
    parts = re.split(r"\\cup", a)
    return " \\cup ".join(p.strip() for p in reversed(parts)) if len(parts) > 1 else None


def rw_words(a):
    m = re.fullmatch(r"\\text\{\s*([A-Za-z ]+)\s*\}", a)
    return m[1].upper() if m and len(m[1]) > 1 else None


def rw_root(a):
    m = re.fullmatch(r"(\d+)\s*\\sqrt\{(\d+)\}", a)
    return "\\sqrt{%d}" % (int(m[1]) ** 2 * int(m[2])) if m else None


def rw_square_brackets(a):
    return "\\[ %s \\]" % a


# Perturbed forms: different by construction, or nearly always (those are looked at one by one).

def pt_more(a):
    return "%s + 1" % a if is_value(a) and not is_mixed(a) else None


def pt_double(a):
    return "2(%s)" % a if is_value(a) and a != "0" and not is_mixed(a) else None


def pt_sign(a):
    if is_mixed(a):
        return None
    return "-(%s)" % a if is_value(a) and a != "0" else None


def pt_little(a):
    return "%s + 10^{-9}" % a if is_value(a) and not is_mixed(a) else None


def pt_integer(a):
    """One whole number in it one more."""
    found = list(re.finditer(r"\d+", a))
    if not found:
        return None
    m = random.choice(found)
    return a[:m.start()] + str(int(m[0]) + 1) + a[m.end():]


def pt_digit(a):
    """One digit in it another."""
    found = [m.start() for m in re.finditer(r"\d", a)]
    if not found:
        return None
    i = random.choice(found)
    return a[:i] + random.choice([d for d in "123456789" if d != a[i]]) + a[i + 1:]


def pt_ten(a):
    return a + "0" if is_number(a) and "." not in a and a != "0" else None


def pt_dropped(a):
    places = depth_zero(a, ",")
    if not places or re.search(r"\\[,!]", a) or a.endswith(",") or re.match(r"\d{1,3}(,\d{3})+$", a):
        return None
    return a[:places[-1]]


def pt_bracket(a):
    m = re.fullmatch(r"(\(|\[)(.*,.*)(\)|\])", a)
    if not m or depth_zero(a, ",") or m[2].lstrip().startswith("-\\infty"):
        return None
    return {"(": "[", "[": "("}[m[1]] + m[2] + m[3]


def pt_order(a):
    if not is_tuple(a):
        return None
    inner = a[1:-1]
    places = depth_zero(inner, ",")
    if len(places) != 1:
        return None
    x, y = inner[:places[0]].strip(), inner[places[0] + 1:].strip()
    return "(%s, %s)" % (y, x) if x != y else None


def pt_upside(a):
    m = re.fullmatch(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}", a)
    return "%s\\frac{%s}{%s}" % (m[1], m[3], m[2]) if m and m[2] != m[3] else None


def pt_operator(a):
    found = [i for i, c in enumerate(a) if c in "+-" and i > 0 and a[i - 1] not in "^{(, "
             or c == "+" and i > 0]
    if not found:
        return None
    i = random.choice(found)
    return a[:i] + {"+": "-", "-": "+"}[a[i]] + a[i + 1:]


def pt_variable(a):
    m = re.search(r"(?<![\\a-zA-Z])x(?![a-zA-Z])", a)
    return a[:m.start()] + "x^2" + a[m.end():] if m and is_value(a) else None


# These choose at random, so more of them are others.
AGAIN = [("pt_integer", pt_integer), ("pt_digit", pt_digit), ("pt_operator", pt_operator)] * 8


def pairs():
    random.seed(7)
    answers = golds()
    table = [(n, f) for n, f in globals().items() if n.startswith(("rw_", "pt_"))]
    out, seen = [], set()
    for truth in answers:
        for name, f in table + AGAIN:
            answer = f(truth)
            if answer is None or answer == truth or (name, answer, truth) in seen:
                continue
            seen.add((name, answer, truth))
            out.append((name, name.startswith("rw_"), answer, truth))
    random.shuffle(out)
    return out


def rollouts():
    out = []
    for r in records("math-rollouts/rollouts.jsonl.zst"):
        for text in r["responses"]:
            out.append(("sampled solution", None, text, r["answer"]))
    return out


def ours(binary, part, whole=False):
    lines = "".join(json.dumps({"completion": a if whole else "\\boxed{%s}" % a, "ground_truth": t}) + "\n"
                    for _, _, a, t in part)
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([binary, "-q", "--threads", "1", "--verifier", "math", "--explain"],
                         input=lines.encode(), capture_output=True, check=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    verdicts = [json.loads(line)["verdict"]["math"] for line in run.stdout.decode().split("\n") if line]
    return verdicts, seconds


def late(signum, frame):
    raise TimeoutError


def peer_sympy(part, whole=False):
    """What graders built on sympy do: the same text, or a difference that simplifies to zero, 5 s."""
    from sympy import simplify
    from sympy.parsing.latex import parse_latex
    signal.signal(signal.SIGALRM, late)
    start = time.process_time()
    out = []
    for _, _, a, t in part:
        a = (last_boxed(a) or "") if whole else a
        same = a.replace(" ", "") == t.replace(" ", "")
        signal.alarm(5)
        try:
            same = same or simplify(parse_latex(a) - parse_latex(t)) == 0
        except Exception:
            pass
        signal.alarm(0)
        out.append(bool(same))
    return out, time.process_time() - start


def peer(part, whole=False):
    if PEER == "sympy":
        return peer_sympy(part, whole)
    from math_verify import parse, verify
    start = time.process_time()
    out = []
    for _, _, a, t in part:
        gold = parse("\\boxed{%s}" % t)
        out.append(bool(verify(gold, parse(a if whole else "\\boxed{%s}" % a))))
    return out, time.process_time() - start


def alternate(binary, part, whole=False):
    mine, theirs, t_mine, t_theirs = [], [], 0, 0
    for i in range(0, len(part), SLICE):
        v, s = ours(binary, part[i:i + SLICE], whole)
        mine += v
        t_mine += s
        v, s = peer(part[i:i + SLICE], whole)
        theirs += v
        t_theirs += s
    return mine, theirs, t_mine, t_theirs


def report(name, part, mine, theirs, disagree):
    kinds = {}
    for p, m, t in zip(part, mine, theirs):
        right = m["score"] == 1
        k = kinds.setdefault(p[0], [p[1], 0, 0, 0, 0])
        k[1] += 1
        k[2] += right
        k[3] += t
        k[4] += right == t
        if right != t:
            print(p[0], "ours" if right else "peer", p[2] if len(p[2]) < 300 else m["extracted"], p[3],
                  m.get("compared"), sep="\t", file=disagree)
    print("| %s | should be | pairs | we accept | %s accepts | agree |" % (name, PEER))
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for kind in sorted(kinds, key=lambda k: (not kinds[k][0], k)):
        want, n, a, b, same = kinds[kind]
        should = {True: "equal", False: "different", None: "as the model did"}[want]
        print("| %s | %s | %d | %d | %d | %.1f %% |" % (kind, should, n, a, b, 100 * same / n))
    total = sum(k[1] for k in kinds.values())
    print("| all | | %d | | | %.1f %% |\n" % (total, 100 * sum(k[4] for k in kinds.values()) / total))


def print_sample(per_kind):
    """Lines for tests/verifier/math.tsv."""
    names = {"rw_": "rewritten: ", "pt_": "perturbed: "}
    kinds = {}
    for name, equal, answer, truth in pairs():
        rows = kinds.setdefault(name, {})
        if len(rows) < per_kind and len(answer) + len(truth) < 100 and "\t" not in answer + truth:
            rows["same" if equal else "other", answer, truth] = None
    for name in sorted(kinds, key=lambda n: (n[0] != "r", n)):
        for row in kinds[name]:
            print(names[name[:3]] + name[3:].replace("_", " "), *row, sep="\t")


def main():
    if sys.argv[1] == "--sample":
        return print_sample(int(sys.argv[2]))
    binary, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "."
    os.makedirs(folder, exist_ok=True)
    every = pairs()
    mine, seconds = ours(binary, every)
    n_pt, wrong_pt, n_rw, wrong_rw = 0, 0, 0, 0
    with open(os.path.join(folder, "wrong.tsv"), "w") as f:
        for p, m in zip(every, mine):
            right = m["score"] == 1
            n_rw += p[1]
            n_pt += not p[1]
            if right != p[1]:
                wrong_rw += p[1]
                wrong_pt += not p[1]
                print(p[0], p[2], p[3], m.get("compared"), m.get("parsed"), sep="\t", file=f)
    print("%d gold answers. All pairs, ours alone: %d of %d rewritten forms accepted, %d of %d perturbed ones; "
          "%.0f answers in a second of CPU time.\n"
          % (len(golds()), n_rw - wrong_rw, n_rw, wrong_pt, n_pt, len(every) / seconds))
    if PEER_PAIRS == 0:
        return
    with open(os.path.join(folder, "disagree.tsv"), "w") as f:
        part = every[:PEER_PAIRS]
        mine, theirs, a, b = alternate(binary, part)
        report("pair", part, mine, theirs, f)
        print("Answers in a second of CPU time, slices of %d in turn: ours %.0f, %s %.0f, %.0fx.\n"
              % (SLICE, len(part) / a, PEER, len(part) / b, b / a))
        part = rollouts()
        mine, theirs, a, b = alternate(binary, part, True)
        report("text", part, mine, theirs, f)
        print("Answers in a second of CPU time: ours %.0f, %s %.0f, %.0fx." % (len(part) / a, PEER, len(part) / b, b / a))


main()
