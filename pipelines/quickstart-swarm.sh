#!/bin/sh
# One run of the mixture experiment: quickstart-swarm.sh DOMAINS STEPS RUN.
# A tiny model learns from the mixture of line RUN of swarm/mixtures.csv, and is measured on every domain.
set -eu
domains=$1 steps=$2 run=$3
dir=swarm/run-$run
awk -F, -v run="$run" 'NR == 1 { for (i = 2; i <= NF; i++) name[i] = $i; next }
    $1 == run { for (i = 2; i <= NF; i++) printf "{\"%s\": %s}\n", name[i], $i }' swarm/mixtures.csv |
    jq -s '{weights: add}' >"$dir.weights.json"
shard-mix -q --threads 1 --weights "$dir.weights.json" --sources shards --tokens 130K --seed 1 |
    base-train -q --threads 1 --model swarm/init --out "$dir" --steps "$steps" --batch-tokens 2048 --seq-len 256 --lr 4e-3 \
        --warmup-steps 5 >/dev/null
set --
for d in $domains; do set -- "$@" "$d=val/$d.shard"; done
model-eval -q --threads 1 --task bpb --model "$dir" "$@" |
    jq -r --arg run "$run" --arg domains "$domains" \
        '.results as $r | [$run, ($domains | split(" ")[] | $r[.]["bits_per_byte,none"] | tostring)] | join(",")' >"$dir.csv"
