# One problem of every kind and difficulty, with its trace.
for task in arithmetic countdown sort list count date string; do
    for level in 1 2 3 4 5; do
        task-gen -q --task $task --difficulty $level --n 1 --trace --seed 11 || exit 1
    done
done
task-gen -q --task arithmetic --n 2 --format messages --prompt-suffix "Think first." --seed 4
task-gen -q --task arithmetic --n 2 --terms 4 --digits 1 --trace --reply boxed --format messages --seed 4
