#!/bin/sh
# A swarm of small runs from shards to a mixture: stopped by kill -9 and called again it repeats nothing and ends in
# the bytes of an unbroken one; so it does as an array of a real Slurm.
set -eu
task-gen -q --task list --n 60 --seed 1 --trace | jq -c '{id, text: .messages[1].reasoning_content}' >list.jsonl
task-gen -q --task string --n 60 --seed 1 --trace | jq -c '{id, text: .messages[0].content}' >string.jsonl
task-gen -q --task arithmetic --n 200 --seed 1 --trace | jq -c '{id, text: .messages[1].reasoning_content}' >sums.jsonl
cat list.jsonl string.jsonl sums.jsonl | tok-train -q --vocab-size 280 --out tok
mkdir train val
for d in list string sums; do
    head -n 50 $d.jsonl | tok-encode -q --tokenizer tok --out train/$d.shard
    tail -n 10 $d.jsonl | tok-encode -q --tokenizer tok --out val/$d.shard.zst
done
cat >config.json <<'J'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
 "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 0,
 "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000, "hidden_act": "silu",
 "tie_word_embeddings": true, "torch_dtype": "float32"}
J
model-init -q --config config.json --tokenizer tok --out init
export MODEL=init TRAIN=train VAL=val RUNS=10 TOKENS=4K BATCH_TOKENS=512 SEQ_LEN=64 LR=1e-2 WARMUP_STEPS=1 PARALLEL=2 QUIET=1 FORCE=1
swarm=$ROOT/pipelines/mix-swarm.sh

OUT=whole sh "$swarm" all 2>log || { cat log; exit 1; }
[ "$(wc -l <whole/metrics.csv)" = 11 ] || { cat whole/metrics.csv; exit 1; }
[ "$(head -n 1 whole/metrics.csv)" = run,list,string,sums ] || { head -n 1 whole/metrics.csv; exit 1; }
jq -e '(.weights | add) > 0.999 and (.weights | keys) == ["list", "string", "sums"]' whole/mixture.json >/dev/null
# More of a domain is better for it: run 0 is natural, and the run with the most sums is better at them.
awk -F, 'NR == FNR { share[$1] = $4; next } FNR > 1 { n++; if (share[$1] > 0.6) { a += $4; na++ } else if (share[$1] < 0.3) { b += $4; nb++ } }
    END { if (na && nb && a / na >= b / nb) { print "sums do not help sums: " a / na " " b / nb; exit 1 } }' whole/mixtures.csv whole/metrics.csv

# Killed after some runs, in the middle of another.
export OUT=broken
sh "$swarm" plan
sh "$swarm" run 0
sh "$swarm" run 3
cp broken/run-3.csv kept
setsid sh "$swarm" all >/dev/null 2>&1 &
pid=$!
for _ in $(seq 200); do [ -e broken/run-1.csv ] && break; sleep 0.05; done
kill -9 -- -$pid 2>/dev/null || true
wait $pid 2>/dev/null || true
touch -r kept broken/run-3.csv
sh "$swarm" all 2>log || { cat log; exit 1; }
[ ! broken/run-3.csv -nt kept ] || { echo "run 3 was repeated"; exit 1; }
cmp whole/metrics.csv broken/metrics.csv
cmp whole/mixture.json broken/mixture.json

# Checkpoints: a run that was stopped goes on.
export OUT=steps CHECKPOINT_EVERY=2 KEEP=1
sh "$swarm" run 0 2>log && { echo "a run without a plan"; exit 1; }
grep -q "first '.*plan'" log
sh "$swarm" plan
sh "$swarm" run 1
cut -d, -f2- steps/run-1.csv >once
rm steps/run-1.csv steps/run-1/model.safetensors
sh "$swarm" run 1
cut -d, -f2- steps/run-1.csv | cmp - once

# As an array of a real Slurm: the same runs, the fit behind them; one run is taken away and queued again.
. "$TESTS/slurm.sh"
missing=$(slurm_missing)
[ -n "$missing" ] || { trap 'slurm_stop "$PWD/cluster"' EXIT; slurm_start "$PWD/cluster" 2 >why || missing=$(tail -n 1 why); }
if [ -n "$missing" ]; then
    echo "skip: the swarm as a Slurm array: $missing"
else
    unset CHECKPOINT_EVERY KEEP
    export OUT=array SBATCH_OPTIONS="--partition=main"
    sh "$swarm" slurm >jobs
    array=$(scontrol show job | sed -n 's/.*ArrayJobId=\([0-9]*\).*/\1/p' | head -n 1)
    tries=0
    until [ -s array/run-4.metrics.jsonl ] || [ $tries = 600 ]; do tries=$((tries + 1)); sleep 0.05; done
    scontrol requeue "${array}_4" 2>requeue.log || true # it may be done
    tries=0
    while [ -n "$(squeue -h)" ] && [ $tries -lt 900 ]; do
        scontrol update jobid="${array}_4" StartTime=now 2>/dev/null || true # it would wait for two minutes
        tries=$((tries + 1))
        sleep 0.2
    done
    [ -z "$(squeue -h)" ] || { squeue; tail -n 3 array/slurm-*.log; exit 1; }
    cmp whole/metrics.csv array/metrics.csv
    cmp whole/mixture.json array/mixture.json
fi
OUT=broken
sh "$swarm" run 99 2>log && exit 1
grep -q "there is no run '99'" log
