# Train and test share nothing, whatever the seeds; no problem comes twice in a run.
ids() { sed 's/^{"id":"\([^"]*\)".*/\1/'; }
task-gen -q --task mix --difficulty 1-2 --n 4000 --seed 1 | ids | sort >train1
task-gen -q --task mix --difficulty 1-2 --n 4000 --seed 2 | ids | sort >train2
task-gen -q --task mix --difficulty 1-2 --n 600 --split test --seed 1 | ids | sort >test
uniq -d train1
uniq -d test
sort -u train1 train2 | comm -12 - test
wc -l <test | tr -d ' '
[ "$(comm -12 train1 train2 | wc -l)" -gt 0 ] && echo "the same problem has the same id"
task-gen -q --task arithmetic --digits 1 --n 1000 2>&1 >/dev/null | sed 's/after [0-9]* records/after N records/'
task-gen -q --task arithmetic --digits 1 --n 1000 --allow-duplicates | wc -l
