# Every rule, at its limit and one short of it, on documents and on messages.
say() { jq -c -n --arg id "$1" --arg text "$2" '{$id, $text}'; }
chat() { jq -c -n --arg id "$1" --arg a "$2" '{$id, messages: [{role: "user", content: "I am Qwen. 你好你好你好"}, {role: "assistant", content: $a}]}'; }
repeat() { i=0; while [ $i -lt "$2" ]; do printf '%s' "$1"; i=$((i + 1)); done; }
{
    say sentences-9 "$(repeat 'This is it again. ' 9)"
    say sentences-10 "$(repeat 'This is it again! ' 5) $(repeat 'this is, it AGAIN. ' 5)"
    say short-sentences "$(repeat 'Oh no. Then it was number 3.14 and so on? ' 4) $(repeat 'Yes. ' 30)"
    say phrases-49 "$(repeat 'go on ' 49)"
    say phrases-50 "and so $(repeat 'go on ' 50) at last"
    say han-below "$(repeat 'twenty ascii letters ' 3)你好"
    say han "thirty-eight characters of ascii, so it is 你好"
    say fence 'See:
```python
x = 1'
    say closed-fence 'See:
```python
x = 1
```'
    say identity 'Hello! As an AI language model, I cannot.'
    say about-models 'OpenAI and Alibaba are makers of models, and ChatGPT is one of them.'
    say cut 'the end is mis'
    chat good 'I can do that.'
    chat thinking '<think>hm, and then'
    chat empty '<think>hm</think>
 '
    chat me "I'm Qwen, a large model."
    echo '{"id":"last-turn","messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}'
    echo '{"id":"tool","messages":[{"role":"user","content":"b"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f"}}]}]}'
    echo '{"id":"length","prompt":"p","completion":"a","finish_reason":"length"}'
    echo '{"id":"reasoning","messages":[{"role":"user","content":"b"},{"role":"assistant","content":"c","reasoning_content":"I was trained by OpenAI"}]}'
} >in.jsonl
corpus-filter --rule olmo3 --dropped dropped.jsonl in.jsonl | jq -r .id
jq -c '[.id, .filter.rule, .filter.why]' dropped.jsonl
echo mark
corpus-filter -q --rule ending --mark in.jsonl | jq -c 'select(.filter) | [.id, .filter.why]'
printf 'go on\n\n so it is\n' >words.txt
corpus-filter -q --rule keywords=words.txt --mark in.jsonl | jq -c 'select(.filter) | [.id, .filter.why]'
echo length
for rule in min-words=3 max-words=20 min-chars=6 max-chars=42 script-least=Latin:0.95; do
    corpus-filter -q --rule $rule --mark in.jsonl | jq -c --arg r $rule 'select(.filter) | [$r, .id, .filter.why]'
done
corpus-filter -q --rule script=Han:0.1 --text-field messages in.jsonl --skip-bad 2>/dev/null | jq -r .id
corpus-filter -q --rule script=Klingon:0.1 in.jsonl 2>&1 | head -n 1
corpus-filter -q --rule keywords=missing in.jsonl 2>&1 | head -n 1
corpus-filter -q --rule min-words in.jsonl 2>&1 | head -n 1
corpus-filter -q --rule ending=3 in.jsonl 2>&1 | head -n 1
