#!/bin/sh
# What ends a program too early: a full disk, a reader that went away, a signal, a checkpoint that was
# cut.  Nothing half is left, and nothing that was done is lost.
set -u
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M || exit 1
. "$TESTS/bad-input.sh"

shard-pack -q good/tokens >good.shard

# --- damaged training state --------------------------------------------------------------------------

train="sft-train -q --model M --template chatml --steps 4 --batch-tokens 8 --epochs 0 --checkpoint-every 1"
trained_run() { # a run in run/ that was stopped before its end: its final files are gone
    rm -rf run
    $train --out run --keep 0 good/chat >/dev/null || fail "no run to damage"
    rm run/*.safetensors
}
trained_run
cp -r run whole
for n in 0 1 7 8 100 -1; do
    rm -rf run
    cp -r whole run
    truncate -s $n run/step-000003/trainer_state.safetensors
    $train --out run --resume good/chat >out 2>log || fail "trainer_state cut at $n: $(cat log)"
    [ "$(cat log)" = "sft-train: warning: 'run/step-000003' is damaged, looking for an older checkpoint" ] ||
        fail "trainer_state cut at $n: stderr is '$(cat log)'"
    [ "$(jq -r .step out | tr '\n' ' ')" = "3 4 " ] || fail "trainer_state cut at $n: steps $(jq .step out)"
done
rm -rf run
cp -r whole run
truncate -s 100 run/step-00000*/trainer_state.safetensors
$train --out run --resume good/chat >out 2>log
[ $? = 1 ] && [ "$(grep -c "run holds no whole checkpoint" log)" = 1 ] || fail "no whole checkpoint: $(cat log)"
[ ! -s out ] && [ -d run/step-000003 ] || fail "no whole checkpoint, and yet it trained"

# --- no room -----------------------------------------------------------------------------------------

# Standard output.
stdout_full() {
    case $* in *"--out"*) return ;; esac
    in=good/$good
    rm -rf box
    mkdir box
    (cd box && exec timeout 60 "$@") <"$in" >/dev/full 2>log
    status=$?
    in=/dev/null
    clean_refusal 1 "cannot write standard output: No space left on device" "$@"
}
rows readers stdout_full
good=tokens
(cd box && shard-dump -q ../good.shard) >/dev/full 2>log
status=$?
clean_refusal 1 "cannot write standard output: No space left on device" shard-dump
cat >writers <<'END'
-|task-gen -q --n 3
-|shard-mix -q --weight a=1 --tokens 20 a=../good.shard
-|model-info -q ../M
-|mix-fit sample -q --domains a,b --runs 4
-|tok-train --help
END
stdout_full_2() {
    (cd box && exec timeout 60 "$@") >/dev/full 2>log </dev/null
    status=$?
    clean_refusal 1 "cannot write standard output: No space left on device" "$@"
}
rows writers stdout_full_2

# A trainer whose metrics cannot be written warns, goes on and ends well.
metrics_gone() {
    case $1 in tok-train) return ;; *-train) ;; *) return ;; esac
    for reader in full pipe closed; do
        rm -rf box
        mkdir box
        case $reader in
        full) (cd box && exec "$@" ../good/$good) >/dev/full 2>log ;;
        closed) (cd box && exec "$@" ../good/$good) >&- 2>log ;;
        pipe)
            mkfifo box/p
            sleep 10 <box/p &
            sleeper=$!
            (cd box && exec 3>p && kill $sleeper && wait $sleeper 2>/dev/null; exec "$@" ../good/$good >&3) 2>log ;;
        esac
        status=$?
        [ $status = 0 ] || fail "$* with $reader stdout: exit status $status: $(cat log)"
        [ "$(cat log)" = "$1: warning: the reader of the metrics went away; training goes on" ] ||
            fail "$* with $reader stdout: stderr is '$(cat log)'"
        model-info -q box/OUT >/dev/null || fail "$* with $reader stdout: no model"
    done
}
rows readers metrics_gone

# Files over a size limit, in blocks of 512 bytes: every file of a folder in turn.
limited() { # blocks program arguments...
    blocks=$1
    shift
    rm -rf box
    mkdir box
    # The limit would hold for log, too, if the program wrote it itself.
    {
        (cd box && trap '' XFSZ && ulimit -f "$blocks" && exec timeout 60 "$@" ../good/$good) 2>&1 >/dev/null
        echo $? >status
    } | cat >log
    status=$(cat status)
}
out_full() {
    case $* in *"--out "*) ;; *) return ;; esac
    done=0
    for blocks in 0 1 2 3 4 6 8 16 32 64 128 256 512 1024; do
        limited $blocks "$@"
        case $blocks,$status in
        0,* | *,1) clean_refusal 1 "File too large" "$@" ;;
        *,0) done=1 && break ;;
        *) fail "$* with $blocks blocks: exit status $status: $(head -n 3 log)" ;;
        esac
    done
    [ $done = 1 ] || fail "$*: never enough room"
    # Room again: the same call works where it failed.
    rm -rf box
    mkdir box
    (cd box && trap '' XFSZ && ulimit -f 1 && exec "$@" ../good/$good) >/dev/null 2>&1
    (cd box && exec "$@" ../good/$good) >out 2>log || fail "$*: a second try fails: $(cat log)"
}
rows readers out_full
cp -r M good/model
cat >savers <<'END'
model|model-convert -q --out OUT
model|model-convert -q --dtype q8_0 --out OUT.gguf
chat|sft-train -q --model ../M --template chatml --out OUT --epochs 2 --batch-size 1 --checkpoint-every 1
tokens|base-train -q --model ../M --out OUT --steps 4 --batch-tokens 64 --checkpoint-every 2
END
rows savers out_full

# --- closed streams ----------------------------------------------------------------------------------

# A filter whose reader has seen enough ends by the signal, without a word.
rm -rf box && mkdir box
many=$(seq 2000)
closed_pipe() {
    case $* in *-train* | *model-eval* | *"--out"*) return ;; esac
    for i in $many; do cat "good/$good"; done >many.jsonl
    { (cd box && exec timeout 60 "$@" ../many.jsonl) 2>log; echo $? >status; } | head -n 1 >/dev/null
    status=$(cat status)
    [ "$status" = 141 ] || [ "$status" = 0 ] || fail "$* | head: exit status $status"
    [ ! -s log ] || fail "$* | head: stderr is '$(head -n 3 log)'"
}
rows readers closed_pipe
for command in "task-gen -q --n 100000" "shard-mix -q --weight a=1 --tokens 1000000 a=good.shard"; do
    { $command 2>log; echo $? >status; } | head -c 1 >/dev/null
    [ "$(cat status)" = 141 ] && ! grep -v ": warning: 'a' is repeated" log || fail "$command | head: exit status $(cat status): $(cat log)"
done

# Files that are opened do not become the standard output that the caller closed.
tok-encode -q --tokenizer M --out closed.shard good/text >&- 2>log || fail "tok-encode --out >&-: $(cat log)"
tok-encode -q --tokenizer M --out open.shard good/text
cmp -s closed.shard open.shard || fail "tok-encode --out >&- writes something else"
rm -rf box && mkdir box
shard-dump -q good.shard >&- 2>log
status=$?
clean_refusal 1 "cannot write standard output: Bad file descriptor" shard-dump

# A trainer that reads its input again and again to fill a step hears a signal, too.
base-train -q --model M --out BIG --steps 1 --batch-tokens 1000000000000 good/tokens >out 2>log &
trainer=$!
(sleep 30 && kill -KILL $trainer) 2>/dev/null & # should it not
killer=$!
n=0 caught=0
while [ $caught = 0 ] && [ $n -lt 200 ]; do # SIGTERM is bit 14 of the mask
    caught=$((0x0$(sed -n 's/^SigCgt:\t0*//p' /proc/$trainer/status 2>/dev/null) >> 14 & 1))
    sleep 0.05
    n=$((n + 1))
done
kill -TERM $trainer
wait $trainer
[ $? = 75 ] || fail "a trainer that fills a step: exit status is not 75: $(cat log)"
kill $killer 2>/dev/null

# A trainer that waits for its generator and is stopped has saved what it did.
rm -rf RL rl.jsonl fifo
rollout() { # group
    for sample in 0 1; do
        echo "{\"prompt_token_ids\": [1, 2], \"token_ids\": [3, $1$sample], \"logprobs\": [-1.5, -2.5], \"policy_version\": [0, 0], \"group\": $1, \"sample\": $sample, \"reward\": $sample}"
    done
}
for group in 1 2 3 4; do rollout $group; done >rl.jsonl
mkfifo fifo
: >metrics # on a busy machine it is looked at before the trainer's shell has opened it
rl="rlvr-train -q --model M --steps 3 --prompts-per-step 1 --max-staleness -1 --lr 0.01"
$rl --out RL <fifo >metrics 2>log &
trainer=$!
exec 8>fifo
head -n 5 rl.jsonl >&8
n=0
while [ "$(wc -l <metrics)" -lt 2 ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
kill -TERM $trainer
wait $trainer
[ $? = 75 ] || fail "a waiting trainer: exit status is not 75"
exec 8>&-
[ "$(cat log)" = "rlvr-train: stopped after step 2; --resume goes on" ] || fail "a waiting trainer: $(cat log)"
$rl --out RL --resume <rl.jsonl >metrics 2>log || fail "resuming a waiting trainer: $(cat log)"
[ "$(jq .step metrics)" = 3 ] || fail "a waiting trainer resumed at step $(jq .step metrics)"
$rl --out unbroken <rl.jsonl >/dev/null
cmp RL/model.safetensors unbroken/model.safetensors || fail "a waiting trainer resumed to other weights"
exit $bad
