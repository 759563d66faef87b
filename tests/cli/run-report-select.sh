# Patterns, smoothing, groups in their order, long runs on small pages.
jq -nc 'range(1; 20001) as $s | {step: $s, loss: (1 + ($s % 7)), reward: (if $s == 12345 then 9 else $s % 2 end),
    "rewards/chosen": ($s / 1000), "sampling/mismatch_k3": 0, tokens_per_second: ($s % 10), zebra: $s,
    "staleness/max": ($s % 3), "completions/mean_length": ($s % 5), "eval/x": -$s}' >m.jsonl
run-report -q m.jsonl >page
grep -o '<h2>[^<]*' page
[ "$(wc -c <page)" -lt 150000 ] && echo "small"
run-report -q --metric 'rew*' m.jsonl | grep -o '<h3>.*</h3>'
# The one high reward is in the faint curve (top of the plot: 8 and the free margin), not in the mean.
run-report -q --metric reward m.jsonl >page
for class in w l; do
    grep "class=\"$class c0" page | grep -o 'd="[^"]*"' | tr -d 'd="M' | tr ' ' '\n' | awk 'NR % 2 == 0' | sort -n | head -n 1 |
        awk -v class=$class '{print class, $1 < 20}'
done
run-report -q --smooth 1 --metric reward m.jsonl | grep -c 'class="w'
run-report -q --metric 'sampling/*' m.jsonl | grep -o 'exactly 0'
run-report -q --metric zebra m.jsonl | grep -c '<path class="l'
# From a pipe, compressed, with names of their own.
zstd -q <m.jsonl | run-report -q | grep -o '</svg>stdin</td>'
run-report -q one=m.jsonl two=m.jsonl | grep -oE '</svg>(one|two)</td>'
