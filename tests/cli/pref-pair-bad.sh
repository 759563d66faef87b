# Wrong usage and bad records.
pref-pair --chosen a.jsonl 2>&1
echo $?
pref-pair --chosen a.jsonl --rejected b.jsonl c.jsonl 2>&1
echo $?
pref-pair -q --chosen a.jsonl --rejected b.jsonl 2>&1
echo $?
echo '{"prompt":"q","completion":"a"}' >a.jsonl
pref-pair -q a.jsonl 2>&1
echo $?
printf '%s\n' '{"id":1,"prompt":"q","completion":"a"}' '{"completion":"a"}' '{"id":2,"prompt":"r","completion":"a"}' >b.jsonl
printf '%s\n' '{"id":1,"prompt":"other","completion":"x"}' '{"id":2,"prompt":"r","completion":"y"}' >c.jsonl
pref-pair -q --chosen b.jsonl --rejected c.jsonl 2>&1
echo $?
pref-pair --skip-bad --rejects bad.jsonl --chosen b.jsonl --rejected c.jsonl 2>&1
cat bad.jsonl
