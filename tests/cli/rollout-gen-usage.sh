rollout-gen </dev/null 2>&1 | head -n 1
rollout-gen --model M --repeat 0 </dev/null 2>&1 | head -n 1
rollout-gen --model M --stop '' </dev/null 2>&1 | head -n 1
rollout-gen --model M --swap sequence </dev/null 2>&1 | head -n 1
rollout-gen --model M --group 0 </dev/null 2>&1 | head -n 1
rollout-gen --model nowhere </dev/null
