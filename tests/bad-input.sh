# Sourced by the tests in tests/fault: runs programs in an empty folder and says what must be true of
# a refusal; makes the good inputs that the bad ones are made from.
bad=0
fail() { echo "FAIL: $*"; bad=1; }

in=/dev/null
# run PROGRAM ARGUMENTS: in the empty folder box, input from $in; leaves status, out, log.
run() {
    rm -rf box
    mkdir box
    (cd box && exec timeout 60 "$@") <"$in" >out 2>log
    status=$?
}

# One line on stderr that begins with the program and holds the text; nothing left behind.
clean_refusal() { # status text program arguments...
    want=$1 text=$2
    shift 2
    [ $status = "$want" ] || fail "$*: exit status $status, expected $want: $(head -n 3 log)"
    [ "$(wc -l <log)" = 1 ] || fail "$*: $(wc -l <log) lines on stderr, expected 1: $(head -n 3 log)"
    case "$(cat log)" in
    "$1: "*"$text"*) ;;
    *) fail "$*: stderr is '$(head -n 3 log)', expected '$1: ...$text...'" ;;
    esac
    [ -z "$(ls -A box)" ] || fail "$*: left behind $(cd box && find . -mindepth 1 | tr '\n' ' ')"
}

refused() { # text program arguments...
    text=$1
    shift
    run "$@"
    clean_refusal 1 "$text" "$@"
}

# What is on stdout must not pass for a whole shard.
no_whole_shard() {
    [ ! -s out ] || ! shard-info -q out >/dev/null 2>&1 || fail "$*: stdout is a whole shard"
}

taken() { # program arguments...
    run "$@"
    [ $status = 0 ] || fail "$*: exit status $status, expected 0: $(head -n 3 log)"
    [ ! -s log ] || fail "$*: stderr is '$(head -n 3 log)', expected nothing"
}

# Wrong usage: the reason, how to call it, and where to read more.
misused() { # text program arguments...
    text=$1
    shift
    run "$@"
    [ $status = 2 ] || fail "$*: exit status $status, expected 2: $(head -n 3 log)"
    case "$(head -n 1 log)" in
    "$1: "*"$text"*) ;;
    *) fail "$*: stderr is '$(head -n 1 log)', expected '$1: ...$text...'" ;;
    esac
    [ "$(tail -n 1 log)" = "Try '$1 --help'." ] || fail "$*: ends without a hint to --help"
    [ "$(grep -c "^$1: " log)" = 1 ] || fail "$*: more than one message: $(cat log)"
    [ ! -s out ] || fail "$*: printed something: $(head -n 1 out)"
    [ -z "$(ls -A box)" ] || fail "$*: left behind $(ls -A box)"
}

# Calls "$@ PROGRAM ARGUMENTS" for every row of a table "good input | command", with $good set.
rows() { # table function
    while IFS='|' read -r good command; do
        case $good in '' | '#'*) continue ;; esac
        # shellcheck disable=SC2086
        "$2" $command
    done <"$1"
}

# Programs that read JSON lines.  In box, so everything else is one folder up.
cat >readers <<'END'
text|tok-train -q --vocab-size 262 --out OUT
text|tok-encode -q --tokenizer ../M --template chatml
text|tok-encode -q --tokenizer ../M --template chatml --out OUT
tokens|tok-decode -q --tokenizer ../M
tokens|shard-pack -q
tokens|shard-pack -q --out OUT.zst
prompt|distill-gen -q --model ../M --template plain --max-tokens 2
pool|pref-pair -q
tokens|base-train -q --model ../M --out OUT --steps 2 --batch-tokens 64
chat|sft-train -q --model ../M --template chatml --out OUT
pair|dpo-train -q --model ../M --template chatml --out OUT
rollout|rlvr-train -q --model ../M --out OUT --steps 1 --prompts-per-step 1
pair|logprob-recalc -q --model ../M --template chatml --as ref
prompt|rollout-gen -q --model ../M --max-tokens 2
answer|reward-verify -q
text|model-eval -q --task bpb --model ../M
choice|model-eval -q --task choice --model ../M --template plain
passed|model-eval -q --task pass
text|corpus-read -q --format jsonl
text|corpus-dedup -q
text|corpus-filter -q --rule olmo3
chat|corpus-filter -q --rule max-words=10
text|corpus-decontam -q --against ../good/evals
chat|corpus-dedup -q --threads 1
END

# Two good records each.
mkdir good
two() { printf '%s\n%s\n' "$2" "$3" >"good/$1"; }
two text '{"id": "a", "text": "some words of text"}' '{"id": "b", "text": "and more of them"}'
two evals '{"question": "what is the sum of one and two and three"}' '{"question": "how many are two and two and two again"}'
two tokens '{"id": "a", "tokens": [1, 2, 3, 4, 5, 6, 7]}' '{"id": "b", "tokens": [9, 8, 7, 6, 5, 4, 3]}'
two prompt '{"id": "a", "prompt": "one"}' '{"id": "b", "prompt": "two"}'
two pool '{"id": "a", "prompt": "p", "completion": "x", "reward": 1}' \
    '{"id": "a", "prompt": "p", "completion": "y", "reward": 0}'
u='{"role": "user", "content": "hi"}' a='{"role": "assistant", "content": "yes"}'
two chat "{\"messages\": [$u, $a]}" "{\"messages\": [$u, $a, $u, $a]}"
two pair '{"prompt": "p", "chosen": "good", "rejected": "bad", "chosen_ref_logprobs": [-1, -1, -1, -1, -1], "rejected_ref_logprobs": [-1, -1, -1, -1]}' \
    '{"prompt": "q", "chosen": "yes", "rejected": "no", "chosen_ref_logprobs": [-1, -1, -1, -1], "rejected_ref_logprobs": [-1, -1, -1]}'
sampled='"prompt_token_ids": [1, 2], "token_ids": [3, 4], "logprobs": [-1.5, -2.5], "policy_version": [0, 0], "group": 0'
two rollout "{$sampled, \"sample\": 0, \"reward\": 1}" "{$sampled, \"sample\": 1, \"reward\": 0}"
two answer '{"completion": "The answer is 4", "ground_truth": "4", "dataset": "math"}' \
    '{"completion": "The answer is 5", "ground_truth": "4", "dataset": "math"}'
two choice '{"question": "q", "choices": ["a", "b"], "answer": 0}' '{"question": "r", "choices": ["c", "d"], "answer": 1}'
two passed '{"group": 0, "sample": 0, "reward": 1}' '{"group": 0, "sample": 1, "reward": 0}'
