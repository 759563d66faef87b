#!/bin/sh
# The gold answers of MATH, OlympiadBench, OlymMATH, AIME, AMC and GSM8K are equal to themselves in
# six other forms and differ from what is made of them; 800 sampled solutions get the verdicts that
# were read through by hand (those on which Math-Verify differs; tests/bench/math-agree.md).
set -eu
math=${THINKPIPE_DATA:-}/math evals=${THINKPIPE_DATA:-}/math-evals gsm8k=${THINKPIPE_DATA:-}/gsm8k
rollouts=${THINKPIPE_DATA:-}/math-rollouts/rollouts.jsonl.zst
for f in "$math/math500.jsonl" "$math/math_test_minus500.jsonl.zst" "$math/math_train_answers.jsonl.zst" \
    "$evals/olympiadbench_math_en.jsonl" "$evals/olymmath_en_hard.jsonl" "$gsm8k/test.jsonl" "$rollouts"; do
    [ -f "$f" ] || { echo "no ${f#"${THINKPIPE_DATA:-}/"} in \$THINKPIPE_DATA"; exit 77; }
done

# A worked solution's answer is the one that the verifier itself finds.
{
    zstd -qdc "$math/math_test_minus500.jsonl.zst" |
        jq -c '{completion: .solution, ground_truth: .solution}' |
        reward-verify -q --verifier math --explain | jq -c '.verdict.math.extracted'
    zstd -qdc "$math/math_train_answers.jsonl.zst" | cat "$math/math500.jsonl" - \
        "$evals"/olym*_en*.jsonl "$evals"/a[im]*.jsonl | jq -c '.answer | if type == "array" then .[] else . end'
    cat "$gsm8k/test.jsonl" | jq -c '.answer | split("#### ")[1]'
} | jq -c 'strings | gsub("(?<!\\\\)\\$"; "") | select(test("[^ ]") and (test("where") | not))' >golds
n=$(wc -l <golds)
[ "$n" -gt 15000 ] || { echo "only $n gold answers"; exit 1; }

# Each form is a way to write an answer that leaves its meaning alone.
form() { # name, jq
    jq -c --arg name "$1" '{name: $name, ground_truth: ., completion: ('"$2"')}' golds
}
{
    form boxed '"so \\boxed{\(.)}."'
    form minerva '"Final Answer: The final answer is $\(.)$. I hope it is correct."'
    form display '"we find\n\\[\n\(.)\n\\]"'
    form answer-is '"**Answer:**\n\n$$\(.)$$"'
    form style '"\\boxed{\\displaystyle{\(gsub("\\\\frac"; "\\dfrac") | gsub("\\\\left|\\\\right"; ""))}}"'
    form signs '"\\boxed{\(gsub("-"; "−") | gsub("\\+"; " + "))}"'
} | reward-verify -q --verifier math --explain >forms.jsonl
jq -r 'select(.reward != 1) | [.name, .completion, .ground_truth, .verdict.math.compared] | @tsv' forms.jsonl >wrong
[ ! -s wrong ] || { echo "$(wc -l <wrong) of $((6 * n)) forms refused:"; head -20 wrong; exit 1; }

# What is different by construction: whole numbers that are others, other signs, other places.
{
    jq -c 'select(test("^-?[0-9]{1,9}$")) | {ground_truth: ., completion: "\\boxed{\(tonumber + (1, -1, 10, 0.5))}"}' golds
    jq -c 'select(test("^-?[1-9][0-9]{0,9}$")) | {ground_truth: ., completion: ("\\boxed{\(. + ("0", "\\%", "x", "^2+\(.)", "\\pi", "i")  | sub("%$"; "1"))}", "\\boxed{-(\(.))}", "\\boxed{\(.), 0}")}' golds
    jq -c 'select(test("frac|sqrt|pi") and (test("[=,<>]|text|x_|\\\\in|cup|le|ge|overline|circ|%|begin") | not)) |
        {ground_truth: ., completion: "\\boxed{\("(\(.))+1", "2(\(.))", "-(\(.))", "(\(.))+10^{-12}", "(\(.)) x_9", "(\(.))^{-1}+3")}"}' golds
} | reward-verify -q --verifier math --explain >others.jsonl
[ "$(wc -l <others.jsonl)" -gt 100000 ] || { echo "only $(wc -l <others.jsonl) other answers"; exit 1; }
jq -r 'select(.reward != 0) | [.completion, .ground_truth, .verdict.math.compared] | @tsv' others.jsonl >wrong
[ ! -s wrong ] || { echo "$(wc -l <wrong) wrong answers accepted:"; head -20 wrong; exit 1; }

zstd -qdc "$rollouts" | jq -c '.answer as $a | .responses[] | {completion: ., ground_truth: $a}' |
    reward-verify -q --verifier math | jq -s -c '[length, (map(.reward) | add)]' >counts
[ "$(cat counts)" = '[800,737.0]' ] || [ "$(cat counts)" = '[800,737]' ] || {
    echo "sampled solutions: $(cat counts), expected 737 of 800"; exit 1; }
echo "$n gold answers, $((6 * n)) forms, $(wc -l <others.jsonl) other answers, 800 solutions"
