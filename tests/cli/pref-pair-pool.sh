# The best and the worst of each group.
for g in 0 1 2; do
    for s in 0 1 2 3 4; do
        echo "{\"id\":\"p$g\",\"group\":$g,\"sample\":$s,\"prompt\":\"q$g\",\"completion\":\"$((s + g))\",\"ground_truth\":\"$((2 * g))\",\"prompt_token_ids\":[$g],\"token_ids\":[$s,9]}"
    done
done | reward-verify -q --verifier gsm8k >in.jsonl
pref-pair in.jsonl
pref-pair --pairs-per-prompt 2 --drop-token-ids --max-length 1 --report r.json in.jsonl
cat r.json
