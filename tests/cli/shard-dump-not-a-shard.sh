echo '{"tokens":[1]}' | shard-dump
