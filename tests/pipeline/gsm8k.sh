#!/bin/sh
# GSM8K through the programs as they are: fine-tuning on train, generation and verification on test,
# other models' solutions against their marks, strong and weak solutions as preference pairs.
# One line of jq says which field is the question.
set -eu
data=${THINKPIPE_DATA:-}/gsm8k
[ -n "${THINKPIPE_DATA:-}" ] && [ -d "$data" ] || { echo "no GSM8K in \$THINKPIPE_DATA"; exit 77; }
gold='(.answer | split("#### ") | .[1])'

zstd -qdc "$data/train.jsonl.zst" | jq -c "{messages: [{role: \"user\", content: .question},
    {role: \"assistant\", reasoning_content: (.answer | split(\"\\n#### \") | .[0]), content: (\"The answer is \" + $gold)}]}" >train.jsonl
jq -c "{messages: [{role: \"user\", content: .question}], ground_truth: $gold, dataset: \"gsm8k\"}" "$data/test.jsonl" >test.jsonl
[ "$(wc -l <train.jsonl)" = 7473 ] && [ "$(wc -l <test.jsonl)" = 1319 ]

# Every record trains; the loss falls.
tok-train -q --vocab-size 512 --out tok train.jsonl
cat >config.json <<'J'
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 96,
 "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 0,
 "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
model-init -q --config config.json --tokenizer tok --out init
sft-train -q --model init --out sft --batch-tokens 4096 --lr 5e-3 --steps 40 train.jsonl >sft.metrics
jq -s -e 'length == 40 and (.[-5:] | map(.loss) | add / 5) < (.[0].loss - 1.5)' sft.metrics >/dev/null ||
    { echo "the loss did not fall"; jq -c .loss sft.metrics; exit 1; }

# Every test question gets a verdict.
rollout-gen -q --model sft --max-tokens 24 --batch 256 test.jsonl | reward-verify -q >rollouts.jsonl
model-eval -q --task pass gsm8k=rollouts.jsonl >result.json
jq -e '.["n-samples"].gsm8k.effective == 1319' result.json >/dev/null || { cat result.json; exit 1; }

# The reference solutions are right by our verifier, all of them, and changed numbers are wrong.
jq -c "{question, completion: (.answer | sub(\"#### \"; \"The answer is \")), ground_truth: $gold, dataset: \"gsm8k\"}" "$data/test.jsonl" |
    reward-verify -q | jq -e -s 'all(.[]; .reward == 1)' >/dev/null || { echo "a reference solution is called wrong"; exit 1; }
jq -c "{question, completion: (.answer | sub(\"#### \"; \"The answer is 1\")), ground_truth: $gold, dataset: \"gsm8k\"}" "$data/test.jsonl" |
    reward-verify -q | jq -e -s 'all(.[]; .reward == 0)' >/dev/null || { echo "a wrong answer is called right"; exit 1; }

# Solutions of four models, marked by their authors.
solutions=$THINKPIPE_DATA/gsm8k-model-solutions
zstd -qdc "$solutions/example_model_solutions.jsonl.zst" |
    jq -c '(.ground_truth | split("A: ") | .[-1]) as $gold
        | .["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
        | {completion: .solution, mark: .is_correct, ground_truth: $gold, dataset: "gsm8k"}' |
    reward-verify -q >marked.jsonl
jq -s -r '"\(length) solutions, \(map(select((.reward == 1) == .mark)) | length) verdicts as marked, \(map(select(.reward == 1 and (.mark | not))) | length) right against the mark"' marked.jsonl
jq -s -e 'length == 5276 and (map(select((.reward == 1) != .mark)) | length) <= 20' marked.jsonl >/dev/null ||
    { jq -c 'select((.reward == 1) != .mark)' marked.jsonl | head -n 3; exit 1; }

# Strong and weak solutions as pairs.
zstd -qdc "$solutions/delta_pairs.jsonl.zst" | head -n 16 | logprob-recalc -q --model sft --as ref_logprobs |
    dpo-train -q --model sft --out dpo --lr 1e-3 --batch-size 16 --epochs 4 >dpo.metrics
jq -s -e 'length == 4 and .[0]["rewards/margins"] == 0 and .[-1].loss < .[0].loss' dpo.metrics >/dev/null || { cat dpo.metrics; exit 1; }
