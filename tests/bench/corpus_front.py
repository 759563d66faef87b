#!/usr/bin/env python3
"""A corpus of any size through the whole front of the pipe: CPU time and peak memory of each program.

    python3 tests/bench/corpus_front.py BIN TOKENIZER GB [--index]

The corpus is made on the way: blocks of 10,000 documents of random words, one in ten a copy of another
in its block, whose letters are permuted anew for each block, so that no two blocks share a word.  It goes
compressed (zstd) into

    corpus-read | corpus-filter --rule olmo3 | corpus-decontam | corpus-dedup | tok-encode | shard-info

with one thread each; --index gives corpus-dedup a folder instead of memory.  The peaks (VmHWM) are read when
a tenth, a third and all of the corpus has gone in.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


def make_block():
    rng = random.Random(1)
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9))) for _ in range(20000)]
    # Of rank r with a probability of about 1 / r.
    word = lambda: words[int(20000 ** rng.random()) - 1]
    lines = []
    for i in range(10000):
        if i % 10 == 9:
            lines.append(lines[rng.randrange(len(lines))])
            continue
        sentences = [" ".join(word() for _ in range(rng.randint(5, 25))).capitalize() + "." for _ in range(rng.randint(5, 35))]
        lines.append(json.dumps({"T": " ".join(sentences)}) + "\n")
    return "".join(lines).encode()


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0  # it has ended


def start(commands):
    """The pipe; its first stdin and its processes."""
    processes = []
    stdin = subprocess.PIPE
    for name, command in commands:
        p = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=open(f"{name}.log", "w"))
        if processes:
            processes[-1][1].stdout.close()
        processes.append((name, p))
        stdin = p.stdout
    return processes


def main():
    bin_dir, tokenizer, gigabytes = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), float(sys.argv[3])
    folder = tempfile.mkdtemp(prefix="corpus-front.")
    os.chdir(folder)
    with open("eval.jsonl", "w") as f:
        f.write('{"question": "none of the documents holds this question of ten words"}\n')
    ours = lambda name, *options: (name, [os.path.join(bin_dir, name), *options])
    one = ("--threads", "1")
    index = ("--index", "index") if "--index" in sys.argv else ()
    commands = [
        ("zstd", ["zstd", "-q", "-1", "-c"]),
        ours("corpus-read", "--format", "jsonl", "--text-field", "T"),
        ours("corpus-filter", *one, "--rule", "olmo3"),
        ours("corpus-decontam", *one, "--against", "eval.jsonl"),
        ours("corpus-dedup", *one, *index),
        ours("tok-encode", *one, "--tokenizer", tokenizer),
        ours("shard-info"),
    ]
    block = make_block()
    n_blocks = max(1, round(gigabytes * 1e9 / len(block)))
    marks = {"a tenth": max(1, n_blocks // 10), "a third": max(1, n_blocks // 3), "all": n_blocks}
    processes = start(commands)
    rng = random.Random(2)
    peaks = {}
    for i in range(1, n_blocks + 1):
        letters = list(LETTERS)
        rng.shuffle(letters)
        processes[0][1].stdin.write(block.translate(bytes.maketrans(LETTERS, bytes(letters))))
        for label, at in marks.items():
            if i == at:
                peaks[label] = {name: peak_mib(p.pid) for name, p in processes}
    processes[0][1].stdin.close()
    print(f"{n_blocks * len(block) / 1e9:.2f} GB of JSON lines, {n_blocks * 10000} documents\n")
    print("| program | CPU s | MB/s | peak MiB at a tenth | a third | all |\n|---|---|---|---|---|---|")
    out = processes[-1][1].stdout.read().decode()
    for name, p in processes:
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        seconds = usage.ru_utime + usage.ru_stime
        print(f"| {name} | {seconds:.0f} | {n_blocks * len(block) / 1e6 / seconds:.0f} | {peaks['a tenth'][name]:.0f} | "
              f"{peaks['a third'][name]:.0f} | {peaks['all'][name]:.0f} |" + (f" exit {p.returncode}" if p.returncode else ""))
    print("\n" + out)
    for name in ("corpus-read", "corpus-filter", "corpus-decontam", "corpus-dedup", "tok-encode"):
        print(name, open(f"{name}.log").read().strip().splitlines()[-1:])
    print(folder)


if __name__ == "__main__":
    main()
