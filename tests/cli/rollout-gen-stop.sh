# --stop ends after the text, at the first token that completes it; the text stays.
command -v model-init >/dev/null || { echo "model-init is not built"; exit 77; }
. "$TESTS/tiny-model.sh"
tiny_model M
tiny_tokenizer M
echo '{"prompt": "abc"}' >p.jsonl
rollout-gen -q --model M --group 4 --max-tokens 200 --ignore-eos p.jsonl >free.jsonl
# Any ASCII letter is a byte, so it comes up in 200 random bytes; cut where it first does.
rollout-gen -q --model M --group 4 --max-tokens 200 --ignore-eos --stop a --stop Q p.jsonl >stopped.jsonl
jq -cs 'map(.token_ids)' free.jsonl >free.json
jq -cs --slurpfile free free.json '[.[] | . as $r | $free[0][.sample] as $all
    | ([$all | indices([97]), indices([81])] | add | min) as $first
    | if $first == null then $r.finish_reason == "length" and $r.token_ids == $all
      else $r.finish_reason == "stop" and $r.token_ids == $all[0:$first + 1] end]' stopped.jsonl
rollout-gen -q --model M --stop x --max-tokens 0 p.jsonl 2>&1 | head -n 1
