#!/bin/sh
# Products by cuBLASLt: a shape of weight for which it has no algorithms that agree, and algorithms that are kept.
set -eu
[ -e "$THINKPIPE_PLUGINS/thinkpipe-emu.so" ] || { echo "the emulator is for x86-64"; exit 77; }

# The stand-in splits the sums of 17 to 64 rows, whatever is asked.  All rows must come from our own kernel then, those too
# for which there is an algorithm.
OPS_ONLY=cuda-emu OPS_OP=linear EMU_LT=split "$BUILT/unit/test_ops_exact"

# What one process found the next one takes, though its library would name nothing; not another library's, nor a file that
# is not whole.
. "$TESTS/tiny-sft.sh"
head -n 4 prompts.jsonl >few.jsonl
generate() { # name variables...
    name=$1
    shift
    env "$@" rollout-gen -q --model sft --precision bf16 --device emu --ignore-eos --max-tokens 12 --seed 5 few.jsonl >"$name"
}
same() { cmp -s "$1" "$2"; }
export THINKPIPE_CACHE="$PWD/made/by/us"
generate found
kept=$(ls made/by/us/products-*.txt)
grep -q '^thinkpipe products 1: emulator, 1 processors, driver 0, cuBLASLt 130000$' "$kept"
[ "$(sed '$d' "$kept" | cksum)" = "$(tail -n 1 "$kept")" ]
generate own THINKPIPE_PRODUCTS=own
if same found own; then echo "own products have cuBLASLt's bits: nothing is shown"; exit 1; fi
cp "$kept" whole
generate again EMU_LT=none
same found again || { echo "the kept algorithms were not taken"; exit 1; }
cmp "$kept" whole

refuses() { # why: with that file the library is asked again, and has nothing
    generate out EMU_LT=none
    same own out || { echo "taken: $1"; exit 1; }
    cp whole "$kept"
}
generate out EMU_LT_VERSION=130001 EMU_LT=none
same own out || { echo "taken: another version's"; exit 1; }
[ "$(ls made/by/us | wc -l)" = 2 ]
rm made/by/us/*
cp whole "$kept"
sed '2s/: ./: f/' whole >"$kept"
refuses "a file that was changed"
head -c 700 whole >"$kept"
refuses "a file that was cut"
: >"$kept"
refuses "an empty file"
sed '$d' whole | sed 's/: 0[01]/: 09/; s/ 0[01]0000/ 090000/g' >body
{ cat body; cksum <body; } >"$kept"
refuses "algorithms that the library refuses"
rm "$kept"
generate out THINKPIPE_CACHE=off
[ -z "$(ls made/by/us)" ]
