#!/bin/sh
# GSM8K through the programs: fine-tuning on train, generation and verification on test, four
# models' solutions against their authors' marks, strong and weak solutions as preference pairs.
# The one line of jq is thinkpipe-formats(5)'s: the records' own fields stay as they are, and the
# whole worked solution is the answer to learn and the ground truth.
set -eu
for f in gsm8k/train.jsonl.zst gsm8k/test.jsonl \
    gsm8k-model-solutions/example_model_solutions.jsonl.zst \
    gsm8k-model-solutions/delta_pairs.jsonl.zst; do
    [ -f "${THINKPIPE_DATA:-}/$f" ] || { echo "no $f in \$THINKPIPE_DATA"; exit 77; }
done
train=$THINKPIPE_DATA/gsm8k/train.jsonl.zst test=$THINKPIPE_DATA/gsm8k/test.jsonl
solutions=$THINKPIPE_DATA/gsm8k-model-solutions
problems() {
    jq -c '. + {messages: [{role: "user", content: .question},
                           {role: "assistant", content: .answer}],
                ground_truth: .answer, dataset: "gsm8k"}' "$@"
}
zstd -qdc "$train" | problems >train.jsonl
problems "$test" >test.jsonl

# Every record is read, and a few steps bring the loss down.
tok-train --vocab-size 512 --out tok train.jsonl 2>tok.log || { cat tok.log; exit 1; }
cat >config.json <<'J'
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32,
 "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 0, "max_position_embeddings": 2048,
 "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu", "tie_word_embeddings": true,
 "torch_dtype": "float32"}
J
model-init -q --config config.json --tokenizer tok --out init
sft-train --model init --out sft --batch-tokens 4096 --lr 5e-3 --steps 40 train.jsonl \
    >sft.metrics 2>sft.log || { cat sft.log; exit 1; }
for log in tok.log sft.log; do
    grep -q ' in=7473 .* rejected=0$' $log || { echo "$log: not all of train"; cat $log; exit 1; }
done
jq -s -e 'length == 40 and (.[-5:] | map(.loss) | add / 5) < .[0].loss - 1.5' sft.metrics \
    >/dev/null || { echo "the loss did not fall"; jq -c .loss sft.metrics; exit 1; }

# Every question of test gets a verdict, and its record comes out with all its fields.  The answer
# that a record has is not part of the prompt.
rollout-gen -q --model sft --max-tokens 24 --batch 256 test.jsonl | reward-verify -q >rollouts.jsonl
jq -c '{question, answer, messages, ground_truth, dataset}' rollouts.jsonl | sort >out.txt
sort test.jsonl | cmp - out.txt || { echo "rollouts do not carry the test set's fields"; exit 1; }
jq -c '{messages: [.messages[0], {role: "assistant", content: ""}]}' rollouts.jsonl |
    tok-encode -q --tokenizer tok --format jsonl | jq -c '.tokens[:-2]' >prompts.txt
jq -c .prompt_token_ids rollouts.jsonl | cmp - prompts.txt || { echo "other prompts"; exit 1; }
model-eval -q --task pass gsm8k=rollouts.jsonl >result.json
jq -s -e '.[0] as $result | .[1:] | length == 1319 and $result["n-samples"].gsm8k.effective == 1319
    and ($result.results.gsm8k["pass@1,none"] - (map(.reward) | add / 1319) | fabs) < 1e-9' \
    result.json rollouts.jsonl >/dev/null || { cat result.json; exit 1; }

# The reference solutions, which are in the records, are right.
reward-verify -q test.jsonl | jq -s -e 'length == 1319 and all(.[]; .reward == 1)' >/dev/null ||
    { echo "a reference solution is called wrong"; exit 1; }

# The number behind the reference solution's #### is right without it and without commas, too; with
# one more digit it is wrong.
jq -c '(.answer | split("#### ")[-1] | gsub(",";"")) as $n |
    . + {completion: "The answer is \($n).", right: 1}, . + {completion: "So \($n)1", right: 0}' \
    test.jsonl | reward-verify -q >known.jsonl
jq -s -e 'length == 2638 and all(.[]; .reward == .right)' known.jsonl >/dev/null ||
    { jq -c 'select(.reward != .right)' known.jsonl | head -n 3; exit 1; }

# The marks say whether the last number is the truth's.  So does the verifier, hence no disagreement
# is allowed: 5276 of 5276.
zstd -qdc "$solutions/example_model_solutions.jsonl.zst" |
    jq -c '{ground_truth, dataset: "gsm8k"} +
        (.[] | objects | {completion: .solution, is_correct})' | reward-verify -q >marked.jsonl
jq -s -r 'map(select((.reward == 1) == .is_correct)) as $agree | map(select(.reward == 1)) as $right
    | "\($agree | length) of \(length) verdicts as marked, \($right | length) right"' marked.jsonl
jq -s -e 'length == 5276 and all(.[]; (.reward == 1) == .is_correct)' marked.jsonl >/dev/null ||
    { jq -c 'select((.reward == 1) != .is_correct)' marked.jsonl | head -n 3; exit 1; }

# Strong and weak solutions as pairs, no field renamed.
zstd -qdc "$solutions/delta_pairs.jsonl.zst" | head -n 16 |
    logprob-recalc -q --model sft --as ref_logprobs |
    dpo-train -q --model sft --out dpo --lr 1e-3 --batch-size 16 --epochs 4 >dpo.metrics
jq -s -e 'length == 4 and .[0]["rewards/margins"] == 0 and .[-1].loss < .[0].loss' dpo.metrics \
    >/dev/null || { cat dpo.metrics; exit 1; }
