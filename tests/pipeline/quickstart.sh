#!/bin/sh
# The quickstart in rehearsal: every stage runs, and what it promises to write is there.
set -eu
[ -e /usr/share/dictd/gcide.dict.dz ] && [ -d /usr/include/linux ] && [ -d /usr/share/perl ] && [ -d /usr/lib/python3.11 ] ||
    { echo "the text packages of the quickstart are not installed (make deps)"; exit 77; }
SHRINK=100 OUT=q "$ROOT/pipelines/quickstart.sh" >table 2>log || { cat log; exit 1; }
jq -e '.logprob_mismatch_max == 0 and (.seconds | type) == "number"
    and ([.stages[].stage] == ["base", "teacher", "weak", "sft", "dpo", "sft-on-chosen", "rlvr", "rlvr-random"])
    and all(.stages[]; .n == 10 and (.["pass@1"] | type) == "number" and (.ci | length) == 2
        and (.bits_per_byte | length) == 5)' q/summary.json >/dev/null || { cat q/summary.json; exit 1; }
for chart in loss reward completions/mean_length staleness/mean sampling/sampling_logp_difference/max; do
    grep -q "$chart" q/report.html || { echo "report.html has no $chart"; exit 1; }
done
grep -q '^rlvr-random ' table || { cat table; exit 1; }
