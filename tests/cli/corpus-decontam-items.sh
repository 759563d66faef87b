# Items of two sets in documents and messages: dropped, marked, reported; what is too short; what fails.
cat >set.jsonl <<'END'
{"id":"q1","question":"Ann has three red apples and buys two green pears, then her brother eats one apple. How many pieces of fruit has Ann now?","answer":"4"}
{"question":"A train leaves the old harbour at noon and travels for five hours at sixty miles an hour through the hills before it stops. How far is it?","answer":"five times sixty is three hundred, so the train is exactly three hundred miles away from the old harbour when it stops"}
{"question":"What is two and two?","answer":"4"}
END
cat >docs.jsonl <<'END'
{"id":"a","text":"Homework: ANN has three red apples & buys two green pears; then her brother eats one apple. How many pieces of fruit has Ann now? 4"}
{"id":"b","text":"Nothing of the kind is in here, though Ann has three red apples.","n":1.50}
{"id":"c","messages":[{"role":"user","content":"A train leaves the old port at noon and travels for five hours at sixty miles an hour through the hills before it rests. How far is it?"},{"role":"assistant","content":"300"}]}
{"id":"d","text":"Five times sixty is three hundred, so the train is exactly 300 miles away from the old harbour when it stops."}
{"id":"e","text":"What is two and two?"}
END
corpus-decontam --against set.jsonl --report r.jsonl docs.jsonl
jq -c 'del(.found)' r.jsonl
jq -r .found r.jsonl
corpus-decontam -q --mark --against fruit=set.jsonl docs.jsonl 2>/dev/null | jq -c '[.id, .contamination.eval, .contamination.line]'
echo "8-grams"
corpus-decontam -q --rule ngram --against set.jsonl docs.jsonl 2>/dev/null | jq -c .id
corpus-decontam -q --against set.jsonl --fail-above 0.5 docs.jsonl >/dev/null 2>&1
echo $?
corpus-decontam -q --against set.jsonl --question-field nosuch --answer-field nosuch docs.jsonl
corpus-decontam -q --against missing.jsonl docs.jsonl
corpus-decontam -q --against set.jsonl --report no/such/r.jsonl docs.jsonl | wc -l
