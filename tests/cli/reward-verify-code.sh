# How programs are found, the forms of truths, what --explain says, and what is refused.
[ -x /usr/bin/python3 ] || { echo "no /usr/bin/python3"; exit 77; }
echo '{"completion": "print(1)", "ground_truth": [{"input": "", "output": "1"}], "dataset": "code_stdio"}' |
    reward-verify -q --unverified none.jsonl >/dev/null
[ -s none.jsonl ] && { jq -r .no_verdict none.jsonl; exit 77; }
cat >in.jsonl <<'END'
{"id":"a","completion":"<think>```python\nf = 1\n```</think>First\n```python\ndef f(x): return 0\n```\nno:\n```py\ndef f(x): return x*x\n```\nuse\n```sh\npython f.py\n```","ground_truth":"assert f(3) == 9"}
{"id":"b","completion":"def f(x): return x*x","ground_truth":["assert f(3) == 9","assert f(2) == 5"]}
{"id":"c","completion":"~~~\ndef f(x): return x*x\n~~~~\n```\nprint(f(3))\n```","ground_truth":{"tests":"assert f(3) == 9","entry_point":"f"}}
{"id":"d","completion":"```python\ndef f(x):\n    return x*x","ground_truth":"[\"assert f(3) == y\", \"assert f(4) == 16\"]","test_setup_code":"y = 9"}
{"id":"e","prompt":"def f(x):\n    \"\"\"The square.\"\"\"\n","completion":"    return x*x","entry_point":"f","test":"def check(candidate):\n    assert candidate(3) == 9\n"}
{"id":"e2","prompt":"from typing import List\ndef one() -> int:\n    return 1\ndef f(x: List[int]) -> int:\n    \"\"\"One more.\"\"\"\n","completion":"```python\ndef f(x: List[int]) -> int:\n    return len(x) + one()\n```","entry_point":"f","test":"def check(candidate):\n    assert candidate([3]) == one() + 1\n"}
{"id":"e3","prompt":"Please","completion":"```python\ndef f(x): return x*x\n```","entry_point":"f","test":"def check(candidate):\n    assert candidate(3) == 9\n"}
{"id":"f","completion":"```\ndef f(x): return x*x","test_list":["assert f(3) == 9"]}
{"id":"f2","completion":"def f(x): return x*x","ground_truth":"assert f(3) == 9","language":"en"}
{"id":"g","completion":"","ground_truth":"assert f(3) == 9"}
{"id":"h","completion":"def f(x) return x*x","ground_truth":"assert f(3) == 9"}
{"id":"i","completion":"def f(x): return undefined","ground_truth":"assert f(3) == 9"}
{"id":"j","completion":"def f(x):\n  while 1: pass","ground_truth":["assert f(3) == 9","assert 1 == 1"]}
{"id":"k","completion":"```c\nint f(int x) { return x * x; }\n```","ground_truth":"assert(f(3) == 9);"}
END
reward-verify -q --verifier code --code-seconds 0.5 --explain in.jsonl |
    jq -c '[.id, .reward, .verdict.code.rule, .verdict.code.compared, .verdict.code.detail]'
echo "share:"
sed -n '2p;13p' in.jsonl | reward-verify -q --verifier code --code-seconds 0.5 --code-share |
    jq -c '[.id, .reward]'
echo "stdio:"
cat >io.jsonl <<'END'
{"completion":"print(int(input()) ** 2)","ground_truth":{"inputs":["2","3"],"outputs":["4","9"]}}
{"completion":"print(int(input()) * 2)","ground_truth":"[{\"input\":\"2\",\"output\":\"4\"},{\"input\":\"3\",\"output\":\"9\"}]"}
{"completion":"print(1)\nraise ValueError('no')","ground_truth":[{"input":"","output":"1"}]}
{"completion":"import time\ntime.sleep(100)","ground_truth":[{"input":"","output":"1"}]}
{"completion":"while 1: print('x' * 1000)","ground_truth":[{"input":"","output":"1"}]}
END
reward-verify -q --verifier code_stdio --code-seconds 0.5 --explain io.jsonl |
    jq -c '[.reward, .verdict.code_stdio.compared, .verdict.code_stdio.detail]'
echo "bad:"
bad() { echo "$1" | reward-verify -q --verifier "${2:-code}" 2>&1 >/dev/null | sed "s/\(values: \).*undeclared.*/\1X is undeclared/"; }
bad '{"completion":"x"}'
bad '{"completion":"x","ground_truth":[]}'
bad '{"completion":"x","ground_truth":[1]}'
bad '{"completion":"x","ground_truth":"assert f( =="}'
bad '{"completion":"x","ground_truth":{"tests":"assert 1","language":"cobol"}}'
bad '{"completion":"int f(void) { return 1; }","ground_truth":"assert(f());","language":"c"}'
bad '{"completion":"int f(void) { return 1; }","ground_truth":"assert(f() == X);","language":"c"}'
bad '{"completion":"x","ground_truth":"4"}' code_stdio
bad '{"completion":"x","ground_truth":[{"input":"1"}]}' code_stdio
bad '{"completion":"x","ground_truth":{"inputs":["1"],"outputs":[]}}' code_stdio
:
