#!/bin/sh
# distill-gen against a server that misbehaves: what is retried, given up, fatal; nothing is lost or
# bought twice; the key is not shown.
set -u
command -v distill-gen >/dev/null || { echo "distill-gen is not built"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }
. "$TESTS/fault-server.sh"
fault_server
unset OPENAI_API_KEY
bad=0
fail() { echo "FAIL: $*"; bad=1; }
gen() { timeout 60 distill-gen --endpoint "$url" --endpoint-model m --retry-wait 0.01 --retries 2 "$@"; }
ask() { # prompt options...: one prompt; leaves out, log, status
    printf '{"prompt":"%s"}\n' "$1" >one.jsonl
    shift
    gen --timeout 2 --max-response-bytes 100000 "$@" one.jsonl >out 2>log
    status=$?
}
stats() { curl -s "$url/stats" | jq -r ".$1"; }

# Answered in the end, exactly once.
for f in ok '500*2' '503*1' '429ms*2' 'reset*1' 'cut*2' 'close*1' 'chunkcut*1' 'badjson*2' 'html*1' \
    'error200*1' 'nothing*1' 'empty*1' 'nofinish*2' chunked drip '429date*1'; do
    ask "fault:$f"
    [ $status = 0 ] && [ "$(jq -r .completion out)" = "fault:$f" ] || fail "$f: $(cat log)"
done
# Given up after all attempts, with the reason.
before=$(stats requests)
for f in 500 429ms reset cut close chunkcut badjson html error200 nothing empty nofinish; do
    ask "fault:$f"
    [ $status = 1 ] && [ ! -s out ] && grep -q "given up after 3 attempts" log || fail "$f: $(cat log)"
done
[ $(($(stats requests) - before)) = 36 ] || fail "$(($(stats requests) - before)) requests, expected 36"
# Time and size have limits.
ask "fault:hang" --timeout 0.3 --retries 0
[ $status = 1 ] && grep -q "timed out" log || fail "hang: $(cat log)"
ask "fault:stall" --stall-timeout 1 --timeout 20 --retries 0
[ $status = 1 ] && grep -q "no byte for" log || fail "stall: $(cat log)"
ask "fault:endless"
[ $status = 1 ] && grep -q "longer than 100000 bytes" log || fail "endless: $(cat log)"
# Retry-After is obeyed.
start=$(date +%s%N)
ask "fault:429*1"
[ $(($(date +%s%N) - start)) -ge 1000000000 ] && [ $status = 0 ] || fail "Retry-After was not waited for"
# Not tried twice: this prompt only, or the whole run.
for f in 400 filter; do
    before=$(stats requests)
    ask "fault:$f"
    [ $status = 1 ] && [ $(($(stats requests) - before)) = 1 ] || fail "$f: $(cat log)"
done
for f in 401 404 redirect quota; do
    before=$(stats requests)
    printf '{"prompt":"fault:%s"}\n{"prompt":"more"}\n' $f >two.jsonl
    gen --concurrency 1 --skip-bad two.jsonl >out 2>log
    [ $? = 1 ] && [ ! -s out ] && [ $(($(stats requests) - before)) = 1 ] || fail "$f: $(cat log)"
done
# A length-limited answer and reasoning under both names are results.
ask "fault:length"
[ "$(jq -r .finish_reason out)" = length ] || fail "length: $(cat log)"
for f in reasoning:because reasoning2:hence; do
    ask "fault:${f%:*}"
    [ "$(jq -r '.messages[1].reasoning_content' out)" = "${f#*:}" ] || fail "${f%:*}: $(cat out)"
done

# The order is that of the input, however late answers come; --unordered is not.
for i in 1 2 3 4 5 6 7 8; do
    echo "{\"id\":\"p$i\",\"prompt\":\"n$i delay:$(((9 - i) * 40))\"}"
done >many.jsonl
gen --concurrency 4 many.jsonl >out 2>log
[ "$(jq -r .id out | tr '\n' ' ')" = "p1 p2 p3 p4 p5 p6 p7 p8 " ] || fail "order: $(jq -r .id out)"
[ "$(stats most_at_once)" -le 4 ] || fail "$(stats most_at_once) requests at once, expected 4 at most"
gen --concurrency 4 --unordered many.jsonl >out 2>log
[ "$(jq -r .id out | sort | tr '\n' ' ')" = "p1 p2 p3 p4 p5 p6 p7 p8 " ] || fail "unordered loses"
[ "$(jq -r .id out | head -n 1)" != p1 ] || fail "--unordered is ordered"

# Bad prompts are set aside, the others answered.
{ echo '{"prompt":"a"}'; echo '{"prompt":"fault:400"}'; echo '{"x":1}'; echo '{"prompt":"b"}'; } >mixed.jsonl
gen --skip-bad --rejects rejects.jsonl -n 2 mixed.jsonl >out 2>log || fail "rejects: $(cat log)"
[ "$(jq -r .completion out | tr '\n' ' ')" = "a a b b " ] || fail "rejects: $(cat out)"
[ "$(jq -r .line rejects.jsonl | tr '\n' ' ')" = "3 2 2 " ] || fail "rejects: $(cat rejects.jsonl)"
jq -r .error rejects.jsonl | grep -q "context  too long" || fail "a reject has no reason"

# Stopped and started again: everything once, a torn line is cut, other options are refused.
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "{\"id\":$i,\"prompt\":\"r$i delay:100\"}"; done >long.jsonl
before=$(stats requests)
timeout -s TERM 0.45 distill-gen --endpoint "$url" --concurrency 2 --out j.jsonl long.jsonl 2>log
gen2() { distill-gen --endpoint "$url" --concurrency 2 --out j.jsonl "$@"; }
n=$(wc -l <j.jsonl)
[ "$n" -gt 0 ] && [ "$n" -lt 12 ] || fail "interrupted after $n answers"
printf '{"id":99,"messages":[{"ro' >>j.jsonl
gen2 long.jsonl 2>log || fail "resume: $(cat log)"
grep -q "last line is cut" log || fail "the torn line was not noticed: $(cat log)"
[ "$(jq .id j.jsonl | sort -n | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 9 10 11 12 " ] || fail "resume: $(jq .id j.jsonl | tr '\n' ' ')"
[ $(($(stats requests) - before)) -le 14 ] || fail "$(($(stats requests) - before)) requests for 12 prompts"
before=$(stats requests)
gen2 long.jsonl 2>log || fail "done: $(cat log)"
[ "$(stats requests)" = "$before" ] || fail "a finished run asks again"
gen2 --temperature 0.5 long.jsonl 2>log && fail "other options were taken"
grep -q "another 'temperature'" log || fail "other options: $(cat log)"
gen2 -n 2 long.jsonl 2>log || fail "more samples: $(cat log)"
[ "$(jq -c '[.id,.sample]' j.jsonl | sort -u | wc -l)" = 24 ] || fail "more samples: $(wc -l <j.jsonl)"
printf '{"id":1,"prompt":"a"}\n{"id":1,"prompt":"b"}\n' >double.jsonl
distill-gen --endpoint "$url" --out d.jsonl double.jsonl 2>log && fail "a double id was taken"
grep -q "same 'id'" log || fail "double id: $(cat log)"
# A signal with a journal: saved, run again.
distill-gen --endpoint "$url" --concurrency 1 --out s.jsonl long.jsonl 2>log &
child=$!
sleep 0.35
gen3=$(distill-gen --endpoint "$url" --out s.jsonl long.jsonl 2>&1) && fail "two writers of one file"
case $gen3 in *"another process"*) ;; *) fail "two writers: $gen3" ;; esac
kill -TERM $child
wait $child
[ $? = 75 ] || fail "a signal: status is not 75: $(cat log)"

# The server is away: after some prompts the run stops, to be started again.
for i in 1 2 3 4 5 6 7 8 9; do echo '{"prompt":"x"}'; done >nine.jsonl
distill-gen --endpoint http://127.0.0.1:1 --retries 1 --retry-wait 0.01 --skip-bad nine.jsonl 2>log
[ $? = 75 ] && grep -q "in a row failed" log || fail "no server: $(cat log)"

# The key: sent, never shown, not over plain http to others, not from a file that others read.
before=$(stats with_key)
OPENAI_API_KEY=sk-secret-123 http_proxy=http://127.0.0.1:1 gen one.jsonl >out 2>log || fail "key: $(cat log)"
[ $(($(stats with_key) - before)) = 1 ] || fail "the key was not sent"
printf '{"prompt":"fault:401"}\n' >one.jsonl
OPENAI_API_KEY=sk-secret-123 gen -v one.jsonl >out 2>log && fail "401 is no error"
grep -q 'wrong key: \*' log || fail "401: $(cat log)"
grep -q sk-secret log out && fail "the key is in the output"
OPENAI_API_KEY=k distill-gen --endpoint http://example.invalid one.jsonl >out 2>log && fail "plain http"
grep -q "refusing to send the API key" log || fail "plain http: $(cat log)"
echo sk-secret-123 >key && chmod 644 key
gen --api-key-file key one.jsonl >out 2>log && fail "a key that others can read"
grep -q "chmod 600" log || fail "key file: $(cat log)"
chmod 600 key
printf '{"prompt":"y"}\n' >one.jsonl
before=$(stats with_key)
gen --api-key-file key one.jsonl >out 2>log || fail "key file: $(cat log)"
[ $(($(stats with_key) - before)) = 1 ] || fail "the key file was not used"
gen --api-key-env NOT_SET_ANYWHERE one.jsonl >out 2>log && fail "a missing key"
grep -q "NOT_SET_ANYWHERE is not set" log || fail "missing key: $(cat log)"
exit $bad
