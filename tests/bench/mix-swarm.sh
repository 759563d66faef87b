#!/bin/sh
# A swarm of 64 models of 1M parameters on real text, and whether the mixture it finds holds for models four times as
# large: the table and the picture of mix-fit.md.  In PATH: the programs, jq, zstd.
#
#   THINKPIPE_DATA=... tests/bench/mix-swarm.sh FOLDER [step ...]
#
# Steps: data, runs, solve, finals, table; all by default.  It can be stopped and called again; PARALLEL runs at once
# (2).  The swarm takes some 10 minutes of CPU time, the nine large models 7.
#
# Six domains, cut into documents of at most 2000 characters, every twelfth of which is held out.  The target is code
# with formulas: Python and LaTeX, and a little of the rest.
set -eu
[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
cd "$1"
shift
swarm=$here/pipelines/mix-swarm.sh
domains="code_c code_python fiction mathtex nonfiction spanish"
target=code_python:0.45,mathtex:0.45,code_c:0.025,fiction:0.025,nonfiction:0.025,spanish:0.025
export TRAIN=train VAL=val RUNS=64 TOKENS=98304 BATCH_TOKENS=1024 SEQ_LEN=256 WARMUP_STEPS=8
seeds="1 2 3"

config() { # width
    jq -n --argjson w "$1" '{architectures: ["LlamaForCausalLM"], model_type: "llama", hidden_size: $w,
        intermediate_size: ($w * 2.75), num_hidden_layers: 5, num_attention_heads: ($w / 32), num_key_value_heads: ($w / 64),
        head_dim: 32, vocab_size: 0, max_position_embeddings: 1024, rms_norm_eps: 1e-6, rope_theta: 10000, hidden_act: "silu",
        tie_word_embeddings: true, initializer_range: 0.03, torch_dtype: "bfloat16"}'
}

# 24 of each domain's held-out documents are measured.
data() {
    mkdir -p text train val
    for d in $domains; do
        corpus-read -q --max-chars 2000 "$THINKPIPE_DATA/text/$d.jsonl.zst" >text/all.jsonl
        awk 'NR % 12 != 0' text/all.jsonl >"text/$d.jsonl"
        awk 'NR % 12 == 0' text/all.jsonl >text/held.jsonl
        awk -v n="$(wc -l <text/held.jsonl)" 'int(NR * 24 / n) != int((NR - 1) * 24 / n)' text/held.jsonl >"text/$d-val.jsonl"
    done
    for d in $domains; do head -n 1200 "text/$d.jsonl"; done | tok-train -q --vocab-size 1024 --out tok
    for d in $domains; do
        tok-encode -q --tokenizer tok --out "train/$d.shard" "text/$d.jsonl"
        tok-encode -q --tokenizer tok --out "val/$d.shard" "text/$d-val.jsonl"
    done
    config 128 >small.json
    config 256 >large.json
    model-init -q --config small.json --tokenizer tok --seed 1 --out init
    for s in $seeds; do model-init -q --config large.json --tokenizer tok --seed "$s" --out "init-$s"; done
    touch data.done
}

runs() {
    export MODEL=init OUT=swarm SEED=1 LR=3e-3
    sh "$swarm" plan
    tail -n +2 swarm/mixtures.csv | cut -d, -f1 | xargs -P "${PARALLEL:-2}" -n 1 sh "$swarm" run
}

solve() {
    MODEL=init OUT=swarm sh "$swarm" fit 2>fit.log
    mix-fit solve --model swarm/model.json --objective $target --sources swarm/sources.jsonl --kl 0.01 --out code.json 2>solve.log
}

finals() {
    [ -s code.json ] || { echo "$0: no code.json: first the step 'solve'" >&2; exit 1; }
    for s in $seeds; do
        mkdir -p "final-$s"
        cp swarm/sources.jsonl "final-$s/"
        { head -n 1 swarm/mixtures.csv; sed -n '2s/^0/natural/p; 3s/^1/uniform/p' swarm/mixtures.csv
          echo "solved,$(for d in $domains; do jq ".weights.$d" code.json; done | paste -s -d ,)"; } >"final-$s/mixtures.csv"
    done
    export LR=2e-3
    for s in $seeds; do for r in solved natural uniform; do echo "$s $r"; done; done | xargs -P "${PARALLEL:-2}" -n 2 \
        sh -c 'MODEL=init-$1 OUT=final-$1 SEED=$(($1 + 10)) sh "$0" run "$2"' "$swarm"
}

# Weighted mean of the logarithms of bits per byte.
score() { # seed run
    awk -F, -v names="$(echo $domains | tr ' ' ,)" -v target="$target" '
        BEGIN { n = split(target, o, ","); for (i = 1; i <= n; i++) { split(o[i], p, ":"); w[p[1]] = p[2] }; m = split(names, name, ",") }
        { for (i = 1; i <= m; i++) sum += w[name[i]] * log($(i + 1)); printf "%.4f", sum }' "final-$1/run-$2.csv"
}

table() {
    for s in $seeds; do echo "code $s $(score "$s" solved) $(score "$s" natural) $(score "$s" uniform)"; done >scores.txt
    awk 'BEGIN { print "| seed | solved | natural | uniform |\n|---|---|---|---|" }
        { printf "| %s | %s | %s | %s |\n", $2, $3, $4, $5 }' scores.txt
    awk -f "$here/tests/bench/mix-swarm.awk" scores.txt >mix-swarm-finals.svg
}

[ $# -gt 0 ] || set -- data runs solve finals table
for step; do
    case $step in
    data) [ -e data.done ] || data ;;
    runs | solve | finals | table) $step ;;
    *) echo "$0: no step '$step'" >&2; exit 2 ;;
    esac
done
