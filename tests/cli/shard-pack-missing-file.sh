shard-pack nothing-here.jsonl
