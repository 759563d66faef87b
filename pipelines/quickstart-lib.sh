# What quickstart.sh needs around the recipe: folders, models, measurements, the summary.

here=$(cd "$(dirname "$0")" && pwd)
began=$(date +%s)

say() {
    echo "quickstart: $(($(date +%s) - began)) s: $1" >&2
}

# start_run DIR: an empty folder, and go there.
start_run() {
    rm -rf "$1"
    mkdir -p "$1"
    cd "$1"
    mkdir data shards val swarm metrics eval
}

# hold_out NAME N: documents to data/NAME.jsonl, every 100th to data/NAME-val.jsonl.
hold_out() {
    head -n "$2" | awk -v train="data/$1.jsonl" -v val="data/$1-val.jsonl" 'NR % 100 == 0 { print >val; next } { print >train }'
    [ -s "data/$1-val.jsonl" ] || { echo "quickstart: no text of domain '$1': run 'make deps' first" >&2; exit 1; }
}

# make_model DIR DIM LAYERS HEADS: random weights, half as many key heads as query heads.
make_model() {
    jq -n --argjson dim "$2" --argjson layers "$3" --argjson heads "$4" '{
        architectures: ["LlamaForCausalLM"], model_type: "llama", hidden_size: $dim, intermediate_size: (8 * $dim / 96 | ceil * 32),
        num_hidden_layers: $layers, num_attention_heads: $heads, num_key_value_heads: ($heads / 2),
        head_dim: ($dim / $heads), vocab_size: 0, max_position_embeddings: 1024, rms_norm_eps: 1e-6,
        rope_theta: 10000, hidden_act: "silu", tie_word_embeddings: true, initializer_range: 0.05, torch_dtype: "float32"}' >"$1.json"
    model-init -q --config "$1.json" --tokenizer tok --seed "$seed" --out "$1"
}

# measure STAGE MODEL: pass@1 at temperature 1 on the held-out problems, response length, bits per byte
# of every domain, and the generator's log-probabilities against the trainer's.
measure() {
    rollout-gen -q --model "$2" --max-tokens 96 --batch 128 --seed 7 data/test.jsonl | reward-verify -q >"eval/$1.jsonl"
    logprob-recalc -q --model "$2" --as old_logprobs --report "eval/$1.mismatch.json" "eval/$1.jsonl" >/dev/null
    model-eval -q --task pass sampled="eval/$1.jsonl" >"eval/$1.pass.json"
    # shellcheck disable=SC2046 # one word a domain
    model-eval -q --task bpb --model "$2" $(for d in $domains; do echo "$d=val/$d.shard"; done) >"eval/$1.bpb.json"
    jq -n -c --arg stage "$1" --slurpfile pass "eval/$1.pass.json" --slurpfile bpb "eval/$1.bpb.json" \
        --slurpfile mismatch "eval/$1.mismatch.json" '($pass[0].results) as $p | {
            stage: $stage, "pass@1": $p.sampled["pass@1,none"], ci: $p.sampled["pass@1_ci95,none"],
            n: $pass[0]["n-samples"].sampled.effective,
            mean_length: $p.sampled["mean_tokens,none"],
            bits_per_byte: ($bpb[0].results | map_values(.["bits_per_byte,none"])),
            logprob_mismatch_max: $mismatch[0].max_abs_difference}' >>stages.jsonl
    say "$1: $(tail -n 1 stages.jsonl | jq -r '"pass@1 \(.["pass@1"] * 1000 | round / 10) % [\(.ci | map(. * 1000 | round / 10) | join(", "))]"')"
}

# The table, summary.json and report.html.
finish_run() {
    jq -s --argjson seconds $(($(date +%s) - began)) --argjson seed "$seed" \
        '{seconds: $seconds, seed: $seed, logprob_mismatch_max: (map(.logprob_mismatch_max) | max), stages: .}' stages.jsonl >summary.json.tmp
    mv summary.json.tmp summary.json
    # shellcheck disable=SC2046 # one word a file
    run-report -q --title "thinkpipe quickstart, seed $seed" --summary summary.json --out report.html \
        $(for m in $runs; do echo "$m=metrics/$m.jsonl"; done)
    jq -r --arg domains "$domains" '
        def pad($n): tostring | . + " " * ($n - length);
        def fixed($d): (. * pow(10; $d) | round | tostring) as $s | ("0" * ([$d + 1 - ($s | length), 0] | max) + $s) | .[:-$d] + "." + .[-$d:];
        ($domains | split(" ")) as $d |
        ("stage" | pad(16)) + ("pass@1 %" | pad(10)) + ("95 % interval" | pad(16)) + ("tokens" | pad(8))
            + ($d | map(pad(11)) | join("")) + "(bits per byte)",
        (.stages[] | (.stage | pad(16)) + (.["pass@1"] * 100 | fixed(1) | pad(10)) + (.ci | map(. * 100 | fixed(1)) | join(" - ") | pad(16))
            + (.mean_length | fixed(1) | pad(8))
            + (.bits_per_byte as $b | $d | map($b[.] | fixed(3) | pad(11)) | join("")))' summary.json
    echo "largest difference of the generator's and the trainer's log-probabilities: $(jq .logprob_mismatch_max summary.json)"
    echo "$(jq .seconds summary.json) s; curves: $PWD/report.html"
}
