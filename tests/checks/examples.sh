#!/bin/bash
# The EXAMPLES of the manual pages are commands that work: every block between .Bd -literal and .Ed
# (and every .Dl line) of every page is run, in order, in a folder that has what the pages speak of,
# and each command of each pipe must succeed.
#
#   - The pages show real sizes; stand-ins in front of the programs cut them down, since the last
#     --steps on a command line is the one that counts.
#   - http://localhost:8000 is the test server, which answers a prompt with itself.
#   - A block that cannot be run here has the line  .\" not run: REASON  before its .Bd or .Dl.
#     That is the exception: more than two in all of the manual is an error.
command -v bash >/dev/null || { echo "bash is not installed"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # pipefail
set -u -o pipefail
unset OPENAI_API_KEY THINKPIPE_CPU
bad=0 n_run=0 n_not_run=0
fail() { echo "$*"; bad=1; }

# Prints the blocks of a page, each after a line "#block LINE" or "#not-run LINE REASON".
blocks() {
    awk '
    function text(s) { gsub(/\\&/, "", s); gsub(/\\-/, "-", s); gsub(/\\e/, "\\", s); return s }
    function head(n) { print reason == "" ? "#block " n : "#not-run " n " " reason; reason = "" }
    /^\.Sh / { in_examples = $2 == "EXAMPLES"; next }
    !in_examples { next }
    /^\.\\" not run: ./ { reason = substr($0, 13); next }
    /^\.Bd .*-literal/ { in_block = 1; head(NR); next }
    /^\.Ed/ { in_block = 0; next }
    /^\.Dl / { head(NR); print text(substr($0, 5)); next }
    in_block { print text($0) }' "$1"
}

# A program of the same name in front of the real one: OPTIONS are added to its arguments.
stand_in() { # name options
    printf '#!/bin/sh\nexec %s "$@" %s\n' "$(command -v "$1")" "$2" >"tiny/$1"
    chmod +x "tiny/$1"
}

# A trainer that is cut down reads what is left of its pipe, or the writer would die of it.
trainer() { # name options
    {
        echo '#!/bin/sh'
        echo "'$(command -v "$1")' \"\$@\" $2; rc=\$?"
        echo '[ $rc -ne 0 ] || [ ! -p /dev/stdin ] || cat >/dev/null'
        echo 'exit $rc'
    } >"tiny/$1"
    chmod +x "tiny/$1"
}

make_stand_ins() {
    mkdir tiny
    trainer base-train "--threads 2 --steps 2 --batch-tokens 512 --seq-len 128"
    trainer sft-train "--threads 2 --steps 2 --max-tokens 128"
    trainer dpo-train "--threads 2 --steps 2 --batch-size 2 --max-tokens 128"
    trainer rlvr-train "--threads 2 --steps 2 --prompts-per-step 2"
    stand_in rollout-gen "--threads 2 --max-tokens 8 --batch 16"
    stand_in distill-gen "--max-tokens 8"
    stand_in task-gen "--n 20"
    stand_in tok-train "--vocab-size 280"
    stand_in shard-mix "--tokens 4K"
    real=$(command -v mix-fit)
    {
        echo '#!/bin/sh'
        echo '[ "$1" != sample ] || set -- "$@" --runs 6'
        echo "exec '$real' \"\$@\""
    } >tiny/mix-fit
    chmod +x tiny/mix-fit
    # The tiny model's answers are never right, and what follows needs some that are.
    mkdir lucky
    { # given twice, a verifier is an error
        echo '#!/bin/sh'
        echo 'case "$*" in *random*) ;; *) set -- "$@" --verifier random ;; esac'
        echo "exec '$(command -v reward-verify)' \"\$@\""
    } >lucky/reward-verify
    chmod +x lucky/reward-verify
}

# What a page makes itself is not there before: its examples use the names that the others take for
# granted.
forget() { # page
    case $1 in
    base-train.1) rm -r base ;;
    sft-train.1 | thinkpipe-training.7) rm -r sft ;;
    model-init.1) rm -r init ;;
    tok-train.1) rm -r tok ;;
    thinkpipe.7)
        find . -mindepth 1 -maxdepth 1 ! -name notes -exec rm -r {} + ;;
    esac
}

# What the pages take for granted, under the names they use.
make_fixtures() {
    . "$TESTS/tiny-sft.sh"
    cp -r sft base
    task-gen -q --n 40 --task string --seed 3 --trace |
        jq -c '{id, text: .messages[0].content}' >web.jsonl
    task-gen -q --n 40 --task list --seed 3 --trace |
        jq -c '{id, text: (.messages[1].reasoning_content // .messages[0].content)}' >code.jsonl
    cat web.jsonl code.jsonl >documents.jsonl
    printf '%s\n' '{"question": "Ann has 3 pears and eats one. What is left?", "answer": "3-1=2\n#### 2"}' \
        '{"question": "Two boxes hold 5 nails each. How many?", "answer": "2*5=10\n#### 10"}' >gsm8k.jsonl
    mkdir notes
    jq -r .text web.jsonl >notes/questions.txt
    mkdir shards
    for d in web code; do tok-encode -q --tokenizer tok $d.jsonl >shards/$d.shard; done
    tok-encode -q --tokenizer tok documents.jsonl >documents.shard
    echo '{"name":"web","tokens":9000,"max_epochs":4}' >sources.jsonl
    echo '{"name":"code","tokens":3000}' >>sources.jsonl
    echo '{"weights":{"web":0.7,"code":0.3}}' >mixture.json
    head -n 8 prompts.jsonl |
        rollout-gen -q --model sft --group 4 --max-tokens 12 --seed 1 >rollouts.jsonl
    reward-verify -q --verifier random rollouts.jsonl >rewarded.jsonl
    task-gen -q --n 20 --trace --seed 4 >strong.jsonl
    task-gen -q --n 20 --trace --seed 4 --reply boxed >weak.jsonl
    pref-pair -q --chosen strong.jsonl --rejected weak.jsonl >pairs.jsonl
    rlvr-train -q --model sft --out rl --steps 3 --prompts-per-step 2 rewarded.jsonl \
        >rl.metrics.jsonl
    for run in a1 a2 b; do cp rl.metrics.jsonl $run.jsonl; done
    rm -r rl
}

run_block() { # page line
    sed -i "s|http://localhost:8000|$url|g" block
    n_run=$((n_run + 1))
    began=$(date +%s%N)
    path=$scratch/tiny:$PATH
    case $1 in pref-pair.1 | reward-verify.1 | task-gen.1) ;; *) path=$scratch/lucky:$path ;; esac
    if ! (cd work && PATH=$path timeout 60 bash -e -o pipefail ../block) </dev/null >out 2>log; then
        fail "man/$1:$2: this example fails:"
        sed 's/^/    /' block
        tail -n 5 log | sed 's/^/    > /'
    fi
    [ -z "${VERBOSE:-}" ] || echo "$1:$2 $((($(date +%s%N) - began) / 1000000)) ms"
}

run_page() { # page
    rm -rf work block
    cp -r fixtures work
    (cd work && forget "$1")
    where='' n_blocks=0
    while IFS= read -r line; do
        case $line in
        '#block '* | '#not-run '*)
            [ -z "$where" ] || run_block "$1" "$where"
            where='' n_blocks=$((n_blocks + 1))
            : >block
            case $line in
            '#block '*) where=${line#\#block } ;;
            *) n_not_run=$((n_not_run + 1)); echo "man/$1: not run, line ${line#\#not-run }" ;;
            esac ;;
        *) printf '%s\n' "$line" >>block ;;
        esac
    done <<EOT
$(blocks "$ROOT/man/$1")
EOT
    [ -z "$where" ] || run_block "$1" "$where"
    [ $n_blocks -gt 0 ] || fail "man/$1 has no commands in EXAMPLES"
}

scratch=$PWD
mkdir fixtures
(cd fixtures && make_fixtures && [ -s documents.shard ] && [ -s pairs.jsonl ]) >log 2>&1 ||
    { echo "the fixtures cannot be made"; tail -n 5 log; exit 1; }
make_stand_ins
. "$TESTS/fault-server.sh"
fault_server
for page in "$ROOT"/man/*.[0-9]; do
    case $(basename "$page") in *"${1:-}"*) run_page "$(basename "$page")" ;; esac
done
[ $n_not_run -le 2 ] || fail "$n_not_run examples are not run, at most 2 may be"
echo "$n_run examples run, $n_not_run not run"
exit $bad
