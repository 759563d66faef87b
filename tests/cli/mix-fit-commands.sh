# From small runs to a mixture: sample, fit, predict, solve.
mix() { mix-fit "$@" -q; }
printf '{"name": "web", "tokens": 3000}\n{"name": "code", "tokens": 1000}\n' >sources.jsonl
mix sample --prior sources.jsonl --runs 24 --seed 3 --out mixtures.csv
head -n 3 mixtures.csv
awk -F, 'NR > 1 { s = 0; for (i = 2; i <= NF; i++) s += $i; if (s < 0.999999 || s > 1.000001) print "row", NR, s }' mixtures.csv
mix sample --prior sources.jsonl --runs 24 --seed 3 --threads 2 | cmp - mixtures.csv && echo "same seed, same mixtures"
mix sample --prior sources.jsonl --runs 24 --seed 4 | cmp -s - mixtures.csv || echo "another seed, other mixtures"
# A world where the loss on code falls with code, and that on web with web.
awk -F, 'BEGIN { print "run,loss/web,loss/code" } NR > 1 { printf "%s,%.6f,%.6f\n", $1, 3 - $2, 4 - 2 * $3 }' mixtures.csv >metrics.csv
mix fit --mixtures mixtures.csv --metrics metrics.csv --regressor linear --out model.json
jq -c '[.metrics[].name]' model.json
printf 'run,web,code\nhalf,0.5,0.5\nall,1,0\n' >new.csv
mix predict --model model.json --mixtures new.csv |
    awk -F, 'NR == 1 { print; next } { printf "%s %.2f %.2f\n", $1, $2, $3 }'
for objective in loss/web:1 loss/code:1; do
    mix solve --model model.json --objective $objective --kl 0 --out best.json && jq -c '.weights | map_values(. * 100 | round / 100)' best.json
done
mix solve --model model.json --objective loss/code:1 --kl 0 --max code=0.3 | jq -c '.weights | map_values(. * 100 | round / 100)'
echo "what cannot be:"
mix sample --prior none.jsonl 2>&1
printf 'run,web,code\n0,0.5\n' >short.csv
mix fit --mixtures short.csv --metrics metrics.csv --out m.json 2>&1
printf 'run,web,code\n0,0.5,x\n' >word.csv
mix fit --mixtures word.csv --metrics metrics.csv --out m.json 2>&1
printf 'run,web,code\n0,0.9,0.9\n' >sum.csv
mix fit --mixtures sum.csv --metrics metrics.csv --out m.json 2>&1
: >empty.csv
mix fit --mixtures empty.csv --metrics metrics.csv --out m.json 2>&1
echo '{"regressor": "linear"}' >half.json
mix predict --model half.json --mixtures new.csv 2>&1
mix solve --model model.json --objective loss/none:1 2>&1
mix solve --model model.json --objective loss/web:1 --min web=0.8 --min code=0.8 2>&1
ls m.json 2>/dev/null
