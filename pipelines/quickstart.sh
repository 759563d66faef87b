#!/bin/sh
# quickstart.sh - the whole recipe on one small machine, from raw text to reinforcement learning.
#
#     make quickstart               (sets PATH, then runs this)
#     SEED=2 OUT=/tmp/q pipelines/quickstart.sh
#     SHRINK=50 pipelines/quickstart.sh      (a rehearsal of a few seconds, which learns nothing)
#
# A student of 0.5 million parameters learns multi-step arithmetic, in every stage of the recipe:
#
#     text -> tokens -> a mixture found by experiment -> base models
#     a teacher's reasoning, checked -> supervised fine-tuning
#     teacher against a weak sibling -> preference pairs -> DPO
#     generator | verifier | trainer -> reinforcement learning
#
# Each stage is measured on the same held-out problems.  Results: $OUT/summary.json and report.html.
set -eu

seed=${SEED:-1}
out=${OUT:-build/quickstart}
shrink=${SHRINK:-1}
some() { echo $(($1 / shrink > 2 ? $1 / shrink : 2)); } # of a number of steps or records
check="reward-verify -q"
[ "$shrink" = 1 ] || check="$check --verifier random:0.5" # a teacher in rehearsal is never right
n_problems=$(some 1000)                                 # held-out problems that a stage is measured on
bin=$(cd "$(dirname "$0")/../bin" 2>/dev/null && pwd) && PATH=$bin:$PATH
# shellcheck source=pipelines/quickstart-lib.sh
. "$(cd "$(dirname "$0")" && pwd)/quickstart-lib.sh"

start_run "$out"

# --- 1. Documents --------------------------------------------------------------------------------
# Four domains of text that Debian packages ship (make deps installs them), and one of short sums as a
# textbook has them; every 100th document is kept for validation.
say "documents"
zcat /usr/share/dictd/gcide.dict.dz |
    corpus-read -q --domain dictionary --split 'regex:\n\n(?=\S)' --min-chars 80 --max-chars 1000 | hold_out dictionary 9000
corpus-read -q --domain python --glob '*.py' --exclude '*/test/*' --max-chars 1000 /usr/lib/python3.11 | hold_out python 6000
corpus-read -q --domain c --glob '*.h' --max-chars 1000 /usr/include/linux | hold_out c 4000
corpus-read -q --domain docs --glob '*.pod' --max-chars 1000 /usr/share/perl | hold_out docs 5000
task-gen -q --task arithmetic --terms 3 --digits 1 --allow-duplicates --n "$(some 12000)" --trace --seed "$((seed + 3000))" |
    jq -c '{id, text: .messages[1].reasoning_content, domain: "sums"}' | hold_out sums 12000
text="dictionary python c docs"
domains="$text sums"

# What is to be learnt: longer problems with exact answers.  The test problems are in no other file.
problems="task-gen -q --task arithmetic --terms 4 --digits 1 --allow-duplicates"
$problems --n "$(some 30000)" --trace --seed "$seed" >data/worked.jsonl
$problems --n "$(some 7000)" --seed "$((seed + 1000))" >data/prompts.jsonl
$problems --n "$(some 2400)" --seed "$((seed + 4000))" >data/pair-prompts.jsonl
$problems --n "$(some 8000)" --seed "$((seed + 2000))" >data/rl-prompts.jsonl
$problems --n "$n_problems" --split test --seed 1 >data/test.jsonl

# --- 2. Tokenizer and shards ---------------------------------------------------------------------
say "tokenizer"
for d in $domains; do head -n 600 data/$d.jsonl; done >data/tok.jsonl
tok-train -q --vocab-size 1024 --out tok data/tok.jsonl
for d in $domains; do
    tok-encode -q --tokenizer tok --out shards/$d.shard data/$d.jsonl
    tok-encode -q --tokenizer tok --out val/$d.shard data/$d-val.jsonl
done

# --- 3. The mixture: a swarm of tiny models, a regression, an optimum --------------------------------
say "mixture"
make_model swarm/init 48 2 2
# The sums have their place in the mid-training part below: the swarm mixes text alone.
mkdir swarm/train swarm/val
for d in $text; do
    ln -s "../../shards/$d.shard" "swarm/train/$d.shard"
    ln -s "../../val/$d.shard" "swarm/val/$d.shard"
done
MODEL=swarm/init TRAIN=swarm/train VAL=swarm/val OUT=swarm RUNS=12 STRENGTH=0.3:3 SEED=$seed TOKENS=$(($(some 60) * 2048)) \
    BATCH_TOKENS=2048 SEQ_LEN=256 LR=4e-3 WARMUP_STEPS=5 REGRESSOR=linear FINAL_TOKENS=1M FORCE=1 QUIET=1 "$here/mix-swarm.sh" all
cp swarm/mixture.json mixture.json

# --- 4. Base models: student, teacher, weak sibling ----------------------------------------------------
say "base models"
make_model init-student 96 4 4
make_model init-teacher 128 4 4
make_model init-weak 96 3 4
# The sums, as the mid-training part of a recipe, get three tenths of the tokens.
shard-mix -q --weights mixture.json --weight sums=0.43 --sources shards --tokens 850K --seed "$seed" --out mix.shard
base="base-train -q --batch-tokens 1024 --seq-len 256 --lr 2e-3 --seed $seed"
$base --model init-student --out base --steps "$(some 800)" mix.shard >metrics/base.jsonl
$base --model init-teacher --out base-teacher --steps "$(some 500)" mix.shard >metrics/base-teacher.jsonl
$base --model init-weak --out base-weak --steps "$(some 400)" mix.shard >metrics/base-weak.jsonl
measure base base

# --- 5. The teacher learns from worked problems; its weak sibling sees little of them ------------------
say "teacher"
tune="--epochs 0 --lr 1e-3 --weight-decay 0 --min-lr-ratio 0.05 --warmup-steps 50 --seed $seed"
sft-train -q --model base-teacher --out teacher $tune --batch-tokens 512 --steps "$(some 1200)" data/worked.jsonl >metrics/teacher.jsonl
sft-train -q --model base-weak --out weak $tune --batch-tokens 512 --steps "$(some 350)" data/worked.jsonl >metrics/weak.jsonl
measure teacher teacher
measure weak weak

# --- 6. Reasoning distillation: the student learns from the teacher's checked answers -------------------
say "distillation"
answer="distill-gen -q --max-tokens 96 --batch 64 --seed $seed"
$answer --model teacher data/prompts.jsonl | $check --filter 1 >data/distilled.jsonl
sft-train -q --model base --out sft $tune --batch-tokens 512 --steps "$(some 800)" data/distilled.jsonl >metrics/sft.jsonl
measure sft sft

# --- 7. Delta learning: the teacher's answers over the weak sibling's -----------------------------------
say "preferences"
# Both answer problems that the student has not seen; the chosen answers are checked, the rejected are not.
$answer --model teacher data/pair-prompts.jsonl | $check --filter 1 >data/strong.jsonl
$answer --model weak data/pair-prompts.jsonl >data/weak.jsonl
pref-pair -q --chosen data/strong.jsonl --rejected data/weak.jsonl --drop-equal --report pairs-report.json |
    logprob-recalc -q --model sft --as ref_logprobs >data/pairs.jsonl
dpo-train -q --model sft --out dpo --loss norm --beta 5 --lr 1e-5 --batch-size 32 --weight-decay 0 --seed "$seed" \
    data/pairs.jsonl >metrics/dpo.jsonl
measure dpo dpo
jq -c '{messages: (.prompt + .chosen)}' data/pairs.jsonl >data/chosen.jsonl
sft-train -q --model sft --out sft-on-chosen $tune --batch-size 32 --epochs 1 --lr 1e-4 --warmup-steps 5 data/chosen.jsonl >metrics/sft-on-chosen.jsonl
measure sft-on-chosen sft-on-chosen

# --- 8. Asynchronous reinforcement learning, and its control with random rewards -------------------------
say "reinforcement learning"
# The warm-up lasts until the second moments are known: without it the first steps cost ten points of reward.
rl() { # rl NAME VERIFIER-OPTIONS: a pipe with one edge back, the published policy
    rollout-gen -q --threads 1 --follow "policy-$1" --group 8 --max-tokens 96 --repeat 0 --shuffle --seed "$seed" data/rl-prompts.jsonl |
        reward-verify -q --threads 1 $2 |
        rlvr-train -q --threads 2 --model dpo --publish "policy-$1" --out "$1" --steps "$(some 120)" --prompts-per-step 32 --max-staleness 2 \
            --lr 2.5e-4 --schedule linear --warmup-steps "$(some 30)" --weight-decay 0 --beta2 0.99 --seed "$seed" >"metrics/$1.jsonl"
}
rl rlvr ""
measure rlvr rlvr
rl rlvr-random "--verifier random:0.5"
measure rlvr-random rlvr-random

runs="base base-teacher teacher weak sft dpo sft-on-chosen rlvr rlvr-random" # the curves of the report
finish_run
