# What is wrong is named, and nothing is written then.
run() { run-report "$@" >page; echo "status $?, $(wc -c <page) bytes"; }
printf '{"step":1,"loss":2}\n{"loss":1}\n' >nostep.jsonl
printf '{"step":1,"loss":2}\n{"step":2,"lo' >cut.jsonl
echo '{"step":1,"loss":NaN}' >nan.jsonl
echo '[1]' >list.jsonl
echo '{"step":1,"loss":2}' >good.jsonl
: >empty.jsonl
for f in nostep cut nan list empty missing; do run $f.jsonl; done
run <empty.jsonl
run x=good.jsonl y=empty.jsonl | sed 's/, .*//'
run --metric 'gain*' good.jsonl
run --log 'gain*' good.jsonl | sed 's/, .*//'
run --smooth -1 good.jsonl
run --skip-bad --rejects rejects nostep.jsonl | sed 's/, .*//'
jq -c . rejects
echo '{"stages": 5}' >summary.json
run --summary summary.json good.jsonl
echo '{"stages": [5]}' >summary.json
run --summary summary.json good.jsonl
run --summary nosuch.json good.jsonl
run-report good.jsonl >/dev/full
echo "status $?"
run-report --out /dev/full good.jsonl
echo "status $?"
run-report --out no/such/folder.html good.jsonl
echo "status $?"
