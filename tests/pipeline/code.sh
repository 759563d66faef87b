#!/bin/sh
# The verifiers of programs: the cases of tests/verifier/code.txt, and all reference solutions of
# HumanEval and MBPP, which pass, and broken ones, which do not.  LONG=1 takes every task, else every
# sixteenth.
set -u
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
[ -x /usr/bin/python3 ] || { echo "skip: no /usr/bin/python3"; exit 77; }
bad=0
fail() { echo "$*"; bad=1; }

# A machine without the means is found out by the first program, and says which layer is missing.
echo '{"completion": "print(1)", "ground_truth": [{"input": "", "output": "1"}], "dataset": "code_stdio"}' |
    reward-verify -q --unverified none.jsonl >one.jsonl
if [ -s none.jsonl ]; then
    echo "skip: $(jq -r .no_verdict none.jsonl)"
    exit 77
fi

jq -Rsc '
    split("\n=== ")[1:][] | (index("\n")) as $n | (.[:$n] / " ") as $head |
    (.[$n + 1:] | split("\n---\n")) as $parts | ($head[2] | endswith("-c") or . == "code-c") as $c |
    {name: ($head[3:] | join(" ")), kind: $head[0], want: ($head[1] | tonumber),
     dataset: (if $head[2] == "code-c" then "code" elif $head[2] == "stdio-c" then "code_stdio"
               else $head[2] end),
     language: (if $c then "c" else "python" end),
     ground_truth: $parts[0],
     completion: ("Here it is:\n```" + (if $c then "c" else "python" end) + "\n" + $parts[1] + "```\n")}
' "$TESTS/verifier/code.txt" >cases.jsonl
[ -x /usr/bin/gcc ] || { grep -v '"language":"c"' cases.jsonl >some; mv some cases.jsonl; echo "skip: no /usr/bin/gcc"; }
n_tamper=$(grep -c '"kind":"tamper"' cases.jsonl)
[ "$n_tamper" -ge 20 ] || fail "only $n_tamper tampering programs"
reward-verify -q --code-seconds 1 --explain --unverified none.jsonl cases.jsonl >judged.jsonl || fail "status $?"
[ -s none.jsonl ] && { fail "no verdict on:"; jq -c '[.name, .no_verdict]' none.jsonl; }
[ "$(wc -l <judged.jsonl)" = "$(wc -l <cases.jsonl)" ] || fail "records are missing"
jq -c 'select(.reward != .want) | [.kind, .name, .want, .verdict]' judged.jsonl >wrong
[ -s wrong ] && { fail "wrong verdicts:"; cut -c 1-600 wrong; }
echo "$(wc -l <cases.jsonl) cases, $n_tamper of them tamper, $(jq -c 'select(.kind == "tamper" and .reward > 0)' judged.jsonl | wc -l) of these rewarded"

# The same in any number of processes.
jq -c 'del(.verdict)' judged.jsonl >first
head -n 16 cases.jsonl | reward-verify -q --workers 3 --code-seconds 1 | jq -c . >second
head -n 16 first | cmp - second || fail "another number of workers gives other verdicts"

every=16
[ -n "${LONG:-}" ] && every=1
human=$THINKPIPE_DATA/humaneval/HumanEval.jsonl mbpp=$THINKPIPE_DATA/mbpp/mbpp.jsonl
if [ ! -r "$human" ] || [ ! -r "$mbpp" ]; then
    echo "skip: no humaneval and mbpp in \$THINKPIPE_DATA"
    exit $bad
fi
awk "NR % $every == 0" "$human" >human.jsonl
awk "NR % $every == 0" "$mbpp" >mbpp.jsonl
# As a chat answer, as the bare continuation of the prompt, and broken: with a result that is no
# answer, and without the end of the program.
{
    jq -c '. + {want: 1, completion: ("```python\n" + .prompt + .canonical_solution + "```")}' human.jsonl
    jq -c '. + {want: 1, completion: .canonical_solution}' human.jsonl
    jq -c '. + {want: 0, completion: ("    return \"wrong\"\n" + .canonical_solution)}' human.jsonl
    jq -c '. + {want: 1, completion: ("It is\n```\n" + .code + "\n```")}' mbpp.jsonl
    jq -c '. + {want: 0, completion: (.code + "\n" + ([.code | scan("def +(\\w+)")[0]] | map(. + " = lambda *a, **k: \"wrong\"\n") | add))}' mbpp.jsonl
    jq -c '. + {want: 0, completion: .code[:(.code | length) / 2 | floor]}' mbpp.jsonl
} >references.jsonl
reward-verify -q --verifier code --explain --unverified none.jsonl references.jsonl >judged.jsonl || fail "status $?"
[ -s none.jsonl ] && { fail "no verdict on:"; jq -c '[.task_id, .no_verdict]' none.jsonl; }
jq -c 'select(.reward != .want) | [.task_id, .want, .completion[:80], .verdict.code.detail]' judged.jsonl >wrong
[ "$(wc -l <wrong)" -eq 0 ] || { fail "wrong verdicts:"; head -n 20 wrong; }
echo "$(wc -l <references.jsonl) programs of HumanEval and MBPP: $(grep -c '"want":1' references.jsonl) right, $(grep -c '"want":0' references.jsonl) broken"
exit $bad
