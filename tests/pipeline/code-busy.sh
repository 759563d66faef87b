#!/bin/sh
# Verdicts on programs do not depend on what else the machine does: a number of programs, many of which come near
# a limit from either side, get the same verdicts on an idle machine and beside four processes that take all they
# can get.  LONG=1 judges 1,000 (six minutes); else PROGRAMS=N of them, from number FIRST=N on.
set -u
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
[ -x /usr/bin/python3 ] || { echo "skip: no /usr/bin/python3"; exit 77; }
programs=${PROGRAMS:-30}
[ -n "${LONG:-}" ] && programs=1000

# A program that works so long by its own clock of CPU time, or sleeps so long, and is right.
jq -nc --argjson first "${FIRST:-0}" --argjson programs "$programs" '
    def work($s): "import time\ndef f(x):\n    while time.process_time() < \($s): pass\n    return x + 1\n";
    def rest($s): "import time\ndef f(x):\n    time.sleep(\($s))\n    return x + 1\n";
    def forks($n; $s): "import os, time\ndef f(x):\n    for i in range(\($n)):\n        if os.fork() == 0:\n" +
        "            while time.process_time() < \($s): pass\n            os._exit(0)\n" +
        "    for i in range(\($n)): os.wait()\n    return x + 1\n";
    [   # what, how often in 100, reward, what decides, program
        ["right", 20, 1, "all-tests", "def f(x):\n    return x + 1\n"],
        ["wrong value", 15, 0, "tests", "def f(x):\n    return x + 2\n"],
        ["raises", 10, 0, "tests", "def f(x):\n    return x / 0\n"],
        ["does not end in a result", 5, 0, "tests", "def f(x):\n    return f(x)\n"],
        ["is no program", 8, 0, "not-loaded", "def f(x:\n"],
        ["leaves", 5, 0, "status", "import os\ndef f(x):\n    os._exit(3)\n"],
        ["kills itself", 5, 0, "signal", "import os\ndef f(x):\n    os.kill(os.getpid(), 9)\n"],
        ["half the memory", 4, 1, "all-tests", "def f(x):\n    y = b\"a\" * (512 << 20)\n    return x + 1\n"],
        ["all the memory", 4, 0, "tests", "def f(x):\n    y = b\"a\" * (1100 << 20)\n    return x + 1\n"],
        ["half the output", 4, 1, "all-tests", "def f(x):\n    print(\"a\" * (2 << 20))\n    return x + 1\n"],
        ["fills the disk", 4, 0, "tests", "def f(x):\n    open(\"big\", \"wb\").write(b\"a\" * (100 << 20))\n    return x + 1\n"],
        ["70 % of the CPU time", 3, 1, "all-tests", work("0.7")],
        ["all the CPU time", 3, 0, "cpu-time", work("100")],
        ["60 % in three processes", 2, 1, "all-tests", forks(3; "0.2")],
        ["200 % in four processes", 2, 0, "cpu-time", forks(4; "0.5")],
        ["sleeps half the time", 3, 1, "all-tests", rest("0.5")],
        ["sleeps too long", 3, 0, "idle-time", rest("100")]
    ] as $kinds |
    [$kinds[] | . as $k | range($k[1]) | $k] as $all |
    range($first; $first + $programs) | . as $i | $all[($i * 37) % 100] as $k |
    {id: $i, kind: $k[0], want: $k[2], decided: $k[3], dataset: "code", ground_truth: "assert f(\($i)) == \($i + 1)",
     completion: "```python\n# \($i)\n\($k[4])```"}' >in.jsonl

judge() {
    reward-verify -q --code-seconds 1 --explain --unverified "$2" in.jsonl |
        jq -c '[.id, .kind, .want, .reward, .decided, .verdict.code.compared]' >"$1"
    if [ -s "$2" ]; then jq -c '[.kind, .no_verdict]' "$2" | sort | uniq -c; exit 1; fi
}
echo '{"completion": "def f(x): pass", "ground_truth": "assert 1", "dataset": "code"}' |
    reward-verify -q --unverified none >/dev/null
if [ -s none ]; then
    echo "skip: $(jq -r .no_verdict none)"
    exit 77
fi
bad=0 hogs=
trap 'for p in $hogs; do kill $p; done' EXIT
judge idle none
for i in 1 2 3 4; do
    sh -c 'while :; do :; done' &
    hogs="$hogs $!"
done
judge busy none
jq -c 'select(.[2] != .[3] or .[4] != .[5])' idle >wrong
[ ! -s wrong ] || { echo "wrong verdicts:"; head -n 20 wrong; bad=1; }
[ "$(wc -l <idle)" = "$programs" ] || { echo "$(wc -l <idle) verdicts on $programs programs"; bad=1; }
diff idle busy >differ || { echo "other verdicts on a busy machine:"; head -n 20 differ; bad=1; }
echo "$programs programs: $(diff idle busy | grep -c '^<') verdicts differ beside four others"
exit $bad
