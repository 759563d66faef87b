#!/usr/bin/env python3
"""What answers that were made to be slow cost reward-verify.

    python3 tests/bench/hostile-answers.py [BIN/reward-verify [NAME ...]]

Each answer is one record of 10 MB, judged by a program of its own with one worker, and again with 1 MB: CPU time and the
largest process, children included.  What takes more than linear time shows in the ratio.  Answers that are small and stand
for much (9^9^9^9) have no ratio.  The figures are in hostile-answers.md.
"""
import json
import subprocess
import sys
import tempfile

BIG = 10_000_000


def boxed(s):
    return "\\boxed{" + s + "}"


def fill(unit, n):
    return unit * (n // len(unit.encode()))


def nested(left, inside, right, n):
    k = n // (len(left) + len(right))
    return left * k + inside + right * k


# name: (answer of about n bytes, truth, verifier)
LARGE = {
    "a sum, 1+1+...": (lambda n: boxed(fill("1+", n) + "1"), "2", "math"),
    "the same, and its value": (lambda n: boxed(fill("1+", n) + "1"), str(BIG // 2 + 1), "math"),
    "the same without a box": (lambda n: fill("1+", n) + "1", "2", "math"),
    "x*x*...": (lambda n: boxed(fill("x*", n) + "x"), "x^5", "math"),
    "square roots added up": (lambda n: boxed("+".join("\\sqrt{%d}" % i for i in range(2, n // 14))), "2", "math"),
    "a number of n digits": (lambda n: boxed("7" * n), "7", "math"),
    "braces": (lambda n: boxed(nested("{", "1", "}", n)), "1", "math"),
    "braces that do not close": (lambda n: "\\boxed{" + "{" * n, "1", "math"),
    "boxes that do not close": (lambda n: fill("\\boxed{", n), "1", "math"),
    "boxes": (lambda n: fill("\\boxed{1}", n), "2", "math"),
    "boxes with commas between": (lambda n: fill("\\boxed{1}, ", n), "2", "math"),
    "fractions that do not close": (lambda n: fill("\\frac{", n), "2", "math"),
    "\\text{ that does not close": (lambda n: boxed(fill("\\text{", n)), "2", "math"),
    "a list": (lambda n: boxed(fill("1,", n) + "1"), "1,2", "math"),
    "a matrix": (lambda n: boxed("\\begin{pmatrix}" + fill("1&2\\\\", n) + "1&2\\end{pmatrix}"), "1", "math"),
    "a chain of <": (lambda n: boxed(fill("1<", n) + "1"), "1", "math"),
    "minus signs": (lambda n: boxed("-" * n + "1"), "1", "math"),
    "plus-minus": (lambda n: boxed(fill("1\\pm ", n) + "1"), "1", "math"),
    "units": (lambda n: boxed("5" + fill("\\text{ cm}", n)), "5", "math"),
    "letters": (lambda n: "x" * n, "x", "math"),
    "words": (lambda n: fill("word ", n), "2", "math"),
    "$ signs": (lambda n: fill("$ ", n), "2", "math"),
    "\\( that does not close": (lambda n: fill("\\(", n), "2", "math"),
    "'answer is'": (lambda n: fill("answer is ", n), "2", "math"),
    "'the final answer is'": (lambda n: fill("the final answer is ", n), "2", "strict_math"),
    "<think>": (lambda n: fill("<think>", n), "2", "math"),
    "</think>": (lambda n: fill("</think>", n), "2", "math"),
    "quotients, for gsm8k": (lambda n: fill("1/", n), "2", "gsm8k"),
    "commas, for gsm8k": (lambda n: fill("1,", n), "2", "gsm8k"),
    "a sum, for countdown": (lambda n: fill("1+", n) + "1", "24", "countdown"),
    "<answer>": (lambda n: fill("<answer>", n), "2", "string_matcher"),
    "n different words": (lambda n: " ".join(map(str, range(n // 8))), "a b c", "string_f1"),
    "(a+)+$, a truth": (lambda n: "<finish>" + "a" * n + "b</finish>", "(a+)+$", "re_search"),
    "(a*)*c, a truth": (lambda n: "a" * n + "b", "(a*)*c", "regex"),
    "sentences": (lambda n: fill("A. b ", n), None, "length_constraints:number_sentences"),
    "words for a language": (lambda n: fill("word ", n), None, "change_case:english_lowercase"),
    "a program of one sum": (lambda n: "x = " + fill("1+", n) + "1", "assert x == 2", "code"),
    "code fences": (lambda n: fill("```python\n", n), "assert f(1) == 1", "code"),
}
SMALL = {
    "9^9^9^9": (boxed("9^{9^{9^9}}"), "2", "math"),
    "9^9^9^9 in 140 items": (boxed("\\{" + ",".join(["9^{9^{9^9}}"] * 140) + "\\}"), "\\{" + ",".join(["9^{9^{9^8}}"] * 140) + "\\}", "math"),
    "99999999!": (boxed("99999999!"), "2", "math"),
    "\\binom{10^9}{5 10^8}": (boxed("\\binom{1000000000}{500000000}"), "2", "math"),
    "\\pi^9999999": (boxed("\\pi^{9999999}"), "\\pi^{9999998}", "math"),
    "(x+y+z)^100000": (boxed("(x+y+z)^{100000}"), "(z+x+y)^{100000}", "math"),
    "100,000 nested braces": (boxed("{" * 100000 + "1" + "}" * 100000), "1", "math"),
    "a set of 140 sums, turned round": (boxed("\\{" + ",".join("x^{%d}+1" % i for i in range(140)) + "\\}"),
                                        "\\{" + ",".join("1+x^{%d}" % i for i in reversed(range(140))) + "\\}", "math"),
}


def record(answer, truth, verifier):
    if ":" in verifier:
        kwargs = {"num_sentences": 5, "relation": "at least"} if "sentences" in verifier else {}
        return {"completion": answer, "dataset": "ifeval", "prompt": "p", "instruction_id_list": [verifier], "kwargs": [kwargs]}
    return {"completion": answer, "ground_truth": truth, "dataset": verifier, "numbers": [1, 2]}


def cost(program, rec):
    """CPU seconds, MB of the largest process, what was said."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.write(json.dumps(rec) + "\n")
        f.flush()
        p = subprocess.run(["/usr/bin/time", "-f", "%U %S %M", program, "-q", "--explain", "--threads", "1", "--unverified", "/dev/null", f.name],
                           capture_output=True, text=True, check=True)
    user, system, most = p.stderr.strip().split("\n")[-1].split()
    said = list(json.loads(p.stdout)["verdict"].values())[0] if p.stdout else {"rule": "no verdict"}
    return float(user) + float(system), int(most) / 1024, said.get("compared") or said["rule"]


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "bin/reward-verify"
    names = sys.argv[2:]
    print("| answer | verifier | CPU, 10 MB | 1 MB | ratio | largest | decided by |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    for name, (make, truth, verifier) in LARGE.items():
        if names and name not in names:
            continue
        tenth, _, _ = cost(program, record(make(BIG // 10), truth, verifier))
        whole, most, said = cost(program, record(make(BIG), truth, verifier))
        print(f"| `{name}` | {verifier} | {whole:.2f} s | {tenth:.2f} s | {whole / max(tenth, 0.01):.0f} | {most:.0f} MB | {said} |", flush=True)
    for name, (answer, truth, verifier) in SMALL.items():
        if names and name not in names:
            continue
        took, most, said = cost(program, record(answer, truth, verifier))
        print(f"| `{name}` | {verifier} | {took:.2f} s | | | {most:.0f} MB | {said} |", flush=True)


main()
