#!/bin/sh
# IFEval through the programs: a 7B and a 0.5B model's answers judged by the record's instructions, the
# verdicts beside those that were published for them (tests/bench/instruct-agree.md), the followed ones as
# preference pairs.
set -eu
for f in ifeval/input_data.jsonl ifeval-delta-pairs/pairs.jsonl.zst; do
    [ -f "${THINKPIPE_DATA:-}/$f" ] || { echo "no $f in \$THINKPIPE_DATA"; exit 77; }
done
zstd -qdc "$THINKPIPE_DATA/ifeval-delta-pairs/pairs.jsonl.zst" >pairs.jsonl
jq -c -n --slurpfile q "$THINKPIPE_DATA/ifeval/input_data.jsonl" --slurpfile p pairs.jsonl '
    ($q | map({key: .prompt, value: {instruction_id_list, kwargs}}) | from_entries) as $known |
    $p[] | select($known[.prompt]) | . + $known[.prompt] + {dataset: "ifeval"}' >joined.jsonl
n=$(wc -l <joined.jsonl)
[ "$n" -ge 500 ] || { echo "only $n prompts are known"; exit 1; }
for side in chosen rejected; do
    jq -c --arg s $side '. + {group: .id, completion: .[$s]} | del(.chosen, .rejected)' joined.jsonl >$side.jsonl
    reward-verify -q --threads 1 --explain $side.jsonl >$side.out
    reward-verify -q --threads 2 --workers 3 --explain $side.jsonl | cmp - $side.out
    jq -s -c '{n: length, all: map(select(.reward == 1)) | length,
               followed: map(.verdict.ifeval.detail | split("; ") | map(select(endswith(": followed"))) | length) | add,
               instructions: map(.instruction_id_list | length) | add}' $side.out >$side.sum
    # Every record came through with its fields.
    jq -e -s 'all(.[]; .rewards.ifeval == .reward and .kwargs and .prompt and .chosen_model)' $side.out >/dev/null ||
        { echo "fields are lost"; exit 1; }
done
# Published: 670 and 287 of 832 instructions, 394 and 129 of 540 prompts with all of them followed.
jq -e '(.followed / .instructions - 670 / 832 | fabs < 0.01) and (.all / .n - 394 / 540 | fabs < 0.01)' chosen.sum >/dev/null ||
    { echo "7B: $(cat chosen.sum)"; exit 1; }
jq -e '(.followed / .instructions - 287 / 832 | fabs < 0.01) and (.all / .n - 129 / 540 | fabs < 0.01)' rejected.sum >/dev/null ||
    { echo "0.5B: $(cat rejected.sum)"; exit 1; }
# Loose is never less than strict, and all of them never more than the share.
reward-verify -q --verifier ifeval --verifier ifeval_loose --verifier ifeval_all rejected.jsonl |
    jq -e -s 'all(.[].rewards; .ifeval_loose >= .ifeval and .ifeval_all <= .ifeval)' >/dev/null ||
    { echo "loose, strict and all do not fit together"; exit 1; }
# Where the strong model followed all and the weak one less: preference pairs with a reason.
pref-pair -q --chosen chosen.out --rejected rejected.out --require-chosen-reward 1 --min-gap 0.1 >pairs.out 2>pairs.log ||
    { cat pairs.log; exit 1; }
wanted=$(jq -n --slurpfile c chosen.out --slurpfile r rejected.out \
    '[range($c | length) | select($c[.].reward == 1 and $r[.].reward <= 0.9)] | length')
[ "$(wc -l <pairs.out)" = "$wanted" ] && [ "$wanted" -gt 200 ] || { echo "$(wc -l <pairs.out) pairs, expected $wanted"; exit 1; }
