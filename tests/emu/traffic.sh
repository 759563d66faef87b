#!/bin/sh
# What the GPU's kernels move: two steps of training and a batch of generation, with int8 weights too, by a model of the usual shape (heads of
# 64, widths that are multiples of 64) on the emulator that watches.  A line of traffic.txt is a kernel with its upper limits:
# bytes read and written over those that had to be, and passes over shared memory over the fewest; and the lower limit of
# the part of the sectors that was asked for.  REDO=1 writes the measured ones there.
set -eu
[ -e "$THINKPIPE_PLUGINS/watch/thinkpipe-emu.so" ] || { echo "the watching emulator is not built here"; exit 77; }
. "$TESTS/tiny-sft.sh"
jq '.hidden_size = 256 | .intermediate_size = 512 | .num_attention_heads = 4 | .num_key_value_heads = 2 | .num_hidden_layers = 1
    | .torch_dtype = "bfloat16"' config.json >wide.json
model-init -q --config wide.json --tokenizer tok --out wide
head -n 3 prompts.jsonl >few.jsonl
export THINKPIPE_PLUGINS="$THINKPIPE_PLUGINS/watch" THINKPIPE_PRODUCTS=own
EMU_TRAFFIC=train.txt sft-train -q --model wide --out wide-2 --steps 2 --batch-tokens 256 --device emu worked.jsonl >/dev/null
EMU_TRAFFIC=generate.txt rollout-gen -q --model wide --device emu --group 2 --max-tokens 4 --top-p 0.9 few.jsonl >/dev/null
EMU_TRAFFIC=int8.txt rollout-gen -q --model wide --weights int8 --device emu --max-tokens 4 few.jsonl >/dev/null
{ sed 's/^/train /' train.txt; sed 's/^/generate /' generate.txt; grep bytes int8.txt | sed 's/^/int8 /'; } >now.txt
[ -z "${REDO:-}" ] || cp now.txt "$TESTS/emu/traffic.txt"
awk 'NR == FNR { read[$1, $2] = $4; write[$1, $2] = $6; sectors[$1, $2] = $8; banks[$1, $2] = $10; known++; next }
    !(($1, $2) in read) { print "not in traffic.txt: " $0; bad = 1; next }
    { seen++ }
    $4 > read[$1, $2] || $6 > write[$1, $2] || $8 < sectors[$1, $2] || $10 > banks[$1, $2] {
        print "over the limits: " $0; bad = 1 }
    END { if (seen != known) { print "kernels that did not run: " known - seen; bad = 1 } exit bad }' \
    "$TESTS/emu/traffic.txt" now.txt
echo "$(wc -l <now.txt) kernels within their limits"
