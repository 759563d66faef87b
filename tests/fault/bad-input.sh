#!/bin/sh
# Every program against every kind of bad input: the exit status, one line that names the file and the
# line, and nothing half written.
set -u
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M || exit 1
. "$TESTS/bad-input.sh"

# --- lines that are no records ---------------------------------------------------------------------

first_good() { head -n 1 "good/$good"; }
second_bad() { # text program arguments...: the second of three lines is the one on stdin of this call
    text=$1
    shift
    { first_good; cat line; first_good; } >bad.jsonl
    refused "$text" "$@" ../bad.jsonl
    grep -q ": \.\./bad\.jsonl:2: " log || fail "$*: no file and line in '$(cat log)'"
    no_whole_shard "$@"
}
good_input() {
    in=good/$good
    taken "$@"
    in=/dev/null
}
rows readers good_input
while IFS='|' read -r text line; do
    # shellcheck disable=SC2059
    printf "$line\n" >line
    want_text=$text
    each() { second_bad "$want_text" "$@"; }
    rows readers each
done <<'END'
not JSON|{"id": "a", "text": 
not JSON|{"text": NaN, "tokens": [NaN]}
not JSON|{} {}
not JSON|{"id": 1, "id": 2}
not JSON|{"text": "\\377\\376", "prompt": "\\377"}
not JSON|{"text": "a\\001b"}
not JSON|{"text": "a\\000b"}
not JSON|<!DOCTYPE html>
the record is an array|[1, 2]
the record is a string|"text"
the record is null|null
END
head -c 3000 /dev/zero | tr '\0' '[' >line && echo >>line
each() { second_bad "not JSON: maximum parsing depth" "$@"; }
rows readers each

# --- files that are cut, missing, or something else ---------------------------------------------------

file_faults() {
    cat "good/$good" "good/$good" >bad.jsonl
    truncate -s -3 bad.jsonl
    refused "../bad.jsonl:4: the line is cut (no newline at its end): not JSON" "$@" ../bad.jsonl
    zstd -q -f bad.jsonl -o bad.jsonl.zst && truncate -s -3 bad.jsonl.zst
    refused "../bad.jsonl.zst" "$@" ../bad.jsonl.zst
    gzip -c bad.jsonl >bad.jsonl.gz && truncate -s -3 bad.jsonl.gz
    refused "../bad.jsonl.gz" "$@" ../bad.jsonl.gz
    refused "../missing.jsonl': No such file or directory" "$@" ../missing.jsonl
    [ "$1" = corpus-read ] || refused "'../M': it is a directory" "$@" ../M
    # The limit holds for evaluation items, too.
    case $1 in corpus-decontam) short=evals ;; *) short=bad.jsonl ;; esac
    refused "$short:1: " "$@" --max-line-bytes 10 ../bad.jsonl
}
rows readers file_faults

# Taken: a byte order mark, CR LF, blank lines, a line of 1 MiB.
wide_input() {
    printf '\357\273\277' >wide.jsonl
    while read -r line; do
        printf '%s, "pad": "' "${line%\}}"
        head -c 1048576 /dev/zero | tr '\0' x
        printf '"}\r\n\n \n'
    done <"good/$good" >>wide.jsonl
    in=wide.jsonl
    taken "$@"
    in=/dev/null
}
rows readers wide_input

# A pipe with a name, as bash's <(...) makes one, is read once; a name may begin with "-"; nothing is not read
# from a standard input that the caller closed.
named() {
    mkfifo fifo
    cat "good/$good" >fifo &
    writer=$!
    case $1 in
    base-train) refused "cannot be read again, because it is a pipe" "$@" ../fifo ;;
    *) taken "$@" ../fifo ;;
    esac
    kill $writer 2>/dev/null
    wait $writer
    rm fifo
    rm -rf box && mkdir box
    cp "good/$good" box/-x.jsonl
    (cd box && exec timeout 60 "$@" -- -x.jsonl) >out 2>log || fail "$* -- -x.jsonl: $(cat log)"
    rm -rf box && mkdir box
    (cd box && exec timeout 60 "$@") <&- >out 2>log
    status=$?
    clean_refusal 1 "cannot read 'stdin'" "$@"
}
rows readers named

# What would be written over an input is refused, and the input stays.
cat >over <<'END'
tokens|shard-pack -q --out ../good/tokens ../good/tokens
tokens|shard-pack -q --skip-bad --rejects ../good/tokens ../line ../good/tokens
tokens|tok-decode -q --tokenizer ../M --skip-bad --rejects ../good/tokens ../line ../good/tokens
text|tok-encode -q --tokenizer ../M --out ../good/text ../good/text
text|corpus-dedup -q --report ../good/text ../good/text
text|corpus-filter -q --rule ending --dropped ../good/text ../good/text
answer|reward-verify -q --unverified ../good/answer ../good/answer
pool|pref-pair -q --report ../linked ../good/pool
END
ln -s good/pool linked
echo '{}' >line
over_input() {
    cp "good/$good" kept
    refused "it is an input of this command" "$@"
    cmp "good/$good" kept || fail "$*: the input changed"
}
rows over over_input
shard-pack -q good/tokens >good.shard
cp good.shard kept
for option in --out --report; do
    refused "it is an input of this command" shard-mix -q --weight a=1 --tokens 20 $option ../good.shard a=../good.shard
done
cmp good.shard kept || fail "shard-mix: the input changed"

# Nothing at all: a filter has nothing to say, a trainer and an evaluation have nothing to do.
nothing() {
    case $1 in
    tok-train) ;; # 256 bytes are a tokenizer; it warns
    *-train | model-eval) refused "" "$@" ;;
    *) taken "$@" ;;
    esac
}
rows readers nothing

# --- fields of the wrong type ------------------------------------------------------------------------

while IFS='|' read -r program text line; do
    case $program in '' | '#'*) continue ;; esac
    echo "$line" >line
    each() { [ "$1" = "$program" ] && second_bad "$want_text" "$@"; }
    want_text=$text
    rows readers each
done <"$TESTS/fault/bad-input.types"

# A sequence that the model's context of 256 cannot hold, unless --max-tokens cuts it.
long=$(printf '%0300d' 0)
ids=$(seq -s , 1 255),1,2,3
too_long() {
    case $1 in
    sft-train) echo "{\"messages\": [$u, {\"role\": \"assistant\", \"content\": \"$long\"}]}" >line ;;
    dpo-train) echo "{\"prompt\": \"p\", \"chosen\": \"yes\", \"rejected\": \"$long\"}" >line ;;
    rlvr-train) echo "{\"prompt_token_ids\": [$ids], \"token_ids\": [3], \"logprobs\": [-1], \"policy_version\": [0], \"group\": 0, \"reward\": 0}" >line ;;
    *) return ;;
    esac
    second_bad "tokens, the model's context is 256" "$@"
    case $1 in rlvr-train) return ;; esac
    run "$@" --max-tokens 200 ../bad.jsonl
    [ $status = 0 ] && grep -q "$1: warning: 1 .* cut to 200 tokens" log || fail "$* --max-tokens 200: $status, $(cat log)"
}
rows readers too_long

# --- token shards ------------------------------------------------------------------------------------

shard-pack -q good/tokens >good.shard
cat >shard-readers <<'END'
|shard-dump -q
|shard-info -q
|tok-decode -q --tokenizer ../M
|base-train -q --model ../M --out OUT --steps 1 --batch-tokens 64
|sft-train -q --model ../M --out OUT
|model-eval -q --task bpb --model ../M
END
size=$(wc -c <good.shard)
n=1
while [ $n -lt "$size" ]; do
    head -c $n good.shard >bad.shard
    refused "../bad.shard" shard-info -q ../bad.shard
    n=$((n + 1))
done
shard_faults() {
    taken "$@" ../good.shard
    for n in 7 8 9 100 $((size - 60)) $((size - 1)); do
        head -c $n good.shard >bad.shard
        refused "../bad.shard" "$@" ../bad.shard
    done
    { head -c $((size - 1)) good.shard; printf x; } >bad.shard
    refused "../bad.shard" "$@" ../bad.shard
    { cat good.shard; echo x; } >bad.shard
    refused "../bad.shard" "$@" ../bad.shard
    zstd -q -f good.shard -o bad.shard.zst && truncate -s -5 bad.shard.zst
    refused "../bad.shard.zst" "$@" ../bad.shard.zst
    refused "'../missing.shard': No such file" "$@" ../missing.shard
}
sed 's/^|/-|/' shard-readers >t && mv t shard-readers
rows shard-readers shard_faults
# Ids that the model, or the tokenizer, does not have.
echo '{"tokens": [1, 264]}' | shard-pack -q >alien.shard
alien_ids() {
    case $1 in shard-dump | shard-info) taken "$@" ../alien.shard ;; *) refused "../alien.shard: " "$@" ../alien.shard ;; esac
}
rows shard-readers alien_ids
head -c 100 good.shard >bad.shard
refused "../bad.shard" shard-mix -q --weight a=1 --tokens 20 a=../bad.shard
refused "../bad.shard" shard-mix -q --weight a=1 --tokens 20 --out OUT.zst a=../bad.shard

# --- models and tokenizers ---------------------------------------------------------------------------

models() { case "$*" in *"--model ../M"*) "$model_fault" "$@" ;; esac; }
with_model() { # model text program arguments...: the same call with another model and good input
    dir=$1 text=$2
    shift 2
    # shellcheck disable=SC2046
    set -- $(echo "$*" | sed "s,--model ../M,--model ../$dir,")
    refused "$text" "$@" "../good/$good"
}
damaged() { # NAME: a copy of M to damage
    rm -rf "$1"
    cp -r M "$1"
}
damaged nan && printf '\000\000\300\177' | dd of=nan/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(wc -c <nan/model.safetensors) - 4))
damaged cut && truncate -s -1 cut/model.safetensors
damaged header && truncate -s 100 header/model.safetensors
damaged empty && : >empty/model.safetensors
damaged weightless && rm weightless/model.safetensors
damaged shapeless && rm shapeless/config.json
damaged nojson && echo '{' >nojson/config.json
damaged mamba && jq '.model_type = "mamba" | .architectures = ["MambaForCausalLM"]' M/config.json >mamba/config.json
damaged wider && jq '.hidden_size = 64 | .head_dim = 16' M/config.json >wider/config.json
damaged negative && jq '.num_hidden_layers = -1' M/config.json >negative/config.json
model_faults() {
    with_model nan "../nan/model.safetensors: tensor 'model.norm.weight' holds NaN at element 31" "$@"
    with_model cut "../cut/model.safetensors" "$@"
    with_model header "../header/model.safetensors" "$@"
    with_model empty "../empty/model.safetensors" "$@"
    with_model weightless "../weightless/model.safetensors: no such file" "$@"
    with_model shapeless "../shapeless/config.json" "$@"
    with_model nojson "../nojson/config.json: not JSON" "$@"
    with_model mamba "../mamba/config.json: " "$@"
    with_model wider "../wider/model.safetensors: tensor '" "$@"
    with_model negative "../negative/config.json: 'num_hidden_layers' is -1" "$@"
    with_model absent "../absent" "$@"
}
model_fault=model_faults
rows readers models

damaged unigram && jq '.model.type = "Unigram"' M/tokenizer.json >unigram/tokenizer.json
damaged wordpiece && jq '.model.type = "WordPiece"' M/tokenizer.json >wordpiece/tokenizer.json
damaged notok && rm notok/tokenizer.json
damaged badtok && echo '[]' >badtok/tokenizer.json
damaged large && jq '.added_tokens += [{id: 300, content: "<x>", special: true}]' M/tokenizer.json >large/tokenizer.json
tokenizer_faults() {
    case $good in tokens | rollout) return ;; esac # they carry ids and need no tokenizer
    with_model unigram "../unigram/tokenizer.json: model 'Unigram' is not supported" "$@"
    with_model wordpiece "../wordpiece/tokenizer.json: model 'WordPiece' is not supported" "$@"
    with_model badtok "../badtok/tokenizer.json: an array, expected an object" "$@"
    with_model notok "tokenizer" "$@"
    with_model large "../large" "$@"
}
model_fault=tokenizer_faults
rows readers models
for program in tok-encode tok-decode; do
    case $program in tok-encode) good=text ;; *) good=tokens ;; esac
    refused "../unigram/tokenizer.json: model 'Unigram'" $program -q --tokenizer ../unigram ../good/$good
    refused "'../notok' has no tokenizer.json" $program -q --tokenizer ../notok ../good/$good
    refused "../absent" $program -q --tokenizer ../absent ../good/$good
done
for m in cut header empty weightless shapeless nojson mamba wider absent; do
    refused "../$m" model-info -q ../$m
    refused "../$m" model-convert -q --out OUT ../$m
    refused "../$m" model-convert -q --out OUT.gguf ../$m
done
refused "../nan: tensor 'model.norm.weight' holds NaN at element 31" model-convert -q --out OUT ../nan
for m in unigram wordpiece badtok large; do
    refused "../$m" model-convert -q --out OUT.gguf ../$m
done
# A byte further in is another value, name or size: one clear line, or a model of the same shape.
model-convert -q --out good.gguf M
for at in 4 8 16 24 32 60 100 200 400 800 1600 3200 5000 7000 8000 8500 9000; do
    cp good.gguf bad.gguf
    printf '\377' | dd of=bad.gguf bs=1 conv=notrunc status=none seek=$at
    run model-convert -q --out OUT ../bad.gguf
    [ $status = 0 ] || clean_refusal 1 "../bad.gguf: " model-convert "with byte $at damaged"
done
refused "../nojson/config.json: not JSON" cost-plan -q ../nojson
refused "../mamba/config.json: " cost-plan -q ../mamba
refused "../negative/config.json: 'num_hidden_layers' is -1" cost-plan -q ../negative
refused "../absent" cost-plan -q ../absent
damaged badlineage && echo '{"program": 1}' >badlineage/lineage.json
damaged cutlineage && echo '{"program"' >cutlineage/lineage.json
refused "../badlineage/lineage.json: 'program' is an integer" run-lineage -q ../badlineage
refused "../cutlineage/lineage.json: not JSON" run-lineage -q ../cutlineage
refused "../absent" run-lineage -q ../absent
refused "../nojson/config.json: not JSON" model-init -q --config ../nojson/config.json --out OUT
refused "../absent.json" model-init -q --config ../absent.json --out OUT
refused "../negative/config.json: 'num_hidden_layers' is -1" model-init -q --config ../negative/config.json --out OUT
refused "../unigram/tokenizer.json: " model-init -q --config ../M/config.json --tokenizer ../unigram --out OUT
exit $bad
