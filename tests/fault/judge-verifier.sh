#!/bin/sh
# reward-verify's judge against a server that misbehaves: a failure is no verdict, never a score, and the
# key is not shown.  The server answers with the question, so the prompt makes the verdict.
set -u
command -v reward-verify >/dev/null || { echo "reward-verify is not built"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }
. "$TESTS/fault-server.sh"
fault_server
unset OPENAI_API_KEY
bad=0
fail() { echo "FAIL: $*"; bad=1; }
verify() {
    timeout 60 reward-verify -q --workers 2 --judge-endpoint "$url" --judge-model m --judge-retries 2 \
        --judge-retry-wait 0.01 --judge-timeout 20 "$@"
}
printf '{response}' >prompt
judge() { # response: leaves out, aside, log, status
    jq -nc --arg r "$1" '{completion: $r, dataset: "judge", prompt: "q"}' >one.jsonl
    shift
    rm -f aside
    verify --judge-prompt prompt --unverified aside "$@" one.jsonl >out 2>log
    status=$?
}
score() { # response wanted
    judge "$1"
    [ $status = 0 ] && [ "$(jq -c .reward out)" = "$2" ] || fail "$1: $(cat out log)"
}
score '{"score": 7}' 0.7
score '<think>{"score": 1}</think>```json {"reason": "so", "SCORE": "8/10"}```' 0.8
score '{"score": 3} no: {"score": 4, "reasoning": "better"}' 0.4
score 'fault:500*2 {"score": 5}' 0.5
score 'fault:cut*1 {"score": 10}' 1
score 'fault:nothing*2 {"score": 0}' 0
# No verdict: the record is set aside with the reason.
none() { # response reason
    judge "$1"
    [ $status = 0 ] && [ ! -s out ] && jq -r .no_verdict aside | grep -q "$2" || fail "$1: $(cat out aside log)"
}
none 'I like it.' "no JSON object with a 'score' from 0 to 10"
none '{"score": 11}' "no JSON object with a 'score'"
none '{"score": "high"}' "no JSON object with a 'score'"
none 'fault:500 {"score": 5}' "status 500"
none 'fault:reset {"score": 5}' .
judge 'fault:hang {"score": 5}' --judge-timeout 0.3 --judge-retries 0
jq -r .no_verdict aside | grep -q "timed out" || fail "hang: $(cat aside log)"
none 'fault:badjson {"score": 5}' "no answer of a chat"
none 'fault:401 {"score": 5}' "401"
# Without --unverified the program stops; nothing is scored.
judge 'I like it.' --unverified ''
verify --judge-prompt prompt one.jsonl >out 2>log
[ $? = 1 ] && [ ! -s out ] && grep -q "no JSON object" log || fail "went on without a verdict: $(cat log)"
timeout 20 reward-verify -q one.jsonl >out 2>log
[ $? = 1 ] && grep -q "needs --judge-endpoint" log || fail "no endpoint: $(cat log)"
# A rubric: a list is scored item by item, weights count.
printf '{"completion":"r","rubric":["a",{"description":"b","weight":3}],"dataset":"judge","prompt":"q"}\n' >one.jsonl
printf '{"scores":[2,10]} {rubric}' >p2
[ "$(verify --judge-prompt p2 one.jsonl | jq -c .reward)" = 0.8 ] || fail "weights"
printf '{"scores":[2]}' >p2
verify --judge-prompt p2 one.jsonl >out 2>log
[ $? = 1 ] && grep -q "as many 'scores'" log || fail "one score for two criteria: $(cat log)"
printf '%s\n' '{"completion":"r","ground_truth":"{\"query\": \"Q\", \"rubrics\": [{\"description\": \"a\", \"weight\": -1}, {\"description\": \"b\", \"weight\": 1}]}","dataset":"rubric"}' >one.jsonl
printf '{"scores":[0,5]} {prompt}' >p2
verify --explain --judge-prompt p2 one.jsonl | jq -e '.reward == 0.25' >/dev/null || fail "open-instruct's rubric"
# The question holds what it should, and braces in a response are not filled in.
printf '{"score":1,"reason":"{prompt}|{response}|{reference}|{rubric}"}' >p2
printf '%s\n' '{"completion":"<think>t</think>{rubric}","rubric":"strict","ground_truth":"ref","dataset":"judge","messages":[{"role":"user","content":"Q"}]}' >one.jsonl
[ "$(verify --explain --judge-prompt p2 one.jsonl | jq -r .verdict.judge.detail)" = "user: Q|{rubric}|ref|strict" ] || fail "question"
# The key goes to the server and nowhere else; not to the program of exec, either.
printf 'read -r l; echo "{\\"score\\": 1, \\"detail\\": \\"key ${OPENAI_API_KEY:-none}\\"}"' >exec.sh
printf '%s\n' '{"completion":"{\"score\": 5}","dataset":["exec","judge"],"ground_truth":["",""],"prompt":"q"}' >one.jsonl
OPENAI_API_KEY=sk-secret-123 verify --explain --judge-prompt prompt --exec "sh exec.sh" one.jsonl >out 2>log
[ "$(curl -s --retry 5 "$url/stats" | jq -r .with_key)" -ge 1 ] || fail "no key was sent: $(curl -s "$url/stats") $(cat out log)"
jq -e '.reward == 1.5 and .verdict.exec.detail == "key none"' out >/dev/null || fail "exec sees the key: $(cat out log)"
jq -nc '{completion: "fault:401 {\"score\": 5}", dataset: "judge", prompt: "q"}' >one.jsonl
OPENAI_API_KEY=sk-secret-123 verify --judge-prompt prompt --unverified aside one.jsonl >>out 2>>log
jq -r .no_verdict aside | grep -q '401.*wrong key: \*' || fail "401: $(cat aside)"
grep -q sk-secret out log aside && fail "the key is shown"
exit $bad
