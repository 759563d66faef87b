# What math reads, what decides, and what only strict_math asks for.
cat >in.jsonl <<'END'
{"completion":"so \\boxed{\\frac{6}{\\sqrt{3}}}","ground_truth":"2\\sqrt{3}"}
{"completion":"so \\boxed{\\sqrt{3+2\\sqrt{2}}}","ground_truth":"1+\\sqrt{2}"}
{"completion":"so \\boxed{\\frac{22}{7}}","ground_truth":"\\pi"}
{"completion":"hence \\[ y = 2x + 3 \\]","ground_truth":"2x - y + 3 = 0"}
{"completion":"The answer is 5 cm.","ground_truth":"50 mm"}
{"completion":"\\boxed{x \\ge 3}","ground_truth":"[3,\\infty)"}
{"completion":"\\boxed{(B) 5 apples}","ground_truth":"B"}
{"completion":"\\boxed{9^{9^{9^{9}}}}","ground_truth":"9^{9^{9^{8}}}"}
{"completion":"\\boxed{\\sum_k k}","ground_truth":"1"}
{"completion":"the final answer is $\\frac12$. I hope it is correct. \\boxed{7}","ground_truth":["0.25","0.5"]}
END
reward-verify -q --verifier math --explain in.jsonl | jq -c '[.reward, .verdict.math[]]'
tail -n 2 in.jsonl | reward-verify -q --verifier strict_math --explain | jq -c '[.reward, .verdict.strict_math[]]'
