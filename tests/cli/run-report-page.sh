# A small page, byte for byte: two runs, one of them resumed, an evaluation, a gap, a constant, a
# summary with holes.
cat >a.metrics.jsonl <<'J'
{"step":1,"time":1700000000.5,"loss":2.5,"grad_norm":1,"learning_rate":0.001,"num_tokens":1000,"sampling/sampling_logp_difference/max":0}
{"step":2,"time":1700000001.5,"loss":null,"grad_norm":1.5,"learning_rate":0.001,"num_tokens":2000,"sampling/sampling_logp_difference/max":0}
{"step":3,"time":1700000002.5,"loss":9,"grad_norm":0,"learning_rate":0.001,"num_tokens":3000,"sampling/sampling_logp_difference/max":0}
J
cat >a2.jsonl <<'J'
{"step":3,"time":1700000102.5,"loss":1.25,"grad_norm":20,"learning_rate":0.001,"num_tokens":3000,"sampling/sampling_logp_difference/max":0}
{"step":4,"time":1700000103.5,"loss":1,"grad_norm":3,"learning_rate":0.001,"num_tokens":4000,"sampling/sampling_logp_difference/max":0,"eval/acc":0.5}
J
printf '{"step":1,"loss":2}\n{"step":4,"loss":1.5}\n' >b.metrics.jsonl
cat >summary.json <<'J'
{"seconds": 61.5, "logprob_mismatch_max": 0, "stages": [
 {"stage": "base", "pass@1": 0.25, "ci": [0.2, 0.31], "n": 64, "bits_per_byte": {"wiki": 1.5, "code": 2}},
 {"stage": "a name that is too long", "pass@1": 0.5, "host": "x"}, {"stage": "unmeasured", "list": [1, "<", 2]}]}
J
run-report --title 'A & B' --summary summary.json --log grad_norm a.metrics.jsonl a=a2.jsonl b.metrics.jsonl 2>err |
    tee page | sed '/^<style>/,/^<.style>/d; /^<script>/,/^<.script>/d'
cat err
run-report -q --title 'A & B' --summary summary.json --log grad_norm --threads 1 --out out.html a.metrics.jsonl a=a2.jsonl b.metrics.jsonl
cmp page out.html && echo "the same bytes from one thread, in a file"
