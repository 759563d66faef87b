# Bad records and wrong usage.
try() { echo "$1" | reward-verify -q 2>&1; echo $?; }
try '{"completion":"1","ground_truth":"1"}'
try '{"completion":"1","ground_truth":"1","dataset":"chess"}'
try '{"completion":"1","dataset":"math"}'
try '{"completion":"1","ground_truth":[],"dataset":"math"}'
try '{"completion":"1","ground_truth":"x","dataset":"gsm8k"}'
try '{"ground_truth":"1","dataset":"math"}'
try '{"completion":"1","ground_truth":["1"],"dataset":["math","format"]}'
try '{"completion":"1","ground_truth":["1","1"],"dataset":["math","math"]}'
try '{"completion":"1","ground_truth":["1","1"],"dataset":[]}'
try '{"messages":[{"role":"user","content":"1"}],"ground_truth":"1","dataset":"math"}'
for v in chess random:2 random:x math:y math:1:2; do
    reward-verify --verifier $v </dev/null 2>&1
    echo $?
done
reward-verify -q --verifier math --verifier math:2 </dev/null
