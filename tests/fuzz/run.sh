#!/bin/sh
# Gives a parser any input for so long, under AddressSanitizer and UBSan: tests/fuzz/run.sh NAME [seconds] [folder]
#
#   tests/fuzz/run.sh math 600
#
# NAME: math, extract, instruct, literal, regex, reply, code, verifier, cache, jinja, gguf, safetensors, tokenizer, config, lineage,
# corpus, flat or mix.  Needs clang with libFuzzer.  The corpus grows in the folder (build/fuzz/NAME by default); it starts
# from files of tests/.  An input that takes more than 10 s or 1 GB is a finding, too.
set -eu
cd "$(dirname "$0")/../.."
name=$1 seconds=${2:-600} folder=${3:-build/fuzz/$1} longest=4096
mkdir -p "$folder/corpus"
packages="jansson libarchive libcurl libpcre2-8 libseccomp libutf8proc libxxhash libzstd"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
objects=build/fuzz/obj libraries= # objects are shared by all names
set -- "tests/fuzz/fuzz_$name.c" common/base/*.c common/data/*.c
case $name in
jinja | safetensors | tokenizer | corpus | flat) ;;
mix) set -- "$@" common/mix/*.c && libraries=-lxgboost ;;
gguf | config | lineage)
    for c in config rope params gguf_model gguf_config checkpoint lineage lineage_tree; do set -- "$@" common/model/$c.c; done ;;
*) set -- "$@" common/net/*.c common/reward/*.c ;;
esac
for c; do
    set -- "$@" "$objects/${c%.c}.o"
    shift
done
make -s -j2 B=$objects CC=clang OPTIM=-O1 WERROR= SAN="$sanitize -fsanitize=fuzzer-no-link" "$@" 2>"$folder/build.log" ||
    { cat "$folder/build.log"; exit 1; }
# shellcheck disable=SC2046,SC2086
clang $sanitize -fsanitize=fuzzer -o "$folder/fuzz" "$@" $(pkg-config --libs $packages) -lflint-arb -lflint -lgmp $libraries -lm -lpthread
case $name in
gguf) cp tests/golden/ggml/tiny.gguf "$folder/corpus/" && longest=60000 ;;
instruct) jq -j '"\(.kind)\n\(.args | tojson)\n\(.text)\u0000"' tests/verifier/instructions.jsonl |
    split -t '\0' -l 1 -a 4 - "$folder/corpus/seed-" ;;
literal) jq -c '.args' tests/verifier/instructions.jsonl | split -l 1 -a 4 - "$folder/corpus/seed-" ;;
regex) printf '(a|b)*c\nabab' >"$folder/corpus/seed" ;;
reply) printf '{"score": 0.5, "detail": "d"}' >"$folder/corpus/exec" &&
    printf '<think>a</think>{"reason": "r", "scores": [1, "2", "3/10"]} {"SCORE": 7}' >"$folder/corpus/judge" ;;
code) printf 'i 4\ns 61\n\fd 4\ns 61\n\fassert(f(2) == 4); assert(strcmp(g("a,b"), "a") == 0);' >"$folder/corpus/seed" &&
    printf 'p\n\fn\n\fassert(a[f(")")] == 1)\fassert(x == '"'\\\\''"')' >"$folder/corpus/seed2" ;;
verifier)
    jq -j '"\(.verifier)\n\({completion: .text, ground_truth, usage: {completion_tokens: 7}})\u0000"' tests/verifier/strings.jsonl |
        split -t '\0' -l 1 -a 4 - "$folder/corpus/seed-"
    printf '%s\n%s' countdown '{"completion": "<answer>(3 + 5) * 3</answer>", "ground_truth": {"target": 24, "numbers": [3, 5, 3]}}' >"$folder/corpus/countdown"
    printf '%s\n%s' judge '{"response": "r", "rubric": ["a", {"description": "b", "weight": -2}], "prompt": "p"}' >"$folder/corpus/judge"
    printf '%s\n%s' rubric '{"completion": "r", "ground_truth": "{\"query\": \"q\", \"rubrics\": [{\"description\": \"d\", \"weight\": 1}]}"}' >"$folder/corpus/rubric"
    printf '%s\n%s' ifeval '{"messages": [{"role": "assistant", "thinking": "t", "content": "a, b"}], "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}' >"$folder/corpus/ifeval"
    printf '%s\n%s' exec '{"completion": [{"role": "assistant", "content": [{"text": "a"}]}]}' >"$folder/corpus/exec" ;;
cache) printf '%s\n' '0123456789abcdef0123456789abcdef {"score":1,"rule":"boxed","extracted":"7","parsed":"7","compared":"rational"}' \
    '0123456789abcdef0123456789abcdef {"score":0.5,"ru' >"$folder/corpus/seed" ;;
corpus) # format and split, archive, bytes
    n=0
    for text in '\010@[{"text": "a"}, {"text": "b\\n"}]' '\011@{"text": "a", "id": 1}' '\017@id,text\n1,"a ""b"""\n2,c\n' \
        '\024@id\ttext\n1\ta\n' '\007@a\n\nb\n' '\023@# a\nb\n# c\n'; do
        n=$((n + 1))
        printf "$text" >"$folder/corpus/seed-$n"
    done ;;
flat) # format, dtype and marks, the file beside, ----, the ids
    longest=8192
    printf '\030\000\001\000----\003\000\002\000' >"$folder/corpus/npy"
    printf '\006 0,1,a\n1,2,b\n----\003\000\002\000' >"$folder/corpus/csv"
    { printf '\007MMIDIDX\000\000\001\000\000\000\000\000\000\000\010\001\000\000\000\000\000\000\000\002\000\000\000\000\000\000\000'
      printf '\002\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\001\000\000\000\000\000\000\000'
      printf -- '----\003\000\002\000'; } >"$folder/corpus/megatron"
    { printf '\024{"eos": 2}----\210\330\064\001\001\000\000\000\002\000\000\000'; head -c 1012 /dev/zero; printf '\003\000\002\000'; } >"$folder/corpus/llmc" ;;
mix) # which file, its text
    longest=8192
    for kind in linear law gbt mean; do
        law='"bias": 1, "terms": [[0.5, -1]]' trees='"bias": 0, "scale": 1, "trees": ["0<0.5(1,1<0.25(2,3))", "4"]'
        case $kind in
        linear) fit='"bias": 1, "coef": [0.5, -1]' ;;
        law) fit=$law ;;
        gbt) fit=$trees ;;
        *) fit="\"law\": {$law}, \"gbt\": {$trees}" ;;
        esac
        printf '\000{"format": "mix-model", "version": 1, "regressor": "%s", "domains": ["a", "b"], "metrics": [{"name": "m", %s}], "runs": [["0", [0.5, 0.5], [1]]]}' \
            $kind "$fit" >"$folder/corpus/$kind"
    done
    printf '\001run,a,b\n0,0.5,0.5\n"1",1,0\n' >"$folder/corpus/table"
    printf '\002{"name": "a", "tokens": 5, "max": 0.5}\n{"name": "v", "members": {"b": 1}}\n{"name": "b", "tokens": 2}\n' >"$folder/corpus/sources"
    printf '\0030<0.5(1<0.25(-1,2e3),7)' >"$folder/corpus/tree" ;;
jinja) cp tests/golden/jinja/*.jinja "$folder/corpus/" ;;
safetensors)
    printf '\111\0\0\0\0\0\0\0%s123456' '{"a":{"dtype":"U8","shape":[3,2],"data_offsets":[0,6]},"__metadata__":{}}' \
        >"$folder/corpus/small" ;;
tokenizer) cp tests/fuzz/tokenizer.json "$folder/corpus/"
    { cat tests/fuzz/tokenizer.json && printf '\0{"bos_token":"<x>","eos_token":{"content":"ab"},"chat_template":"{{x}}"}' &&
        printf '\0{"eos_token_id":[1,5],"pad_token_id":0}'; } >"$folder/corpus/folder" ;;
config) for m in tests/golden/model/*; do cp "$m/config.json" "$folder/corpus/${m##*/}"; done ;;
lineage) cat >"$folder/corpus/sft" <<-END
	{"program": "sft-train", "version": "0.1.0", "arguments": ["--out", "s ft", "a'b"], "seed": 1, "inputs": [{"path": "x", "digest": "00"}],
	 "parents": [{"path": "m", "digest": "ff", "lineage": {"program": "model-init", "version": "0.1.0", "arguments": [], "inputs": [], "parents": []}}]}
	END
    ;;
*) grep -v '^#' tests/verifier/math.tsv | cut -f3- | {
    n=0
    while IFS= read -r line; do
        n=$((n + 1))
        printf '%s' "$line" | tr '\t' '\n' >"$folder/corpus/seed-$n"
    done
} ;;
esac
dictionary=tests/fuzz/$name.dict
[ -f "$dictionary" ] || dictionary=
ASAN_OPTIONS=detect_leaks=1 "$folder/fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=$longest \
    -len_control=20 ${dictionary:+-dict=$dictionary} -artifact_prefix="$folder/" "$folder/corpus"
