# A shard's arrays are there in all sequences or in none.
printf '{"tokens":[1]}\n{"tokens":[1],"loss_mask":[1]}\n' | shard-pack >/dev/null
