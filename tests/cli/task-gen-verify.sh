# Worked solutions get reward 1, in both ways of saying the answer; a wrong truth gets 0.
for reply in sentence boxed; do
    task-gen -q --task mix --difficulty 1-5 --n 3500 --trace --reply $reply --seed 5 >a.jsonl || exit 1
    reward-verify -q --filter 1 a.jsonl | wc -l
done
# The next record's truth is wrong nearly always.
reward-verify -q --filter 1 --verifier incorrect a.jsonl | wc -l
# Bytes do not depend on threads.
task-gen -q --task mix --difficulty 1-5 --n 3500 --trace --reply boxed --seed 5 --threads 1 | cmp - a.jsonl
task-gen -q --task mix --difficulty 1-5 --n 3500 --trace --reply boxed --seed 5 --threads 2 | cmp - a.jsonl
