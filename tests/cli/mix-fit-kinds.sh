# Every regressor fits, predicts, solves and draws a front; the same bytes for any number of threads.
mix() { mix-fit "$@" -q; }
printf '%s\n' '{"name":"web","tokens":6000,"group":"english"}' '{"name":"books","tokens":3000,"group":"english"}' \
    '{"name":"code","tokens":1000}' >sources.jsonl
mix sample --prior sources.jsonl --runs 40 --seed 3 --out mixtures.csv
# Losses that fall with their own domain, and an accuracy that rises with books and code.
awk -F, 'BEGIN { OFS = ","; print "run,loss/web,loss/code,acc" }
    NR > 1 { print $1, 2 + exp(1 - 3 * $2 - $3), 1 + exp(1 - 6 * $4), 0.9 - 0.4 * exp(-2 * $3 - $4) }' mixtures.csv >metrics.csv
for kind in linear law gbt mean; do
    mix fit --mixtures mixtures.csv --metrics metrics.csv --regressor $kind --higher-is-better acc --out $kind.json --report $kind.report.json
    mix fit --mixtures mixtures.csv --metrics metrics.csv --regressor $kind --higher-is-better acc --threads 1 --out one.json
    cmp $kind.json one.json
    jq -r --arg kind $kind '$kind + ": ranks held-out runs" + (if all(.[]; .spearman > 0.7 and .low > 0.5 and .rmse > 0 and .mae > 0) then "" else " badly" end)' $kind.report.json
    for threads in 1 2; do
        mix solve --model $kind.json --objective loss/web:0.6,loss/code:0.3,acc:0.1 --sources sources.jsonl --tokens 5000 \
            --max-epochs 2 --candidates 2000 --threads $threads --out solved.$threads
        mix pareto --model $kind.json --objective loss/web,loss/code --sources sources.jsonl --points 5 --candidates 2000 \
            --threads $threads --svg front.svg >front.$threads
    done
    cmp solved.1 solved.2 && cmp front.1 front.2
    jq -c '[(.weights | add * 1000 | round / 1000), (.weights.code <= 0.4), (.tokens | add), (.epochs | all(. <= 2)),
        .objective <= .prior.objective, .objective <= .uniform.objective]' solved.1
    jq -s -c '[(map(select(.kind == "solved")) | length, (.[0].predicted["loss/code"] < .[-1].predicted["loss/code"])),
        (map(select(.kind == "run")) | length)]' front.1
done
grep -c '<circle' front.svg | awk '{ print ($1 > 40 ? "a picture" : "no picture") }'
echo "limits:"
solve() { mix solve --model law.json --objective loss/code --kl 0 --sources sources.jsonl "$@" | jq -c '[(.weights | map_values(. * 1000 | round / 1000)), .binding]'; }
solve --max code=0.3 --fix books=0.2
solve --group 'english>=0.75'
solve --group 'web,books<=0.5' --min books=0.1
echo "no worse than:"
for kind in law linear gbt mean; do
    mix solve --model $kind.json --objective loss/code,loss/web:0,acc:0 --kl 0 --sources sources.jsonl --no-worse 0.01 --candidates 2000 --out held.json
    jq -c --arg kind $kind '[$kind, (.no_worse.worse | [."loss/code" < 0, ."loss/web" <= 0.01001, .acc <= 0.01001]), .reference.weights == .prior.weights]' held.json
done
echo '{"weights": {"web": 1, "books": 1, "code": 2}}' >mine.json
mix solve --model law.json --objective loss/code,loss/web:0 --kl 0 --sources sources.jsonl --no-worse 0 --reference mine.json |
    jq -c '[.no_worse.worse."loss/web" <= 1e-5, .no_worse.worse."loss/code" <= 0, .reference.weights]'
mix solve --model law.json --objective loss/code,loss/web --no-worse 0 --sources sources.jsonl --max web=0.1 2>&1 | sed 's/[0-9.]* worse$/X worse/'
mix solve --model law.json --objective loss/code --kl 1se --sources sources.jsonl | jq '.kl_weight > 0'
echo "the next round:"
mix solve --model law.json --objective loss/code --sources sources.jsonl --out best.json
mix sample --prior sources.jsonl --around best.json --runs 8 --strength 20:100 | wc -l
mix sample --prior sources.jsonl --around law.json --objective loss/code --runs 8 --out next.csv
mix predict --model law.json --mixtures next.csv | awk -F, 'NR > 3 { s += $3 } END { print (s / 6 < 1.5 ? "better than most" : "no better: " s / 6) }'
mix sample --prior sources.jsonl --runs 20 --tokens 9000 --max-epochs 1 | awk -F, 'NR > 1 && ($2 > 0.666667 || $3 > 0.333334 || $4 > 0.111112) { print "a cap is broken: " $0 }'
echo "a mixture as one domain:"
printf '%s\n' '{"name":"english","members":{"web":0.75,"books":0.25}}' '{"name":"web","tokens":6000}' '{"name":"books","tokens":900}' '{"name":"code","tokens":3000}' >virtual.jsonl
mix sample --prior virtual.jsonl --runs 20 --seed 1 --out mixtures2.csv
head -n 2 mixtures2.csv
awk -F, 'BEGIN { print "run,loss" } NR > 1 { printf "%s,%.6f\n", $1, 3 - $2 }' mixtures2.csv >metrics2.csv
mix fit --mixtures mixtures2.csv --metrics metrics2.csv --regressor law --out virtual.json
mix solve --model virtual.json --objective loss --kl 0 --sources virtual.jsonl --tokens 6000 --max-epochs 1 | jq -c '{weights, domains, tokens, epochs, binding}'
echo "what the fit says:"
mix predict --model law.json --mixtures mixtures.csv --metrics metrics.csv --report seen.json >predicted.csv
jq -c 'map_values([.n, .rmse < 0.001])' seen.json
mix solve --model law.json --objective loss/code --force --candidates 200 --group code 2>&1
mix solve --model law.json --objective loss/code --group 'code<=2' 2>&1
mix solve --model law.json --objective loss/code --group 'web,code<=0.5' --group 'code,books<=0.5' 2>&1
mix solve --model law.json --objective loss/code --group 'web,code>=0.5' --max web=0.1 --max code=0.1 2>&1
mix solve --model law.json --objective loss/code,loss/code 2>&1
mix pareto --model law.json --objective loss/code 2>&1
mix pareto --model law.json --objective loss/code,loss/web,acc --points 5000 2>&1
mix sample --prior sources.jsonl --around mixtures.csv 2>&1 | sed 's/:.*//'
mix sample --prior sources.jsonl --around law.json 2>&1 | cut -c1-60
echo '{"shares":{"web":1}}' >shares.json
mix sample --prior sources.jsonl --around shares.json 2>&1
mix solve --model law.json --objective loss/code --no-worse 0.1 --reference shares.json 2>&1
mkfifo pipe
cat law.json >pipe &
mix sample --prior sources.jsonl --around pipe --objective loss/code --runs 3 | wc -l
