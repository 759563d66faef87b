# pass@k: the unbiased estimate, prompts as units, Wilson's interval for one sample a prompt.
jq -nc 'range(0; 4) as $g | range(0; 4) as $s
    | {group: $g, reward: (if $s < $g then 1 else 0 end), token_ids: [range(0; 2 + $s)],
       finish_reason: (if $s == 3 then "length" else "stop" end)}' >r.jsonl
# right: 0, 1, 2, 3 of 4: pass@1 = 6/16, pass@2 = (0 + 1/2 + 5/6 + 1) / 4
model-eval -q --task pass --pass-k 1,2,4 --seed 3 r.jsonl |
    jq -c '.results.r | to_entries | map(select(.key | test("ci95") | not))[] | [.key, .value]'
model-eval -q --task pass r.jsonl | jq -c '.results.r["pass@1_ci95,none"] as [$a, $b] | [$a >= 0, $a < 0.375, $b > 0.375, $b <= 0.75]'
model-eval -q --task pass --seed 3 r.jsonl >a
model-eval -q --task pass --seed 3 --threads 2 <r.jsonl | sed 's/"stdin"/"r"/' | cmp - a && echo "same bytes from a pipe"
echo "one sample a prompt:"
jq -c 'select(.finish_reason == "length")' r.jsonl | model-eval -q --task pass math=- |
    jq -c '.results.math | [."pass@1,none", ."pass@1_ci95,none"] | flatten | map(. * 10000 | round / 10000)'
jq -c '.["n-samples"], .higher_is_better' a
model-eval -q --task pass --pass-k 8 r.jsonl
echo "status $?"
model-eval -q --task pass --pass-k 1,x r.jsonl 2>&1 | head -n 1
model-eval -q r.jsonl 2>&1 | head -n 1
echo '{"group": 0}' | model-eval -q --task pass
