#!/bin/sh
# Verdicts that are missing: a verifier that is killed, or late, or cannot do its work, says nothing.
# kill -9 of reward-verify in the middle, and again with the same cache: nothing lost, nothing
# doubled, no verifier asked twice.  LONG=1 kills it 40 times instead of 4, and streams 50,000 records.
set -u
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
bad=0
fail() { echo "$*"; bad=1; }
children() { cat /proc/$1/task/$1/children 2>/dev/null; }
workers_of() { # program
    for guard in $(children $1); do
        for nursery in $(children $guard); do children $nursery; done
    done
}
kills=4 lines=4000
[ -n "${LONG:-}" ] && kills=40 lines=50000

seq 1 $lines | jq -c '{id: "r\(.)", completion: "so \\boxed{\(. % 700)}", ground_truth: "\(. % 500)", dataset: "math"}' >in.jsonl
reward-verify -q in.jsonl >want.jsonl || fail "status $?"

# The workers are killed again and again while it works; what has no verdict goes aside.
# They are great-grandchildren: of the nursery, which has a guard.
reward-verify -q --workers 2 --unverified aside.jsonl in.jsonl >out.jsonl &
pid=$!
n=0
while kill -0 $pid 2>/dev/null; do
    for worker in $(workers_of $pid); do
        kill -9 "$worker" 2>/dev/null && n=$((n + 1))
    done
done
wait $pid || fail "killed workers: status $?"
[ $n -gt 0 ] || echo "no worker was killed in time"
cat out.jsonl aside.jsonl | jq -r .id | sort >ids
jq -r .id in.jsonl | sort | cmp -s - ids || fail "killed workers: records are lost or doubled"
# Whoever has a verdict has the right one.
sort out.jsonl >some
sort want.jsonl | comm -13 - some | grep -q . && fail "killed workers: wrong verdicts"
[ -s aside.jsonl ] && { jq -e 'select(.reward != null)' aside.jsonl >/dev/null && fail "a reward without a verdict"; }
# Once more, and they have.
reward-verify -q aside.jsonl >rest.jsonl || fail "what was set aside: status $?"
cat out.jsonl rest.jsonl | sort >all
sort want.jsonl | cmp -s - all || fail "after a second try some verdicts differ"

# The whole program is killed; the cache keeps what was done.
i=0
while [ $i -lt $kills ]; do
    i=$((i + 1))
    reward-verify -q --cache cache in.jsonl >cut.jsonl 2>/dev/null &
    pid=$!
    sleep 0.0$((i * 7 % 10))
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
mkdir -p cache # a busy machine may not have come so far
printf '0123456789abcdef0123456789abcdef {"score":1,"ru' >>cache/verdicts # a line that was cut
# Two at once share it.
reward-verify -q --cache cache in.jsonl >one.jsonl & pid=$!
reward-verify -q --cache cache in.jsonl >two.jsonl || fail "status $?"
wait $pid || fail "status $?"
cmp -s want.jsonl one.jsonl && cmp -s want.jsonl two.jsonl || fail "with a cache the output differs"
[ "$(grep -c '^0123456789abcdef0123456789abcdef ' cache/verdicts)" = 1 ] || fail "the cut line is gone"
reward-verify --cache cache --explain in.jsonl 2>log | jq -c 'del(.verdict)' >again.jsonl
jq -c . want.jsonl | cmp -s - again.jsonl || fail "from the cache alone the output differs"
grep -q "$lines verdicts from the cache" log || fail "not all verdicts came from the cache: $(grep cache log)"

# Nothing is left running.
sleep 0.2
for p in /proc/[0-9]*; do
    case "$(cat $p/cmdline 2>/dev/null | tr '\0' ' ')" in
    *"reward-verify -q --cache cache in.jsonl"*) fail "a process is left: $p" ;;
    esac
done

# Memory does not grow with the stream, neither the program's nor the worker's.
peak() { # file
    reward-verify -q --workers 1 --threads 1 "$1" >/dev/null & p=$!
    main=0 worker=0
    while kill -0 $p 2>/dev/null; do
        now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$p/status 2>/dev/null)
        main=${now:-$main}
        for w in $(workers_of $p); do
            now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$w/status 2>/dev/null)
            worker=${now:-$worker}
        done
        sleep 0.02
    done
    wait $p
    echo $((main + worker))
}
if [ -n "${LONG:-}" ]; then
    head -n 10000 in.jsonl >few.jsonl
    few=$(peak few.jsonl) all=$(peak in.jsonl)
    echo "peak: $few KiB for 10,000 records, $all KiB for $lines"
    [ "$all" -lt $((few + few / 10)) ] || fail "memory grows"
fi

# A judgement that takes too long, and a machine without a sandbox: no verdict, the reason is told.
if [ -x /usr/bin/python3 ]; then
    printf '%s\n' '{"completion":"def f(x):\n  while 1: pass","ground_truth":"assert f(1) == 1","dataset":"code"}' >slow.jsonl
    reward-verify -q --verifier-seconds 0.3 --code-seconds 100 --unverified late.jsonl slow.jsonl >none.jsonl || fail "late: status $?"
    [ -s none.jsonl ] && fail "a late verdict was written"
    jq -r .no_verdict late.jsonl | grep -q "was stopped after\|sandbox:" || fail "late: $(cat late.jsonl)"
    reward-verify -q --verifier-seconds 0.3 --code-seconds 100 slow.jsonl 2>log && fail "it goes on without --unverified"
    grep -q "slow.jsonl:1: no verdict (--unverified" log || fail "no message: $(cat log)"
    if unshare -Ur true 2>/dev/null; then
        unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && reward-verify -q --unverified layer.jsonl slow.jsonl' >none.jsonl || fail "no sandbox: status $?"
        [ -s none.jsonl ] && fail "a verdict without a sandbox"
        jq -r .no_verdict layer.jsonl | grep -q "sandbox: user namespace" || fail "no sandbox: $(jq -r .no_verdict layer.jsonl)"
    fi
fi
# So many different answers that their votes cannot be counted in time: the group has no verdict, the next one
# has, and equal answers cost nothing.
{
    seq 1 2500 | jq -c '{group: 1, completion: "\\boxed{x + \(.)}", ground_truth: "1", dataset: "math"}'
    seq 1 600 | jq -c '{group: 2, completion: "\\boxed{x + \(. % 3 % 2)}", ground_truth: "1", dataset: "math"}'
} >groups.jsonl
reward-verify -q --verifier majority --verifier-seconds 5 --unverified votes.jsonl groups.jsonl >voted.jsonl || fail "votes: status $?"
[ "$(jq -r .no_verdict votes.jsonl | sort | uniq -c | tr -s ' ')" = " 2500 verifier 'majority' was stopped after 5 s" ] || fail "votes: $(jq -r .no_verdict votes.jsonl | sort | uniq -c)"
[ "$(jq -r '[.group, .reward] | join(" ")' voted.jsonl | sort | uniq -c | tr -s ' \n' ' ')" = " 200 2 0 400 2 1 " ] ||
    fail "votes: $(jq -r '[.group, .reward] | join(" ")' voted.jsonl | sort | uniq -c)"
reward-verify -q --verifier majority --verifier-seconds 5 groups.jsonl >voted.jsonl 2>log && fail "votes: it goes on without --unverified"
grep -q "groups.jsonl:1: no verdict" log || fail "no message: $(cat log)"
reward-verify -q --cache /dev/null/x in.jsonl >/dev/null 2>log && fail "a cache that cannot be"
grep -q "/dev/null" log || fail "no message: $(cat log)"
reward-verify -q --unverified /nowhere/x in.jsonl >/dev/null 2>log && fail "a file that cannot be"
grep -q "/nowhere/x" log || fail "no message: $(cat log)"
[ -e /dev/full ] && [ -x /usr/bin/python3 ] && {
    reward-verify -q --verifier-seconds 0.3 --code-seconds 100 --unverified /dev/full slow.jsonl >/dev/null 2>log && fail "a full disk"
    grep -q "cannot write '/dev/full'" log || fail "no message: $(cat log)"
}
exit $bad
