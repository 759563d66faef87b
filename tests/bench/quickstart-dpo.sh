#!/bin/sh
# What the two halves of the quickstart's DPO do: one Markdown row of pass@1 for a finished quickstart.
#
#     quickstart-dpo.sh [build/quickstart]
#
# From the same student, at DPO's learning rate and number of pairs: the chosen answers alone (supervised), DPO
# against the weak sibling's answers as in the recipe, and DPO against the student's own mistakes on the same problems.
# Each is measured with four samples of every held-out problem.
set -eu
bin=$(cd "$(dirname "$0")/../../bin" && pwd) && PATH=$bin:$PATH
cd "${1:-build/quickstart}"
seed=$(jq .seed summary.json)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

pass() { # MODEL: pass@1 in percent and its 95 % interval
    rollout-gen -q --model "$1" --group 4 --max-tokens 96 --batch 128 --seed 7 data/test.jsonl | reward-verify -q >"$tmp/samples.jsonl"
    model-eval -q --task pass sampled="$tmp/samples.jsonl" |
        jq -r '.results.sampled | [.["pass@1,none"], .["pass@1_ci95,none"][]] | map(. * 1000 | round / 10) | "\(.[0]) (\(.[1]) - \(.[2]))"'
}

train() { # PROGRAM OUT OPTIONS...
    program=$1
    name=$2
    shift 2
    $program -q --model sft --out "$tmp/$name" --batch-size 32 --lr 1e-5 --weight-decay 0 --seed "$seed" "$@" >"$tmp/$name.metrics"
}

distill-gen -q --model sft --max-tokens 96 --batch 64 --seed "$seed" data/pair-prompts.jsonl | reward-verify -q |
    jq -c 'select(.reward == 0) | del(.reward, .rewards)' >"$tmp/mistakes.jsonl"
pref-pair -q --chosen data/strong.jsonl --rejected "$tmp/mistakes.jsonl" --drop-equal |
    logprob-recalc -q --model sft --as ref_logprobs >"$tmp/own.jsonl"

train sft-train chosen --epochs 1 data/chosen.jsonl
train dpo-train weak --loss norm --beta 5 data/pairs.jsonl
train dpo-train own --loss norm --beta 5 "$tmp/own.jsonl"
echo "| $seed | $(pass sft) | $(pass "$tmp/chosen") | $(pass "$tmp/weak") | $(pass "$tmp/own") |"
