command -v reward-verify >/dev/null || { echo "skip: reward-verify is not built"; exit 77; }
# majority judges and votes on all workers; the bytes are those of one, and of a jq that votes by itself.
# Groups of 1 to 40 records; answers without a vote, and records without a verdict between them.
cat >program.jq <<'END'
if .answer == "13" then {error: "thirteen"} elif .answer == "0" then {score: 0} else {score: 1, extracted: .answer} end
END
seq 0 2999 | jq -c '{id: ., group: "g\(. * . / 40000 | sqrt * 9 | floor)", completion: "\(. * 7919 % 17)", dataset: "exec"}' >in.jsonl
majority() {
    timeout 100 reward-verify -q --verifier majority --exec "jq -c --unbuffered -f program.jq" "$@"
}
majority --threads 1 --unverified aside.1 in.jsonl >out.1
for n in 2 5; do
    majority --threads $n --unverified aside.$n in.jsonl | cmp - out.1
    cmp aside.$n aside.1
done
# In many small batches, as they come from a slow producer.
while read -r line; do echo "$line"; done <in.jsonl | majority --threads 3 --unverified aside.slow | cmp - out.1
cmp aside.slow aside.1
jq -c 'del(.rewards, .reward)' out.1 | cat - aside.1 | jq -s -c 'sort_by(.id)[] | del(.no_verdict)' | cmp - in.jsonl
# The first of the most common ones wins.
jq -s -r 'group_by(.group)[] | sort_by(.id) | map(select(.completion != "13")) as $all |
    ($all | map(.completion | select(. != "0"))) as $votes |
    ($votes | group_by(.) | map({text: .[0], n: length}) | (map(.n) | max) as $most | map(select(.n == $most).text)) as $best |
    ([$votes[] | select(. as $v | $best | index($v))] | first) as $won |
    $all[] | "\(.id) \(if .completion == $won then 1 else 0 end)"' in.jsonl | sort >want
jq -r '"\(.id) \(.reward)"' out.1 | sort | cmp - want
jq -r '.no_verdict' aside.1 | sort | uniq -c | tr -s ' '
jq -s -c '[length, (map(.reward) | add), (map(.group) | unique | length)]' out.1
# A group is written when the next one begins, not when the input ends.
mkfifo to from
majority --threads 2 to >from 2>log &
exec 4<from 3>to
printf '{"group":%d,"completion":"%d","dataset":"exec"}\n' 1 5 1 6 1 6 2 5 >&3
for i in 1 2 3; do
    read -r line <&4
    echo "$line"
done
# The first record without a verdict stops it; groups before that are written.
printf '{"group":%d,"completion":"%d","dataset":"exec"}\n' 3 1 3 13 3 1 >&3
exec 3>&-
cat <&4
wait $!
echo "$? $(cat log)"
printf '{"group":1,"completion":"5","dataset":"exec"}\n{"completion":"13","dataset":"exec"}\n' >in.jsonl
majority --skip-bad --rejects bad in.jsonl
jq -r .error bad
