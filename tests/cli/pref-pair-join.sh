# Two files joined; the report adds up.
cat >strong.jsonl <<'END'
{"id":"a","messages":[{"role":"user","content":"1+1"}],"completion":"<think>easy</think>2","reward":1,"model":"big","ground_truth":"2"}
{"id":"b","messages":[{"role":"user","content":"2+2"}],"completion":"4","reward":1,"model":"big"}
{"id":"c","messages":[{"role":"user","content":"3+3"}],"completion":"7","reward":0,"model":"big"}
{"id":"d","messages":[{"role":"user","content":"4+4"}],"completion":"8","reward":1,"finish_reason":"length"}
{"messages":[{"role":"user","content":"5+5"},{"role":"assistant","content":"10"}],"reward":1}
END
cat >weak.jsonl <<'END'
{"id":"a","messages":[{"role":"user","content":"1+1"}],"completion":"3","reward":0,"model":"small"}
{"id":"a","messages":[{"role":"user","content":"1+1"}],"completion":"2?","reward":1,"model":"small"}
{"id":"b","messages":[{"role":"user","content":"2+2"}],"completion":"4","reward":1,"model":"small"}
{"id":"c","messages":[{"role":"user","content":"3+3"}],"completion":"8","reward":0,"model":"small"}
{"id":"e","messages":[{"role":"user","content":"5+5"}],"completion":"11","reward":0}
END
pref-pair --chosen strong.jsonl --rejected weak.jsonl --drop-equal --drop-truncated --report r.json
cat r.json
echo
pref-pair --chosen - --rejected weak.jsonl --require-chosen-reward 1 --min-gap 1 <strong.jsonl | wc -l
