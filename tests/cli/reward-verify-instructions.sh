# Instructions in the forms of IFEval, IFBench and open-instruct; strict and loose, share and all.
cat >in.jsonl <<'END'
{"completion":"One two, three.","instruction_id_list":["punctuation:no_comma","length_constraints:number_words"],"kwargs":[{},{"relation":"at least","num_words":3}]}
{"completion":"Sure, here it is:\n**No such mark.**","instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]}
{"completion":"<think>a, b</think>I told you that.","instruction_id_list":["count:pronouns","punctuation:no_comma"],"kwargs":[{"N":3.0,"keyword":null},null]}
{"completion":"<answer>the level is low</answer>","ground_truth":"[{'instruction_id': ['keywords:palindrome', 'letters:letter_counting'], 'kwargs': [None, {'N': 100, 'relation': 'less than'}]}]"}
{"completion":"<think>a b</think>\n\nword\n","instruction_id_list":["format:no_whitespace","custom:multiples"],"kwargs":[{},{}]}
{"completion":"","instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]}
END
reward-verify -q --explain --verifier ifeval in.jsonl | jq -c '[.reward, .verdict.ifeval[]]'
reward-verify -q --verifier ifbench --verifier ifbench_all --verifier ifbench_loose --verifier ifbench_all_loose in.jsonl | jq -c .rewards
try() { echo "{\"completion\":\"a\",\"dataset\":\"ifeval\",$1}" | reward-verify -q 2>&1; echo $?; }
try '"instruction_id_list":["count:chess"],"kwargs":[{}]'
try '"instruction_id_list":["count:numbers"],"kwargs":[{"N":null}]'
try '"ground_truth":"[{"'
try '"instruction_id_list":["count:numbers"],"kwargs":[]'
