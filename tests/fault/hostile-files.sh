#!/bin/sh
# Models, tokenizers and templates made to hurt: each is refused within seconds, with exit status 1 and one line that
# names the file and says what is wrong, and leaves nothing behind.
set -u
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M || exit 1
model-convert -q --out M.gguf M || exit 1
failed=0 cases=0
fail() { echo "FAIL: $*"; failed=1; }

refused() { # text program arguments...
    want=$1
    shift
    cases=$((cases + 1))
    ([ -n "${ASAN:-}" ] || ulimit -v 4000000; timeout -s KILL "${PATIENCE:-20}" "$@" </dev/null >out 2>log)
    status=$?
    [ $status = 1 ] || fail "$want: exit status $status, expected 1: $(head -c 300 log)"
    [ "$(wc -l <log)" = 1 ] || fail "$want: not one line: $(head -c 300 log)"
    [ ! -s out ] || fail "$want: something on stdout"
    [ ! -e x ] && [ ! -e x.gguf ] || { fail "$want: x was left behind"; rm -rf x x.gguf; }
    grep -qF -- "$want" log || fail "expected '$want', got: $(head -c 300 log)"
}

# --- bytes ------------------------------------------------------------------------------------------------
le() { # number bytes
    n=$1 i=0
    while [ $i -lt "$2" ]; do
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((n & 255)))"
        n=$((n >> 8)) i=$((i + 1))
    done
}
string() { le ${#1} 8; printf %s "$1"; }

# --- safetensors --------------------------------------------------------------------------------------------
st() { # text header data-bytes
    cp -r M B
    { le ${#2} 8; printf %s "$2"; head -c "$3" /dev/zero; } >B/model.safetensors
    refused "$1" model-convert -q --out x B
    rm -r B
}
t() { printf '"%s":{"dtype":"F32","shape":%s,"data_offsets":%s}' "$1" "$2" "$3"; }
cp -r M B
le 100000001 8 >B/model.safetensors
refused "the header's length is 100000001" model-convert -q --out x B
{ le -1 8; head -c 100 /dev/zero; } >B/model.safetensors
refused "the header's length is 18446744073709551615" model-convert -q --out x B
printf abc >B/model.safetensors
refused "too short for a safetensors file" model-convert -q --out x B
rm -r B
st "the header is not a JSON object" ' {}' 0
st "the header is not a JSON object" '[]' 0
st "(a hole)" "{$(t a '[1]' '[4,8]')}" 8
st "(a hole)" "{$(t a '[1]' '[0,4]'),$(t b '[1]' '[8,12]')}" 12
st "(an overlap)" "{$(t a '[2]' '[0,8]'),$(t b '[1]' '[4,8]')}" 8
st "the tensors take 4 bytes, the data has 8" "{$(t a '[1]' '[0,4]')}" 8
st "the tensors take 8 bytes, the data has 4" "{$(t a '[2]' '[0,8]')}" 4
st "its shape needs 12 bytes, 'data_offsets' has 8" "{$(t a '[3]' '[0,8]')}" 8
st "the product of its shape overflows" "{$(t a '[4294967296,4294967296]' '[0,8]')}" 8
st "the product of its shape overflows" "{$(t a '[0,4294967296,4294967296]' '[0,0]')}" 0
st "'shape'[0] is not a size" "{$(t a '[-1]' '[0,4]')}" 4
st "'data_offsets' is not [begin, end]" "{$(t a '[1]' '[4,0]')}" 4
st "duplicate object key" "{$(t a '[1]' '[0,4]'),$(t a '[1]' '[4,8]')}" 8
st "type 'F8_E8M0' is not supported" '{"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}' 1
st "'k' is an integer, expected a string" '{"__metadata__":{"k":1}}' 0
st "the header is not one of tensors" "{\"a\":[$(head -c 60000 /dev/zero | tr '\0' 0 | sed 's/0/0,/g')0]}" 0
st "maximum parsing depth" "{\"a\":$(head -c 3000 /dev/zero | tr '\0' '{' | sed 's/{/{"a":/g')}" 0

# --- a checkpoint's other files -------------------------------------------------------------------------------
cp -r M B
rm B/model.safetensors
echo '{"weight_map": {"a": "../../../etc/passwd"}}' >B/model.safetensors.index.json
refused "expected a plain file name" model-convert -q --out x B
rm -r B
config() { # text change
    cp -r M B
    jq "$2" M/config.json >B/config.json
    refused "B/config.json: $1" model-info -q B
    rm -r B
}
config "'num_hidden_layers' is 1000000000000" '.num_hidden_layers = 1000000000000'
config "'hidden_size' is -1" '.hidden_size = -1'
config "'vocab_size' is 4294967296" '.vocab_size = 4294967296'
config "'num_attention_heads' 4 is no multiple" '.num_key_value_heads = 3'
config "head size 7 is odd" '.head_dim = 7'
config "'rope_theta' is 0" '.rope_theta = 0'
config "rope scaling 'longrope' is not supported" '.rope_scaling = {"rope_type": "longrope"}'
config "'quantization_config' is not supported" '.quantization_config = {}'
config "'architectures' must be a list of one name" '.architectures = [5]'
config "architecture 'MambaForCausalLM' is not supported" '.architectures = ["MambaForCausalLM"]'

# --- GGUF -------------------------------------------------------------------------------------------------------
gguf() { # text: the file is on stdin
    cat >B.gguf
    refused "B.gguf: $1" model-convert -q --out x B.gguf
}
head_of() { printf GGUF; le 3 4; le "$1" 8; le "$2" 8; } # tensors keys
tensor() { # name type offset dims...
    string "$1"
    ty=$2 at=$3
    shift 3
    le $# 4
    for d in "$@"; do le "$d" 8; done
    le "$ty" 4
    le "$at" 8
}
data() { head -c 200 /dev/zero; }
{ head_of $((1 << 60)) 0; data; } | gguf "0 keys and 1152921504606846976 tensors cannot be in a file of this size"
{ head_of 0 $((1 << 62)); data; } | gguf "4611686018427387904 keys and 0 tensors cannot be"
{ head_of 0 1; le $((1 << 62)) 8; data; } | gguf "a key: a string of 4611686018427387904 bytes"
{ head_of 0 1; string k; le 9 4; le 5 4; le $((1 << 61)) 8; data; } | gguf "key 'k': an array of 2305843009213693952 items"
{ head_of 0 1; string k; le 9 4; le 9 4; le 1 8; data; } | gguf "key 'k': an array of items of type 9"
{ head_of 0 1; string k; le 99 4; data; } | gguf "key 'k': a value of type 99 is not known"
{ head_of 0 1; string general.alignment; le 4 4; le 0 4; data; } | gguf "'general.alignment' is 0"
{ head_of 0 2; string k; le 4 4; le 1 4; string k; le 4 4; le 1 4; data; } | gguf "key 'k' occurs twice"
{ head_of 1 0; tensor a 0 0 1 1 1 1 1; data; } | gguf "tensor 'a': it has 5 dimensions"
{ head_of 1 0; tensor a 0 0 $((1 << 40)) $((1 << 40)); data; } | gguf "tensor 'a': the product of its shape overflows"
{ head_of 1 0; tensor a 0 0 $((1 << 40)); data; } | gguf "tensor 'a' needs 4398046511104 bytes"
{ head_of 1 0; tensor a 77 0 4; data; } | gguf "tensor 'a': its type 77 is not supported"
{ head_of 1 0; tensor a 8 0 31; data; } | gguf "tensor 'a': its rows of 31 are not a multiple of 32"
{ head_of 1 0; tensor a 0 7 4; data; } | gguf "tensor 'a': its offset 7 is no multiple of 32"
{ head_of 2 0; tensor a 0 0 16; tensor b 0 32 4; data; } | gguf "tensor 'b' begins at byte 32, expected 64 (an overlap)"
{ head_of 2 0; tensor a 0 0 4; tensor b 0 96 4; data; } | gguf "tensor 'b' begins at byte 96, expected 32 (a hole)"
{ head_of 0 1; string general.architecture; le 4 4; le 7 4; data; } | gguf "key 'general.architecture' is u32"
{ head_of 0 2; string split.no; le 2 4; le 0 2; string split.count; le 2 4; le 65535 2; data; } | gguf "it is the first of 65535 parts"
sed 's/llama.block_count/llama.block_C0unt/' M.gguf | gguf "key 'llama.block_count' is missing"

# --- tokenizers ---------------------------------------------------------------------------------------------------
echo '{"text": "hello hellohellohellohellohellohellohellohellohello x"}' >text.jsonl
tok() { # text change: of tokenizer.json
    cp -r M B
    jq "$2" M/tokenizer.json >B/tokenizer.json
    refused "$1" tok-encode -q --tokenizer B --format jsonl text.jsonl
    rm -r B
}
tok "no id between 0 and" '.model.vocab.aa = 1099511627776'
tok "added_tokens[0]: id -1 is not between" '.added_tokens[0].id = -1'
tok "the vocabulary has id 5 twice" '.model.vocab.aa = 5'
tok "merges[0]: 'x' + 'y' uses a piece the vocabulary lacks" '.model.merges = ["x y"]'
tok "merges[0] is not a pair of pieces" '.model.merges = [["a", "b", "c"]]'
tok "merges[0] is not a pair of pieces" '.model.merges = [7]'
tok "merges[99999] is not a pair of pieces" '.model.vocab.aa = 300 | .model.merges = [range(99999) | "a a"] + [null]'
tok "model 'Unigram' is not supported" '.model.type = "Unigram"'
tok "model 'WordPiece' is not supported" '.model.type = "WordPiece"'
tok "model with 'byte_fallback' is not supported" '.model.byte_fallback = true'
tok "normalizer 'Prepend' is not supported" '.normalizer = {type: "Prepend", prepend: "_"}'
tok "pre_tokenizer 'Metaspace' is not supported" '.pre_tokenizer = {type: "Metaspace"}'
tok "a pre_tokenizer 'Sequence' inside" 'def deep: if . == 0 then {type: "ByteLevel"} else {type: "Sequence", pretokenizers: [. - 1 | deep]} end; .pre_tokenizer = (100 | deep)'
tok "cannot compile the pre-tokenizer's pattern" '.pre_tokenizer = {type: "Split", pattern: {Regex: "((("}, behavior: "Isolated"}'
tok "cannot split text" '.pre_tokenizer = {type: "Sequence", pretokenizers: [{type: "Split", pattern: {Regex: "(?:l|ll|h|he|hel|e|el|lo|o)+x"}, behavior: "Isolated"}, {type: "ByteLevel", use_regex: false}]}'
cp -r M B
sed 's/"version"/"vers\xff\xfeion"/' M/tokenizer.json >B/tokenizer.json
refused "B/tokenizer.json: not JSON" tok-encode -q --tokenizer B --format jsonl text.jsonl
head -c 100000 /dev/zero | tr '\0' '[' >B/tokenizer.json
refused "B/tokenizer.json: not JSON: maximum parsing depth" tok-encode -q --tokenizer B --format jsonl text.jsonl
rm B/tokenizer.json
if [ -n "${LONG:-}" ]; then # two gigabytes in 65 kB
    head -c 2100000000 /dev/zero | tr '\0' ' ' | zstd -q >B/tokenizer.json.zst
    refused "is longer than 1024 MiB" tok-encode -q --tokenizer B --format jsonl text.jsonl
fi
rm -r B

# --- chat templates ---------------------------------------------------------------------------------------------------
echo '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}' >chat.jsonl
template() { # text template
    cp -r M B
    printf %s "$2" >B/chat_template.jinja
    refused "$1" tok-encode -q --tokenizer B --format jsonl chat.jsonl
    rm -r B
}
template "chat_template.jinja:1: the template does not end" \
    '{% for a in range(99999) %}{% for b in range(99999) %}{{ 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 }}{% endfor %}{% endfor %}'
template "chat_template.jinja:2: expressions and macros are nested too deeply" '{% macro m() %}
{{ m() }}{% endmacro %}{{ m() }}'
template "chat_template.jinja:1: the statement 'include' is not supported" "{% include '/etc/passwd' %}"
template "chat_template.jinja:1: the template uses more than 256 MiB" "{{ 'x' * 10000000000 }}"
template "UTF-8" "$(printf '\377')"

# --- lineage --------------------------------------------------------------------------------------------------------------
lineage() { printf %s "$2" >lineage.json; refused "$1" run-lineage -q lineage.json; }
lineage "lineage.json: not JSON: maximum parsing depth" "$(head -c 3000 /dev/zero | tr '\0' '[')"
lineage "'seed' is a string" '{"program": "p", "version": "v", "arguments": [], "seed": "x", "inputs": [], "parents": []}'
lineage "'parents' is missing" '{"program": "p", "version": "v", "arguments": [], "inputs": []}'

echo "$cases hostile files"
exit $failed
