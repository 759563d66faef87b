#!/bin/sh
# Asynchronous RL that is killed at both ends goes on by itself.  With no staleness
# allowed a run is decided by its seed, so that a killed and resumed one must end in
# the bytes of an unbroken one: no group is lost, none is trained on twice.
set -eu
. "$TESTS/tiny-sft.sh"

generator() {
    exec rollout-gen -q --follow policy --group 4 --max-tokens 16 --repeat 0 --shuffle \
        ../prompts.jsonl
}
trainer() { # options
    exec rlvr-train -q --model ../sft --publish policy --out out --resume --prompts-per-step 3 \
        --lr 1e-3 --schedule constant "$@"
}
fail() { echo "$1"; cat metrics err; exit 1; }
end() { # pid ...
    for p in "$@"; do
        kill -9 "$p" 2>/dev/null || true
        wait "$p" 2>/dev/null || true
    done
}
# Waits until the trainer has made so many steps since it was started, or has ended.
steps_or_end() { # pid steps
    for _ in $(seq 6000); do
        kill -0 "$1" 2>/dev/null && [ "$(wc -l <metrics)" -lt "$2" ] || return 0
        sleep 0.01
    done
    end "$1"
    fail "the loop hangs"
}

# Starts the trainer, then, when it has published, what generates for it; waits until the trainer
# has made as many steps, or to its end, and kills both.
run() { # steps option ...
    until=$1
    shift
    rm -f raw rewarded
    mkfifo raw rewarded
    touch before
    sleep 0.1
    : >metrics
    trainer "$@" <rewarded >>metrics 2>err &
    t=$!
    exec 3>rewarded
    for _ in $(seq 600); do [ policy/credits.json -nt before ] && break; sleep 0.05; done
    generator >raw 2>/dev/null &
    g=$!
    reward-verify -q --verifier random:0.4 <raw >&3 2>/dev/null &
    v=$!
    exec 3>&-
    steps_or_end $t "$until"
    if [ "$until" = 99 ]; then
        wait $t || fail "the trainer failed"
        wait $g || fail "the generator failed"
    fi
    end $t $g $v
    if grep -q 'come again' err; then fail "the generator began before the checkpoint's end"; fi
}
state() { # of the finished run: next_group extra_groups
    head -c 8 out/trainer_state.safetensors | od -An -tu8 >length
    tail -c +9 out/trainer_state.safetensors | head -c $(($(cat length))) |
        jq -r '.__metadata__.state | fromjson | .source | "\(.next_group) \(.extra_groups)"'
}

# A mini-batch of two also stops within a batch.
for minibatches in 1 2; do
    set -- --steps 24 --max-staleness 0 --minibatches $minibatches --checkpoint-every $((3 + minibatches))
    rm -rf whole broken
    mkdir whole broken
    cd whole
    run 99 "$@"
    [ "$(wc -l <metrics)" = 24 ] || fail "an unbroken run made other than 24 steps"
    cd ../broken
    for steps in 1 7 5; do run $steps "$@"; done
    ls out | grep -q step- || fail "there is no checkpoint to go on from"
    run 99 "$@"
    first=$(head -n 1 metrics | jq .step)
    [ "$first" -gt 1 ] || fail "the run began anew"
    [ "$(state)" = "$((72 / minibatches)) 0" ] || { state; fail "groups were lost or came twice"; }
    cd ..
    # Within a batch the rest is made by the weights of that moment: other bytes, and right so.
    [ $minibatches = 2 ] && continue
    cmp whole/out/model.safetensors broken/out/model.safetensors ||
        { echo "a resumed live run differs"; exit 1; }
done

# As users do it: one pipe, no order of starting; stopped by a signal, killed, left by its generator,
# and run again.
mkdir pipe
cd pipe
for signal in KILL TERM LEFT KILL TERM NONE; do
    : >metrics
    before=$(ls out 2>/dev/null || true)
    mkfifo raw rewarded
    generator >raw 2>/dev/null &
    g=$!
    reward-verify -q --verifier random:0.4 <raw >rewarded 2>/dev/null &
    v=$!
    trainer --steps 60 --checkpoint-every 2 --max-staleness 1 <rewarded >>metrics 2>err &
    t=$!
    steps_or_end $t $([ $signal = NONE ] && echo 99 || echo 3)
    case $signal in
    KILL) kill -9 $t $g ;;
    LEFT) kill -9 $g ;;
    TERM) kill $t ;;
    esac
    status=0
    wait $t || status=$?
    end $v
    for _ in $(seq 500); do kill -0 $g 2>/dev/null || break; sleep 0.01; done
    kill -0 $g 2>/dev/null && fail "the generator stays when the trainer is gone"
    rm raw rewarded
    case $signal$status in
    KILL137 | TERM75 | LEFT0 | NONE0) ;;
    *) fail "$signal: the trainer ended with $status" ;;
    esac
    [ "$before" != "$(ls out)" ] || fail "no progress after $before"
done
jq -e -s 'all(.[]; .["staleness/max"] <= 1 and .num_groups == 3) and .[-1].step == 60' metrics \
    >/dev/null || fail "steps are missing"
set -- $(state)
[ $(($1 - $2)) = 180 ] || fail "$1 groups came, $2 of them did not count"

# A run whose input ends within a batch: the missing groups are not credited to the next generator.
mkdir ../short
cd ../short
rollout-gen -q --model ../sft --group 4 --max-tokens 16 ../prompts.jsonl 2>err | head -n 16 |
    reward-verify -q --verifier random:0.4 |
    trainer --steps 9 --max-staleness 1 >metrics 2>err || fail "the trainer failed"
[ "$(state)" = "4 -2" ] || fail "$(state): one group of three was not counted as one"
[ "$(jq .groups policy/credits.json)" = 10 ] || fail "$(cat policy/credits.json): other credits than (2 + 2) 3 - 2"
