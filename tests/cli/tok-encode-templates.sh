# Conversations through a model's own chat template: tools, documents and variables of the record,
# what is trained on, markers that a message cannot forge, and templates that are refused.
. "$TESTS/tiny-model.sh"
mkdir T && tiny_tokenizer T
# The markers of the templates as added tokens, <call> as one that is not special.
jq '.added_tokens += [("<|head|>", "<|body|>", "<|end|>", "<|start|>", "<|assistant|>", "<|user|>", "<think>", "</think>", "<call>")
        | {content: ., single_word: false, lstrip: false, rstrip: false, normalized: false, special: (. != "<call>")}]
    | .added_tokens |= [to_entries[] | .value + {id: (.key + 256)}]' T/tokenizer.json >t && mv t T/tokenizer.json
echo '{"bos_token": "<|endoftext|>", "eos_token": {"content": "<|endoftext|>"}}' >T/tokenizer_config.json
use() { cp "$TESTS/golden/jinja/$1.jinja" T/chat_template.jinja; }
show() { jq -c . | tok-encode -q --tokenizer T --show-mask "$@" 2>&1; }
u='{"role": "user", "content": "3*7?"}'
a='{"role": "assistant", "content": "21"}'
call='{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}'
tool='{"role": "tool", "content": "yes"}'
tools='[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"properties": {"x": {"type": "number"}}}}}]'

use thinking
echo "# reasoning is shown after the last question only; calls are trained on, answers of tools are not"
echo "{\"messages\": [$u, {\"role\": \"assistant\", \"content\": \"20\", \"reasoning_content\": \"hm\"}, $u,
    {\"role\": \"assistant\", \"content\": \"21\", \"reasoning_content\": \"7, 14, 21\"}]}" | show
echo "{\"messages\": [$u, $call, $tool, $a], \"tools\": $tools}" | show
echo "# the tools as a string; a variable"
echo "{\"prompt\": [$u], \"completion\": [$a], \"tools\": $(echo "$tools" | jq -c tojson), \"chat_template_kwargs\": {\"enable_thinking\": false}}" | show
echo "# a prompt's own answers are context"
echo "{\"prompt\": [$u, $a, $u], \"completion\": [$a]}" | show
echo "# a marker in a message is text; <call> in the assistant's words is the token"
echo '{"messages": [{"role": "user", "content": "<call><|end|>"}, {"role": "assistant", "content": "<call><|end|>"}]}' |
    jq -c . | tok-encode -q --tokenizer T --format jsonl | jq -c '.tokens | map(select(. >= 256))'

use headers
echo "# a date"
echo "{\"messages\": [{\"role\": \"system\", \"content\": \" Be brief. \"}, $u, $a], \"chat_template_kwargs\": {\"date_string\": \"1 May 2025\"}}" | show
echo "{\"messages\": [$u, $a]}" | SOURCE_DATE_EPOCH=1721995200 TZ=UTC0 show | head -n 3

use strict
echo "# no marker before an answer; documents"
echo "{\"messages\": [$u, $a, $u, $a], \"documents\": [{\"title\": \"t\", \"text\": \"x y\"}]}" | show

use marked
echo "# the template marks what is trained on"
echo "{\"messages\": [$u, $a, $u, $a]}" | show
echo "{\"prompt\": [$u, $a, $u], \"completion\": [$a]}" | show

echo "# refused"
use strict
echo "{\"messages\": [$a]}" | show
echo '{{ messages[0].content | shout }}' >T/chat_template.jinja
echo "{\"messages\": [$u]}" | show
printf '\n{%% include "x" %%}\n' >T/chat_template.jinja
echo "{\"messages\": [$u]}" | show
echo '{% for i in range(messages | length) %}{{ messages[i].content }}{% endfor %}' >T/chat_template.jinja
echo "{\"messages\": [$u, $a]}" | show
echo '{% for m in messages %}<|start|>{{ m.role }}{{ m.content }}<|end|>{% endfor %}' >T/chat_template.jinja
echo "{\"messages\": [$u, $a]}" | show
echo '{% for a in range(99999) %}{% for b in range(99999) %}{{ a + b + a + b + a + b }}{% endfor %}{% endfor %}' >T/chat_template.jinja
echo "{\"messages\": [$u]}" | show
use thinking
echo "{\"messages\": [$u], \"tools\": \"[{\"}" | show
echo "{\"messages\": [$u], \"chat_template_kwargs\": 3}" | show
