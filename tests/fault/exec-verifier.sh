#!/bin/sh
# reward-verify's exec: programs that hang, spin, die, fill the memory or answer nonsense give no verdict, and
# nothing of them is left; the next record is judged by a new one.
set -u
command -v reward-verify >/dev/null || { echo "reward-verify is not built"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
bad=0
fail() { echo "FAIL: $*"; bad=1; }
cat >program.sh <<'END'
n=0
while read -r line; do
    n=$((n + 1))
    case $line in
    *'"answer":"hang'*) sleep 86399 ;;
    *'"answer":"spin'*) while :; do :; done ;;
    *'"answer":"die'*) exit 3 ;;
    *'"answer":"big'*) echo '{"score": 7}' ;;
    *'"answer":"nan'*) echo '{"score": NaN}' ;;
    *'"answer":"text'*) echo nonsense ;;
    *'"answer":"error'*) echo '{"error": "cannot say"}' ;;
    *'"answer":"two'*) printf '{"score": 1}\n{"score": 1}\n' ;;
    *'"answer":"flood'*) while :; do printf '%01000d' 0; done ;;
    *'"answer":"memory'*) a=xxxxxxxx; while :; do a=$a$a; done ;;
    *) echo "{\"score\": 0.25, \"extracted\": \"x\", \"detail\": \"line $n\"}" ;;
    esac
done
END
for w in good spin good die good big nan text error two good flood memory good good; do
    echo "{\"id\":\"$w\",\"completion\":\"$w\",\"dataset\":\"exec\"}"
done >in.jsonl
timeout 900 reward-verify --explain --workers 1 --threads 1 --exec "sh program.sh" --exec-cpu 1 --exec-wall 300 \
    --exec-memory 100 --unverified aside in.jsonl >out 2>log || fail "$(cat log)"
[ "$(jq -r .reward out | sort | uniq -c | tr -s ' ')" = " 6 0.25" ] || fail "rewards: $(cat out)"
[ "$(jq -r .verdict.exec.detail out | tr '\n' ' ')" = "line 1 line 1 line 1 line 1 line 1 line 2 " ] ||
    fail "programs: $(jq -r .verdict.exec.detail out)"
reason() { jq -r "select(.id == \"$1\") | .no_verdict" aside | grep -q "$2" || fail "$1: $(grep "$1" aside)"; }
reason spin 'used more than 1 s of CPU time'
reason die 'ended with status 3'
reason big "'score' is 7, expected 0 to 1"
reason nan 'not JSON'
reason text 'not JSON'
reason error 'cannot say'
reason two 'more than one line'
reason flood 'wrote a line of more than 1048576 bytes'
reason memory 'killed by signal\|ended with status'
[ "$(jq -s length aside)" = 9 ] || fail "$(jq -s length aside) aside, expected 9"
jq -nc '{id: "hang", completion: "hang", dataset: "exec"}' >hang.jsonl
timeout 60 reward-verify -q --exec "sh program.sh" --exec-wall 0.2 --unverified aside hang.jsonl >out 2>log || fail "$(cat log)"
reason hang 'did not answer in 0.2 s'
! pgrep -f 'sleep 8639[9]' >/dev/null || fail "a program is left"

# What a program has started ends with it, also what left its group and its session, and by whatever it ends:
# it is late, its worker is, reward-verify is killed, or all is done.
NAP=$((900000 + $$))
export NAP
cat >starter.sh <<'END'
setsid sh -c 'sleep $NAP & sleep $NAP & setsid sleep $NAP' &
(sleep $NAP &) &
while read -r line; do
    case $line in
    *'"answer":"hang'*) setsid sleep $NAP & sleep $NAP ;;
    *) echo '{"score": 1}' ;;
    esac
done
END
started() { pgrep -f "sleep $NAP"; }
gone() { # what
    i=0
    while [ $i -lt 100 ]; do started >/dev/null || return; i=$((i + 1)); sleep 0.1; done
    fail "$1: left running: $(started | tr '\n' ' ')"
    kill -9 $(started)
}
jq -nc '{id: "good", completion: "good", dataset: "exec"}' >good.jsonl
timeout 60 reward-verify -q --exec "sh starter.sh" good.jsonl >out 2>log || fail "$(cat log)"
[ "$(jq -r .reward out)" = 1 ] || fail "a program that starts others: $(cat out)"
gone "all is done"
cat good.jsonl hang.jsonl good.jsonl >three.jsonl
timeout 60 reward-verify -q --threads 1 --exec "sh starter.sh" --exec-wall 0.3 --unverified aside three.jsonl >out 2>log || fail "$(cat log)"
[ "$(cat out aside | jq -s length)" = 3 ] || fail "after a late one: $(cat out aside)"
reason hang 'did not answer in 0.3 s'
gone "a late program"
timeout 60 reward-verify -q --threads 1 --exec "sh starter.sh" --verifier-seconds 0.3 --unverified aside three.jsonl >out 2>log || fail "$(cat log)"
reason hang 'was stopped after 0.3 s'
gone "a late worker"
for signal in KILL TERM; do
    reward-verify -q --exec "sh starter.sh" --unverified aside three.jsonl >out 2>log &
    pid=$!
    i=0
    while [ $i -lt 300 ] && ! started >/dev/null; do i=$((i + 1)); sleep 0.1; done
    [ $i -lt 300 ] || fail "nothing was started"
    kill -$signal $pid
    wait $pid 2>/dev/null
    gone "after SIG$signal"
done
# The nursery or its guard is killed, nothing else: the same, and there is no verdict from then on.
children() { cat /proc/$1/task/$1/children 2>/dev/null; }
for who in guard nursery; do
    timeout 60 reward-verify -q --threads 1 --exec "sh starter.sh" --unverified aside three.jsonl >out 2>log &
    pid=$!
    i=0
    while [ $i -lt 300 ] && ! pgrep -f "sleep $NAP" >/dev/null; do i=$((i + 1)); sleep 0.1; done
    guard=$(children $(children $pid))
    nursery=$(children $guard)
    case $who in guard) kill -9 $guard ;; nursery) kill -9 $nursery ;; esac || fail "no $who"
    wait $pid || fail "the $who was killed: status $?: $(cat log)"
    [ "$(cat out aside | jq -s length)" = 3 ] || fail "the $who was killed: $(cat out aside)"
    jq -r .no_verdict aside | grep -q "the process that starts workers is gone" || fail "the $who was killed: $(cat aside)"
    gone "the $who was killed"
done
# Many short programs are not kept as zombies by a program that does not wait.
cat >short.sh <<'END'
while read -r line; do
    n=0
    while [ $n -lt 5 ]; do (true & exec true) & n=$((n + 1)); done
    wait
    echo "{\"score\": 1, \"detail\": \"$(cat /proc/$PPID/task/$PPID/children | wc -w)\"}"
done
END
for i in 1 2 3 4 5 6 7 8; do cat good.jsonl; done >eight.jsonl
timeout 60 reward-verify -q --threads 1 --explain --exec "sh short.sh" eight.jsonl >out 2>log || fail "$(cat log)"
[ "$(jq -s 'map(.verdict.exec.detail | tonumber) | max' out)" -lt 20 ] || fail "zombies: $(jq -c .verdict out)"
# Any size of record passes; the program sees truth and record.
head -c 3000000 /dev/zero | tr '\0' 'a' >big
jq -nc --rawfile t big '{completion: $t, ground_truth: ["a", 1], x: 5, dataset: "exec"}' >big.jsonl
timeout 60 reward-verify -q --exec "jq -c --unbuffered '{score: (if (.answer | length) == 3000000 and .ground_truth == [\"a\", 1] and .record.x == 5 then 1 else 0 end)}'" \
    big.jsonl 2>log | jq -e '.reward == 1' >/dev/null || fail "a large record: $(cat log)"
# Without the option, or with a program that is not there, nothing is scored.
timeout 20 reward-verify -q big.jsonl >out 2>log && fail "no --exec"
grep -q 'needs --exec COMMAND' log || fail "$(cat log)"
timeout 20 reward-verify -q --exec ./nothing-there big.jsonl >out 2>log && fail "no program"
[ ! -s out ] || fail "a score without a program"
exit $bad
