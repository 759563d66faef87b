# What swarms of strangers hold: each case is answered, or refused by name.
mix() { mix-fit "$@" -q; }
fit() { mix fit --mixtures mixtures.csv --metrics metrics.csv --out model.json "$@" 2>&1; }
solve() { mix solve --model model.json "$@" 2>err >out.json; rc=$?; [ $rc = 0 ] || cat err; return $rc; }
shares() { jq -c '.weights | map_values(. * 1000 | round / 1000)' out.json; }
# A swarm of N runs over a, b, c and one metric by an awk expression of the shares.
swarm() { # N EXPRESSION
    mix sample --domains a,b,c --runs "$1" --strength 0.5:5 --seed 7 --out mixtures.csv
    awk -F, "BEGIN { print \"run,y\" } NR > 1 { a = \$2; b = \$3; c = \$4; printf \"%s,%.9g\n\", \$1, $2 }" mixtures.csv >metrics.csv
}

echo "== ranks: a constant metric has none"
swarm 20 4
fit --regressor law --report r.json
jq -c '.y | [.spearman, .low, .rmse < 1e-6]' r.json
echo "== sums near 1 are taken, others are named"
swarm 20 '3 - a + b'
awk -F, 'BEGIN { OFS = "," } NR > 1 { $2 *= 0.996 } 1' mixtures.csv >near.csv
mix fit --mixtures near.csv --metrics metrics.csv --regressor law --out model.json && echo taken
awk -F, 'BEGIN { OFS = "," } NR == 5 { $2 += 0.02 } 1' mixtures.csv >off.csv
mix fit --mixtures off.csv --metrics metrics.csv --out m.json 2>&1
mix fit --mixtures off.csv --metrics metrics.csv --regressor law --normalize --out m.json && echo "taken with --normalize"
echo "== a domain that never changed keeps its share; a share is never larger than in any run"
awk -F, 'BEGIN { OFS = "," } NR > 1 { $4 = 0.1; s = $2 + $3; if (s == 0) $2 = 1; s = $2 + $3; $2 = 0.2 + 0.5 * $2 / s; $3 = 0.9 - $2 } 1' mixtures.csv >pinned.csv
awk -F, 'BEGIN { print "run,y" } NR > 1 { printf "%s,%.9g\n", $1, 3 - $2 }' pinned.csv >metrics.csv
mix fit --mixtures pinned.csv --metrics metrics.csv --regressor law --out model.json
printf '{"name":"%s","tokens":%d}\n' a 45 b 45 c 10 >sources.jsonl
solve --objective y --kl 0 --sources sources.jsonl && cat err && shares && jq -c '.binding | map(.limit)' out.json
solve --objective y --kl 0 --sources sources.jsonl --extrapolate && shares
echo "== limits"
swarm 30 '3 - 2 * a + b'
fit --regressor law
printf '{"name":"a","tokens":0}\n{"name":"b","tokens":600}\n{"name":"c","tokens":400}\n' >zero.jsonl
solve --objective y --sources zero.jsonl && jq -c '[.weights.a, .kl < 10]' out.json
solve --objective y --kl 0 --sources zero.jsonl --tokens 1000 --max-epochs 1 && jq -c '[.weights, .tokens, .epochs]' out.json
solve --objective y --kl 0 --sources zero.jsonl --tokens 10 --max-epochs 100 && shares
solve --objective y --kl 0 --sources zero.jsonl --tokens 1001 --max-epochs 1
printf '{"name":"%s","tokens":%d}\n' a 333 b 334 c 333 >thirds.jsonl
solve --objective y --kl 0 --sources thirds.jsonl --tokens 1000 --max-epochs 1 && jq -c '[.tokens, .epochs]' out.json
solve --objective y --min a=0.5 --max a=0.4
solve --objective y --fix a=0.7 --fix b=0.7
solve --objective y:0
echo "== metrics without a logarithm"
swarm 30 '-3 + 2 * a - b'
fit --regressor law --higher-is-better y
solve --objective y --kl 0.01 && cat err && shares
swarm 100 '(a > 0.4 ? 1 : 0)'
fit --regressor gbt --higher-is-better y
solve --objective y --candidates 1000 && jq -c '.weights.a > 0.4' out.json
echo "== noise is left out, unless it is all that is asked for"
mix sample --domains a,b,c --runs 40 --strength 0.5:5 --seed 7 --out mixtures.csv
awk -F, 'BEGIN { print "run,good,noise"; x = 1 } NR > 1 { x = (x * 16807) % 2147483647; printf "%s,%.6f,%.6f\n", $1, 3 - $2, x / 2147483647 }' mixtures.csv >metrics.csv
fit --regressor law
solve --objective good:0.5,noise:0.5 && cat err && jq -c '.weights.a > 0.5' out.json
solve --objective noise
solve --objective noise --force && cat err
echo "== a run that went wrong, and units of any size"
swarm 60 '1e6 * (3 - a) + (NR == 31 ? 9e6 : 0)'
fit --regressor law
swarm 60 '1e-6 * (3 - a)'
fit --regressor mean --report r.json
solve --objective y --candidates 1000 && jq -c '.weights.a > 0.5' out.json
echo "== one domain, two domains, many domains, many runs"
printf 'run,a\n1,1\n2,1\n3,1\n4,1\n5,1\n' >mixtures.csv
printf 'run,y\n1,2\n2,2.1\n3,2\n4,1.9\n5,2\n' >metrics.csv
fit --regressor law
solve --objective y --force && shares
names=$(seq -s , -f 'd%g' 80)
mix sample --domains "$names" --runs 300 --strength 20:200 --min-weight 0 --seed 2 --out mixtures.csv
awk -F, 'BEGIN { print "run,y" } NR > 1 { printf "%s,%.9g\n", $1, 3 + exp(-5 * $2 - $3) }' mixtures.csv >metrics.csv
fit --regressor law
solve --objective y --kl 0 && jq -c '.weights.d1 > 0.06' out.json
mix sample --domains "$names" --runs 10000 --seed 2 --out mixtures.csv
awk -F, 'BEGIN { print "run,y" } NR > 1 { printf "%s,%.9g\n", $1, 3 - $2 }' mixtures.csv | sort -r -t, -k1,1n >metrics.csv
mix fit --mixtures mixtures.csv --metrics metrics.csv --regressor linear --out model.json --report r.json && jq -c '.y.n' r.json
echo "== refused"
swarm 9 '3 - a'
fit --regressor gbt
swarm 4 '3 - a'
fit --regressor law
printf '{"name":"a"}\n{"name":"a"}\n' >twice.jsonl
mix sample --prior twice.jsonl 2>&1
mix sample --domains a,,b 2>&1
printf '{"name":"a","tokens":-1}\n' >negative.jsonl
mix sample --prior negative.jsonl 2>&1
printf '{"name":"v","members":{"a":0.5,"b":0.2}}\n' >members.jsonl
mix sample --prior members.jsonl 2>&1
printf '{"name":"v","members":{"a":1}}\n{"name":"w","members":{"a":1}}\n' >members.jsonl
mix sample --prior members.jsonl 2>&1
printf '{"name":"v","members":{"w":1}}\n{"name":"w","members":{"a":1}}\n' >members.jsonl
mix sample --prior members.jsonl 2>&1
printf '{"name":"v","members":3}\n' >members.jsonl
mix sample --prior members.jsonl 2>&1
true
