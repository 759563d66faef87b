#!/bin/sh
# Every program against every kind of bad input: the exit status, one line that names the file and the
# line, and nothing half written.
set -u
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M || exit 1
. "$TESTS/fault/bad-input-lib.sh"

# --- lines that are no records ---------------------------------------------------------------------

first_good() { head -n 1 "good/$good"; }
second_bad() { # text program arguments...: the second of three lines is the one on stdin of this call
    text=$1
    shift
    { first_good; cat line; first_good; } >bad.jsonl
    refused "$text" "$@" ../bad.jsonl
    grep -q ": \.\./bad\.jsonl:2: " log || fail "$*: no file and line in '$(cat log)'"
    no_whole_shard "$@"
}
good_input() {
    in=good/$good
    taken "$@"
    in=/dev/null
}
rows readers good_input
while IFS='|' read -r text line; do
    # shellcheck disable=SC2059
    printf "$line\n" >line
    want_text=$text
    each() { second_bad "$want_text" "$@"; }
    rows readers each
done <<'END'
not JSON|{"id": "a", "text": 
not JSON|{"text": NaN, "tokens": [NaN]}
not JSON|{} {}
not JSON|{"id": 1, "id": 2}
not JSON|{"text": "\\377\\376", "prompt": "\\377"}
not JSON|{"text": "a\\001b"}
not JSON|{"text": "a\\000b"}
not JSON|<!DOCTYPE html>
the record is an array|[1, 2]
the record is a string|"text"
the record is null|null
END
head -c 3000 /dev/zero | tr '\0' '[' >line && echo >>line
each() { second_bad "not JSON: maximum parsing depth" "$@"; }
rows readers each

# --- files that are cut, missing, or something else ---------------------------------------------------

file_faults() {
    cat "good/$good" "good/$good" >bad.jsonl
    truncate -s -3 bad.jsonl
    refused "../bad.jsonl:4: the line is cut (no newline at its end): not JSON" "$@" ../bad.jsonl
    zstd -q -f bad.jsonl -o bad.jsonl.zst && truncate -s -3 bad.jsonl.zst
    refused "../bad.jsonl.zst" "$@" ../bad.jsonl.zst
    gzip -c bad.jsonl >bad.jsonl.gz && truncate -s -3 bad.jsonl.gz
    refused "../bad.jsonl.gz" "$@" ../bad.jsonl.gz
    refused "../missing.jsonl': No such file or directory" "$@" ../missing.jsonl
    [ "$1" = corpus-read ] || refused "'../M': it is a directory" "$@" ../M
    refused "bad.jsonl:1: " "$@" --max-line-bytes 10 ../bad.jsonl
}
rows readers file_faults

# Taken: a byte order mark, CR LF, blank lines, a line of 1 MiB.
wide_input() {
    printf '\357\273\277' >wide.jsonl
    while read -r line; do
        printf '%s, "pad": "' "${line%\}}"
        head -c 1048576 /dev/zero | tr '\0' x
        printf '"}\r\n\n \n'
    done <"good/$good" >>wide.jsonl
    in=wide.jsonl
    taken "$@"
    in=/dev/null
}
rows readers wide_input

# Nothing at all: a filter has nothing to say, a trainer and an evaluation have nothing to do.
nothing() {
    case $1 in
    tok-train) ;; # 256 bytes are a tokenizer; it warns
    *-train | model-eval) refused "" "$@" ;;
    *) taken "$@" ;;
    esac
}
rows readers nothing

# --- fields of the wrong type ------------------------------------------------------------------------

while IFS='|' read -r program text line; do
    case $program in '' | '#'*) continue ;; esac
    echo "$line" >line
    each() { [ "$1" = "$program" ] && second_bad "$want_text" "$@"; }
    want_text=$text
    rows readers each
done <"$TESTS/fault/bad-input.types"

# --- token shards ------------------------------------------------------------------------------------

shard-pack -q good/tokens >good.shard
cat >shard-readers <<'END'
|shard-dump -q
|shard-dump -q --info
|tok-decode -q --tokenizer ../M
|base-train -q --model ../M --out OUT --steps 1 --batch-tokens 64
|sft-train -q --model ../M --out OUT
|model-eval -q --task bpb --model ../M
END
size=$(wc -c <good.shard)
n=1
while [ $n -lt "$size" ]; do
    head -c $n good.shard >bad.shard
    refused "../bad.shard" shard-dump -q --info ../bad.shard
    n=$((n + 1))
done
shard_faults() {
    taken "$@" ../good.shard
    for n in 7 8 9 100 $((size - 60)) $((size - 1)); do
        head -c $n good.shard >bad.shard
        refused "../bad.shard" "$@" ../bad.shard
    done
    { head -c $((size - 1)) good.shard; printf x; } >bad.shard
    refused "../bad.shard" "$@" ../bad.shard
    { cat good.shard; echo x; } >bad.shard
    refused "../bad.shard" "$@" ../bad.shard
    zstd -q -f good.shard -o bad.shard.zst && truncate -s -5 bad.shard.zst
    refused "../bad.shard.zst" "$@" ../bad.shard.zst
    refused "'../missing.shard': No such file" "$@" ../missing.shard
}
sed 's/^|/-|/' shard-readers >t && mv t shard-readers
rows shard-readers shard_faults
head -c 100 good.shard >bad.shard
refused "../bad.shard" shard-mix -q --weight a=1 --tokens 20 a=../bad.shard
refused "../bad.shard" shard-mix -q --weight a=1 --tokens 20 --out OUT.zst a=../bad.shard

# --- models and tokenizers ---------------------------------------------------------------------------

models() { case "$*" in *"--model ../M"*) "$model_fault" "$@" ;; esac; }
with_model() { # model text program arguments...: the same call with another model and good input
    dir=$1 text=$2
    shift 2
    # shellcheck disable=SC2046
    set -- $(echo "$*" | sed "s,--model ../M,--model ../$dir,")
    refused "$text" "$@" "../good/$good"
}
damaged() { # NAME: a copy of M to damage
    rm -rf "$1"
    cp -r M "$1"
}
damaged nan && printf '\000\000\300\177' | dd of=nan/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(wc -c <nan/model.safetensors) - 4))
damaged cut && truncate -s -1 cut/model.safetensors
damaged header && truncate -s 100 header/model.safetensors
damaged empty && : >empty/model.safetensors
damaged weightless && rm weightless/model.safetensors
damaged shapeless && rm shapeless/config.json
damaged nojson && echo '{' >nojson/config.json
damaged mamba && jq '.model_type = "mamba" | .architectures = ["MambaForCausalLM"]' M/config.json >mamba/config.json
damaged wider && jq '.hidden_size = 64 | .head_dim = 16' M/config.json >wider/config.json
damaged negative && jq '.num_hidden_layers = -1' M/config.json >negative/config.json
model_faults() {
    with_model nan "../nan/model.safetensors: tensor 'model.norm.weight' holds NaN at element 31" "$@"
    with_model cut "../cut/model.safetensors" "$@"
    with_model header "../header/model.safetensors" "$@"
    with_model empty "../empty/model.safetensors" "$@"
    with_model weightless "../weightless/model.safetensors: no such file" "$@"
    with_model shapeless "../shapeless/config.json" "$@"
    with_model nojson "../nojson/config.json: not JSON" "$@"
    with_model mamba "../mamba/config.json: " "$@"
    with_model wider "../wider/model.safetensors: tensor '" "$@"
    with_model negative "../negative/config.json: 'num_hidden_layers' is -1" "$@"
    with_model absent "../absent" "$@"
}
model_fault=model_faults
rows readers models

damaged unigram && jq '.model.type = "Unigram"' M/tokenizer.json >unigram/tokenizer.json
damaged wordpiece && jq '.model.type = "WordPiece"' M/tokenizer.json >wordpiece/tokenizer.json
damaged notok && rm notok/tokenizer.json
damaged badtok && echo '[]' >badtok/tokenizer.json
damaged large && jq '.added_tokens += [{id: 300, content: "<x>", special: true}]' M/tokenizer.json >large/tokenizer.json
tokenizer_faults() {
    case $good in tokens | rollout) return ;; esac # they carry ids and need no tokenizer
    with_model unigram "../unigram/tokenizer.json: model 'Unigram' is not supported" "$@"
    with_model wordpiece "../wordpiece/tokenizer.json: model 'WordPiece' is not supported" "$@"
    with_model badtok "../badtok/tokenizer.json: an array, expected an object" "$@"
    with_model notok "tokenizer" "$@"
    with_model large "../large" "$@"
}
model_fault=tokenizer_faults
rows readers models
for program in tok-encode tok-decode; do
    case $program in tok-encode) good=text ;; *) good=tokens ;; esac
    refused "../unigram/tokenizer.json: model 'Unigram'" $program -q --tokenizer ../unigram ../good/$good
    refused "'../notok' has no tokenizer.json" $program -q --tokenizer ../notok ../good/$good
    refused "../absent" $program -q --tokenizer ../absent ../good/$good
done
for m in cut header empty weightless shapeless nojson mamba wider absent; do
    refused "../$m" model-info -q ../$m
done
refused "../nojson/config.json: not JSON" model-init -q --config ../nojson/config.json --out OUT
refused "../absent.json" model-init -q --config ../absent.json --out OUT
refused "'num_hidden_layers' is -1" model-init -q --config ../negative/config.json --out OUT
refused "../unigram/tokenizer.json: " model-init -q --config ../M/config.json --tokenizer ../unigram --out OUT

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

# A trainer that waits for its generator and is stopped has saved what it did.
rm -rf RL rl.jsonl fifo
rollout() { # group
    for sample in 0 1; do
        echo "{\"prompt_token_ids\": [1, 2], \"token_ids\": [3, $1$sample], \"logprobs\": [-1.5, -2.5], \"policy_version\": [0, 0], \"group\": $1, \"sample\": $sample, \"reward\": $sample}"
    done
}
for group in 1 2 3 4; do rollout $group; done >rl.jsonl
mkfifo fifo
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

# --- usage -------------------------------------------------------------------------------------------

while IFS='|' read -r text command; do
    case $text in '#'*) continue ;; esac
    # shellcheck disable=SC2086
    misused "$text" $command
done <"$TESTS/fault/bad-input.usage"
for program in corpus-read tok-train tok-encode tok-decode shard-dump shard-pack shard-mix mix-fit base-train \
    distill-gen pref-pair sft-train dpo-train logprob-recalc rollout-gen reward-verify rlvr-train model-init \
    model-info model-eval task-gen; do
    misused "unknown option '--nonsense'" $program --nonsense
    misused "unknown option '-Z'" $program -Z
    misused "option '--seed' needs a value" $program --seed
    misused "option '--seed': 'x' is not a whole number" $program --seed x
    misused "option '--threads': -1 is out of range" $program --threads -1
    misused "option '--quiet' takes no value" $program --quiet=1
done
exit $bad
