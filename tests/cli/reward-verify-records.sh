# Every form of response and truth; unknown fields stay.
cat >in.jsonl <<'END'
{"id":"a","completion":"<think>7</think>The answer is 42.","ground_truth":"42","dataset":"gsm8k","x":{"y":[1.5]}}
{"id":"b","completion":"<think>42","ground_truth":"42","dataset":"gsm8k"}
{"id":"c","completion":"42","template":"chatml-think","ground_truth":"42","dataset":"gsm8k"}
{"id":"d","completion":"so</think>\\boxed{\\frac{1}{2}}","think_opened":true,"ground_truth":0.5,"dataset":"math"}
{"id":"e","messages":[{"role":"user","content":"q"},{"role":"assistant","reasoning_content":"41","content":"<answer>Paris</answer>"}],"ground_truth":["Rome","paris"],"dataset":"string_matcher"}
{"id":"f","response":"3*(3+5)","ground_truth":"24","numbers":[3,5,3],"dataset":"countdown"}
{"id":"g","completion":"<think>a</think>5","ground_truth":["5",""],"dataset":["math","format"]}
{"id":"h","completion":"5","ground_truth":5,"dataset":["exact"],"finish_reason":"length"}
END
reward-verify in.jsonl --explain
reward-verify -q in.jsonl --whole-text --verifier gsm8k:2 --verifier format --scale 10 --skip-bad --rejects bad.jsonl |
    sed 's/.*\("reward":.*\)/\1/'
cat bad.jsonl
reward-verify -q in.jsonl --non-stop-penalty 0.25 | sed -n '$s/.*\("reward":.*\)/\1/p'
reward-verify in.jsonl --filter 1 | sed 's/^\(.\{9\}\).*/\1/'
