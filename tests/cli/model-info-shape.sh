. "$TESTS/tiny-sft.sh" 2>/dev/null
model-info -q init | jq -c "[.architecture, .parameters, .dtype, .kv_bytes_per_token]"
model-info -q nowhere || echo "exit $?"
