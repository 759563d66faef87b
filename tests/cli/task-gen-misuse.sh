# Wrong usage leaves with status 2 and a sentence that says why.
run() { task-gen "$@" 2>&1 | head -n 1; }
run --difficulty 6
run --difficulty 3-2
run --difficulty 1-
run --difficulty 12
run --terms 1
run --task chess
run --n -1
run file.jsonl
task-gen --difficulty 0 2>/dev/null
