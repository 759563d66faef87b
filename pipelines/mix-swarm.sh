#!/bin/sh
# mix-swarm.sh - a data mixture by experiment: many small runs, a fit, an optimum.
#
#     MODEL=init TRAIN=shards VAL=val OUT=swarm RUNS=64 TOKENS=5M pipelines/mix-swarm.sh all
#     ... pipelines/mix-swarm.sh slurm        the same as a Slurm array, the fit after it
#
# TRAIN and VAL hold a token shard for each domain, NAME.shard; every run starts from MODEL, trains on TOKENS
# of one mixture and is measured in bits per byte on every shard of VAL.  Results in OUT: mixtures.csv, metrics.csv,
# model.json, mixture.json (for shard-mix) and front.svg.
#
# It can be stopped at any moment and called again: runs that have their line (OUT/run-N.csv) are not repeated, and
# with CHECKPOINT_EVERY a run goes on from its last checkpoint.  A second round: OUT=swarm2 AROUND=swarm/mixture.json.
#
#     all         plan, the runs (PARALLEL at once), fit
#     plan        sources.jsonl and mixtures.csv
#     run N       one run
#     fit         model.json and mixture.json from the runs there are
#     slurm       plan, then sbatch for the runs and the fit
set -eu

model=${MODEL:-init} train=${TRAIN:-shards} val=${VAL:-val} out=${OUT:-swarm}
runs=${RUNS:-64} tokens=${TOKENS:-5M} seed=${SEED:-0} parallel=${PARALLEL:-2}
strength=${STRENGTH:-0.1:5}
batch_tokens=${BATCH_TOKENS:-8192} seq_len=${SEQ_LEN:-512} lr=${LR:-2e-3} warmup=${WARMUP_STEPS:-20}
checkpoint_every=${CHECKPOINT_EVERY:-0}
regressor=${REGRESSOR:-mean} objective=${OBJECTIVE:-}     # all domains of VAL alike by default
final_tokens=${FINAL_TOKENS:-0} max_epochs=${MAX_EPOCHS:-4} kl=${KL:-0.05}
sbatch_options=${SBATCH_OPTIONS:-}
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$here/../bin" 2>/dev/null && pwd) && PATH=$bin:$PATH

die() { echo "mix-swarm: $1" >&2; exit 1; }

names() { # of the shards in a folder
    for f in "$1"/*.shard "$1"/*.shard.zst; do
        [ ! -e "$f" ] || basename "$f" | sed "s/\\.shard\\(\\.zst\\)\\{0,1\\}\$//"
    done
}

shard() { # DIR NAME: its path
    [ -e "$1/$2.shard" ] && echo "$1/$2.shard" || echo "$1/$2.shard.zst"
}

count() { # 5M as a number
    awk -v t="$1" 'BEGIN { n = t + 0; u = substr(t, length(t)); print n * (u == "K" ? 1e3 : u == "M" ? 1e6 : u == "G" ? 1e9 : 1) }'
}

plan() {
    mkdir -p "$out"
    if [ ! -e "$out/sources.jsonl" ]; then
        for d in $(names "$train"); do
            shard-info -q "$(shard "$train" "$d")" | jq -c --arg name "$d" '{name: $name, tokens: .n_tokens}'
        done >"$out/sources.jsonl.tmp"
        [ -s "$out/sources.jsonl.tmp" ] || die "no shards in $train"
        mv "$out/sources.jsonl.tmp" "$out/sources.jsonl"
    fi
    [ -e "$out/mixtures.csv" ] ||
        mix-fit sample -q --runs "$runs" --prior "$out/sources.jsonl" --strength "$strength" --seed "$seed" \
            ${AROUND:+--around "$AROUND"} --out "$out/mixtures.csv"
}

# The weights of line N of the mixtures, for shard-mix.
weights() {
    awk -F, -v run="$1" 'NR == 1 { for (i = 2; i <= NF; i++) name[i] = $i; next }
        $1 == run { for (i = 2; i <= NF; i++) printf "{\"%s\": %s}\n", name[i], $i }' "$out/mixtures.csv" |
        jq -s 'if length == 0 then halt_error(1) else {weights: add} end'
}

train_run() { # N DIR
    steps=$(awk -v t="$(count "$tokens")" -v b="$(count "$batch_tokens")" 'BEGIN { n = int(t / b); if (n < 1) n = 1; print n }')
    resume=
    [ ! -e "$2" ] || [ "$checkpoint_every" = 0 ] || resume=--resume
    [ -n "$resume" ] || rm -rf "$2"
    # Six parts in a hundred more than needed: pieces of documents do not fill the last batch exactly.
    shard-mix -q --threads 1 --weights "$out/run-$1.weights.json" --sources "$train" --seed "$seed" \
        --tokens "$(awk -v s="$steps" -v b="$(count "$batch_tokens")" 'BEGIN { printf "%d", s * b * 1.06 + 1000 }')" |
        base-train -q --threads 1 --model "$model" --out "$2" $resume --steps "$steps" --batch-tokens "$batch_tokens" \
            --seq-len "$seq_len" --lr "$lr" --warmup-steps "$warmup" --checkpoint-every "$checkpoint_every" \
            --seed "$seed" >>"$out/run-$1.metrics.jsonl"
}

run() { # N
    [ ! -e "$out/run-$1.csv" ] || return 0
    [ -e "$out/mixtures.csv" ] || die "no $out/mixtures.csv: first '$0 plan'"
    weights "$1" >"$out/run-$1.weights.json" || die "there is no run '$1' in $out/mixtures.csv"
    train_run "$1" "$out/run-$1"
    set -- "$1"
    domains=$(names "$val")
    for d in $domains; do set -- "$@" "$d=$(shard "$val" "$d")"; done
    n=$1
    shift
    model-eval -q --threads 1 --task bpb --model "$out/run-$n" "$@" |
        jq -e -r --arg run "$n" --arg domains "$domains" '.results as $r |
            [$run, ($domains | split("\n")[] | $r[.]["bits_per_byte,none"] | tostring)] | join(",")' >"$out/run-$n.csv.tmp"
    mv "$out/run-$n.csv.tmp" "$out/run-$n.csv"
    [ -n "${KEEP:-}" ] || rm -rf "$out/run-$n" "$out/run-$n.weights.json"
}

fit() {
    echo "run,$(names "$val" | paste -s -d , -)" >"$out/metrics.csv.tmp"
    cut -d, -f1 "$out/mixtures.csv" | while read -r n; do
        [ ! -e "$out/run-$n.csv" ] || cat "$out/run-$n.csv"
    done >>"$out/metrics.csv.tmp"
    [ "$(wc -l <"$out/metrics.csv.tmp")" -gt 1 ] || die "no run of $out is done"
    mv "$out/metrics.csv.tmp" "$out/metrics.csv"
    [ -n "$objective" ] || objective=$(names "$val" | sed 's/$/:1/' | paste -s -d , -)
    set -- ${QUIET:+-q}
    mix-fit fit "$@" --mixtures "$out/mixtures.csv" --metrics "$out/metrics.csv" --regressor "$regressor" --out "$out/model.json"
    set -- "$@" --model "$out/model.json" --objective "$objective" --sources "$out/sources.jsonl" --kl "$kl" ${FORCE:+--force}
    [ "$final_tokens" = 0 ] || set -- "$@" --tokens "$final_tokens" --max-epochs "$max_epochs"
    mix-fit solve "$@" --out "$out/mixture.json"
    case $objective in
    *,*) mix-fit pareto -q "$@" --points 11 --candidates 20000 --svg "$out/front.svg" --out "$out/front.jsonl" 2>/dev/null ||
        rm -f "$out/front.svg" "$out/front.jsonl" ;; # many metrics have too many ways to be weighed
    esac
}

all() {
    plan
    # Each run is a process of its own that takes one core.
    tail -n +2 "$out/mixtures.csv" | cut -d, -f1 | xargs -P "$parallel" -n 1 sh "$0" run
    fit
}

slurm() {
    plan
    last=$(tail -n 1 "$out/mixtures.csv" | cut -d, -f1)
    # shellcheck disable=SC2086 # several words
    id=$(sbatch --parsable --array="0-$last" --cpus-per-task=1 --requeue --job-name=mix-swarm --output="$out/slurm-%a.log" \
        $sbatch_options --wrap "sh '$here/mix-swarm.sh' run \$SLURM_ARRAY_TASK_ID")
    # shellcheck disable=SC2086
    sbatch --dependency="afterok:${id%%;*}" --cpus-per-task=2 --job-name=mix-fit --output="$out/slurm-fit.log" \
        $sbatch_options --wrap "sh '$here/mix-swarm.sh' fit"
}

case ${1:-} in
plan | fit | all | slurm) "$1" ;;
run) [ $# = 2 ] || die "run takes the number of a run"; run "$2" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; [ "${1:-}" = --help ] || exit 2 ;;
esac
