# The server of tests/net/fault_server.c, that misbehaves as its prompts say: fault_server starts it and
# sets $url; it ends with the test.  FAULT_SERVER names the program, else it is compiled.  To be read with ".".

fault_server() {
    server=${FAULT_SERVER:-./fault_server}
    [ -n "${FAULT_SERVER:-}" ] ||
        ${CC:-cc} -O1 -D_GNU_SOURCE -o "$server" "$ROOT/tests/net/fault_server.c" -lpthread || exit 1
    "$server" port &
    server_pid=$!
    trap 'kill $server_pid 2>/dev/null' EXIT
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s port ] && break; sleep 0.1; done
    url=http://127.0.0.1:$(cat port)
}
