# Verifiers of text, length and form, as open-instruct names them; several in one record.
cat >in.jsonl <<'END'
{"id":1,"completion":"the quick brown fox","ground_truth":["dog","quick brown dog"],"dataset":"string_f1"}
{"id":2,"completion":"<think>x</think><answer>The fox</answer>","ground_truth":"fox","dataset":"puzzle"}
{"id":3,"completion":"So. The answer is: A dog","ground_truth":"dog","dataset":["flan"]}
{"id":4,"completion":"<finish>Paris</finish>","ground_truth":"[\"London\", \"paris\"]","dataset":"re_search"}
{"id":5,"completion":"<finish>Rome</finish>","ground_truth":"paris","dataset":"re_search_f1"}
{"id":6,"completion":"id 42-x","ground_truth":"^id \\d+","dataset":"regex"}
{"id":7,"completion":"x","token_ids":[1,2,3],"ground_truth":"16387","dataset":"max_length"}
{"id":8,"completion":"x","usage":{"completion_tokens":100},"ground_truth":200,"dataset":"up_to_max_length"}
{"id":9,"completion":"<think>a</think> <answer>b</answer>","dataset":"r1_format"}
{"id":10,"completion":"x","dataset":"passthrough"}
{"id":11,"completion":"the fox x","ground_truth":["fox","x$"],"dataset":["string_f1","regex"]}
END
reward-verify -q --explain in.jsonl | jq -c '[.id,.reward,.verdict]'
sed -n 7p in.jsonl | reward-verify -q --length-scale 20000 | jq .reward
try() { echo "{\"completion\":\"a\",$1}" | reward-verify -q 2>&1; echo $?; }
try '"ground_truth":"(","dataset":"regex"'
try '"ground_truth":"5","dataset":"max_length"'
try '"ground_truth":"5","dataset":"exec"'
try '"ground_truth":"5","dataset":"judge"'
try '"ground_truth":{},"dataset":"string_f1"'
