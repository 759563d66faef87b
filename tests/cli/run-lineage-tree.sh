# The tree of what made a checkpoint, and what has become of it.
. "$TESTS/tiny-model.sh"
tiny_model init
for i in 1 2 3 4; do echo '{"tokens": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]}'; done >"my data.jsonl"
base-train -q --model init --out base --steps 2 --batch-tokens 32 "my data.jsonl" >/dev/null
sft-train -q --model base --out sft --steps 1 <"my data.jsonl" >/dev/null
masked() { sed 's/xxh3:[0-9a-f]*/xxh3:.../g; s/0\.[0-9.]*, seed/V, seed/'; }
run-lineage sft | masked
echo "all there:"
run-lineage --check sft 2>log | masked
grep -v in= log
run-lineage -q --check --format json sft | jq -c '[.path, .program, ([.. | objects | .status? // empty])]'
echo "a parent has moved, another is gone:"
mkdir elsewhere && mv base elsewhere && rm -r init
run-lineage --check sft 2>&1 | masked | grep -v in=
run-lineage -q --check --root elsewhere --root . --format json sft | jq -r '.. | objects | select(.status?) | "\(.path) \(.status) \(.found // "")"'
echo "changed data:"
echo '{"tokens": [1, 2]}' >>"my data.jsonl"
run-lineage --check sft >/dev/null 2>log
echo "exit $?"
grep -v in= log
echo "broken lineages:"
bad() {
    echo "$1" >lineage.json
    run-lineage -q lineage.json 2>&1
}
bad '[]'
bad '{"program": "x", "version": "1", "arguments": [], "inputs": [], "parents": [1]}'
bad '{"program": "x", "version": "1", "arguments": [1], "inputs": [], "parents": []}'
bad '{"program": "x", "version": "1", "arguments": [], "inputs": [{"path": "a"}], "parents": []}'
bad '{"program": "x", "version": "1", "arguments": [], "inputs": [], "parents": [{"path": "p", "digest": "d", "lineage": 3}]}'
run-lineage -q elsewhere 2>&1
bad '{"program": "x\u001b[2J", "version": "1", "arguments": ["it'"'"'s", ""], "inputs": [], "parents": [{"path": "p", "digest": "d", "lineage": null}]}'
