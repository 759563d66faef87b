#!/bin/sh
# Plants faults in copies of the GPU's kernels, one at a time, and sees which of the emulator's builds notice: the plain one
# in three orders of threads, the one under the sanitizers, the one that watches for races.  Every fault must be caught by
# one, and none of them by mistake.  With LONG=1 only; the table it makes is faults.md (REDO=1 writes it there).  FAULTS=REGEX:
# only those that are called so ("none": sources as they are); then REDO=1 replaces their lines alone.
set -eu
[ -n "${LONG:-}" ] || { echo "only with LONG=1"; exit 77; }
[ -e "$THINKPIPE_PLUGINS/watch/thinkpipe-emu.so" ] || { echo "the watching emulator is not built here"; exit 77; }
PLAIN=-O2
SANITIZE="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
WATCH="-O2 -fsanitize=thread"
missed=0 faults=0
export OPS_ONLY=cuda-emu

build() { # name flags: a plug-in of the changed sources and the others' objects
    name=$1
    shift
    case $name in plain) suffix=emu dir= ;; *) suffix=$name dir=$name/ ;; esac
    rm -rf "$dir"objects && mkdir -p "$dir"objects "plugins/$dir"
    for o in "$BUILT"/kernels/cuda/*.$suffix.o; do
        source=$(basename "$o" ".$suffix.o").cu
        case " $changed " in
        *" $source "*)
            (cd src && ${CXX:-g++} -std=c++17 -I. -w -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden \
                -DBACKEND_NAME='"emu"' "$@" -c -o "../${dir}objects/$source.o" -x c++ "kernels/cuda/$source") ;;
        *) ln -s "$o" "${dir}objects/$source.o" ;;
        esac
    done
    case $name in
    plain) emulator=$(ls "$BUILT"/kernels/emu/*.o | grep -v '\.watch\.o$\|\.asan\.o$') ;;
    *) emulator=$(ls "$BUILT"/kernels/emu/*."$suffix".o) ;;
    esac
    [ "$name" = watch ] && set --
    ${CXX:-g++} -shared "$@" -o "plugins/${dir}thinkpipe-emu.so" "$dir"objects/*.o $emulator
}

notices() { # plugins schedule preload: "yes" if the op's test does not pass
    products=own only=$op
    case $op in
    device) test=test_device ;;
    cublaslt) test=test_ops_exact products=$op only=linear ;;
    *) test=test_ops_cpu ;;
    esac
    if THINKPIPE_PLUGINS=$1 EMU_SCHEDULE=$2 LD_PRELOAD=$3 OPS_OP=$only THINKPIPE_PRODUCTS=$products ASAN_OPTIONS=detect_leaks=0 \
        timeout 300 "$BUILT/unit/$test" >out 2>&1 && grep -q '^ok [1-9]' out; then
        echo -
    else
        echo yes
    fi
}

try() { # name: builds and runs them all
    build plain $PLAIN &
    build asan $SANITIZE &
    wait
    build watch $WATCH
    asan=$(${CXX:-g++} -print-file-name=libasan.so)
    set -- "$1" "$(notices plugins 0 "")" "$(notices plugins 1 "")" "$(notices plugins 7 "")" \
        "$(notices plugins/asan 0 "$asan")" "$(notices plugins/watch 0 "")"
    echo "| $1 | $2 | $3 | $4 | $5 | $6 |" | tee -a table.md
}

is_wanted() { echo "$1" | grep -Eq "${FAULTS:-.}"; }

fault() { # name op file 'sed expression'
    is_wanted "$1" || return 0
    faults=$((faults + 1)) op=$2
    rm -rf src && mkdir src && cp -r "$ROOT/kernels" src/
    sed -i "$4" "src/kernels/cuda/$3"
    if cmp -s "src/kernels/cuda/$3" "$ROOT/kernels/cuda/$3"; then
        echo "$1: the sources have changed, nothing was planted"
        exit 1
    fi
    case $3 in *.h) changed="attention.cu attention_backward.cu" ;; *) changed=$3 ;; esac
    try "$1"
    case $(tail -n 1 table.md) in *yes*) ;; *) missed=$((missed + 1)) ;; esac
}

{
    echo "# Faults planted in the GPU's kernels, and which builds of the emulator notice"
    echo
    echo "Made by faults.sh: the test of the op, on the plain build in three orders of threads, under the sanitizers, and watched."
    echo
    echo "| fault | ascending | descending | random | sanitizers | watching |"
    echo "|---|---|---|---|---|---|"
} >table.md

if is_wanted none; then
    mkdir src && cp -r "$ROOT/kernels" src/
    changed="linear.cu attention.cu" op=attention
    try none
    case $(tail -n 1 table.md) in *yes*) echo "unharmed sources are found at fault"; exit 1 ;; esac
fi

# products
fault "product: no barrier after the wait" linear linear.cu '/this step.s tiles are here/d'
fault "product: no wait for the copies" linear linear.cu '0,/cp_async_wait(0);/s//cp_async_wait(1);/'
fault "product: prefetch into the tile in use" linear linear.cu 's/sa + (~s & 1) \* a_size/sa + (s \& 1) * a_size/'
fault "product: rows of a fragment from the wrong lanes" linear linear.cu 's/(m + (lane & 15)) \* ld/(m + (lane \& 7)) * ld/'
fault "product: the wrong register of a fragment" linear linear.cu 's/b\[j >> 1\]\[(j & 1) \* 2 + 1\]/b[j >> 1][(j \& 1) * 2]/'
fault "product: half the shared memory" linear linear.cu 's/size_t smem = 2 \* sizeof(bf16)/size_t smem = sizeof(bf16)/'
fault "product: a row past the end is stored" linear linear.cu 's/if (m >= g->M || n >= g->N)/if (m > g->M || n >= g->N)/'
fault "product: a column past the end is read" linear linear.cu 's/col + j < n_cols/col + j <= n_cols/'
fault "product: rows of a tile at odd multiples of 8 bytes" linear linear.cu 's/ld = cols + 8;/ld = cols + 4;/'
fault "fp32 product: no barrier before the tile is read" linear linear.cu '/^        __syncthreads();$/{N;/for (int k/s/__syncthreads();//}'
fault "fp32 product: no barrier before the tile is filled again" linear linear.cu '/acc\[i\] = fmaf/{n;s/__syncthreads();//}'
fault "bytes: no barrier before the warps' sums are added" linear int8.cu '/^    __syncthreads();$/d'
fault "bytes: the other half of a tile" linear int8.cu 's/from + INT8_TILE . 2/from/'
fault "bytes: a tile of k is left out" linear int8.cu 's/if (t + INT8_WARPS < g.depth)/if (t + INT8_WARPS < g.depth - 1)/'
fault "bytes: a row past the end is stored" linear int8.cu 's/if (m0 + m < g.M/if (m0 + m <= g.M/'
fault "bytes: x past its end is read" linear int8.cu 's/g->whole && k < g->K/g->whole/'
fault "bytes: half the shared memory" linear int8.cu 's/(size_t)INT8_WARPS . ROWS/(size_t)INT8_WARPS \/ 2 * ROWS/'
fault "cuBLASLt: more alignment is promised than rows have" cublaslt blas.cu 's/ALIGNED = 16/ALIGNED = 256/'
fault "cuBLASLt: an algorithm that is not to be used" cublaslt blas.cu 's/found\[i\].state == CUBLAS_STATUS_SUCCESS && //'
# attention
fault "attention: a query does not see itself" attention attention.h 's/return key <= query/return key < query/'
fault "attention: a window one key too wide" attention attention.h 's/key > query - window/key >= query - window/'
fault "attention: half of the lanes' sums are left out" attention attention.h '/s->sum\[r\] += __shfl_xor_sync(0xffffffffu, s->sum\[r\], 2);/d'
fault "attention: no barrier before values are loaded again" attention attention.cu '/sv and the older keys are free/d'
fault "attention: values are not waited for" attention attention.cu 's/cp_async_wait(1); .. values j.*/;/'
fault "attention: no opt-in for large shared memory" attention backend.cu 's/return bytes <= 48 \* 1024 ||/return true ||/'
fault "attention: a row past the sequence is stored" attention attention.h 's/if (row >= n_rows)/if (row > n_rows)/'
fault "attention: rows go out before all lanes have laid them down" attention attention.h '/__syncwarp();/d'
fault "attention, backward: no barrier before queries are loaded again" attention attention_backward.cu '/weights_times_rows<HD, STEP, HD>(dk/{n;d}'
fault "attention, backward: one head of a group" attention attention_backward.cu 's/h < (kv_head + 1) \* group/h < kv_head * group + 1/'
fault "attention, backward: statistics of the wrong row" attention attention_backward.cu 's/stats\[e >> 1\], a.scale/stats[e \& 1], a.scale/'
# rows
fault "log-probability: no barrier between the warps" logprob logprob.cu '0,/__syncthreads();/s///'
fault "log-probability: a shared array half as long" logprob logprob.cu 's/moments of_warps\[ROW_WARPS\]/moments of_warps[ROW_WARPS \/ 2]/'
fault "draw: a barrier for some of the threads" draw draw.cu '/^    __syncthreads();$/{N;/if (threadIdx.x == 0)/s/__syncthreads();/if (threadIdx.x < 64) __syncthreads();/}'
fault "cut: no barrier before columns are added up" truncate truncate.cu '/uint64_t sum = 0;/{n;s/__syncthreads();//}'
fault "cut: one more of those that are equal" truncate truncate.cu 's/id <= c.last/id <= c.last + 1/'
fault "cut: half the shared memory" truncate truncate.cu 's/CUT_THREADS, sizeof(struct room)/CUT_THREADS, sizeof(struct room) \/ 2/'
fault "cut: bits above what is found are counted, too" truncate truncate.cu 's/(shift + 4) == room->found/(shift + 4) >= room->found/'
fault "cut: thread 0 finds a digit beside the others" truncate truncate.cu 's/__syncthreads(); .. found ..//'
fault "normalisation: a sum of half a warp" rmsnorm rmsnorm.cu 's/1.0f \/ sqrtf(warp_sum(sum)/1.0f \/ sqrtf((lane < 16 ? warp_sum(sum) : sum)/'
fault "normalisation: the parts of the weight's gradient overlap" rmsnorm rmsnorm.cu 's/parts\[(int64_t)blockIdx.x \* a.dim + d\]/parts[(int64_t)blockIdx.x * (a.dim - 1) + d]/'
fault "embedding: the host's array instead of the device's" embedding rows.cu 's/by_token{sent, sent + n}/by_token{lists, lists + n}/'
fault "embedding: threads past the end write" embedding rows.cu 's/d < a.dim; d += PER_BLOCK/d <= a.dim; d += PER_BLOCK/'
fault "embedding: a copy that ends at the host's array" embedding rows.cu 's/cuda_download(dev, tokens, a->tokens/cuda_download(dev, (void *)a->tokens, a->tokens/'
fault "gate: columns past the end of a row are stored" swiglu rows.cu 's/if (!whole && i < n)/if (!whole)/'
fault "norm of the gradient: no barrier between the warps" adamw optimizer.cu '0,/__syncthreads();/s///'

# pages of the cache
fault "pages: a row goes to the page of the next one" attention_cached kv.cu 's|a.pos\[i\] / KV_PAGE\]|(a.pos[i] + 1) / KV_PAGE]|'
fault "pages: all keys from the first page" attention_cached attention.h 's|r->pages\[first / KV_PAGE\]|r->pages[0]|'
fault "pages: as long as one head is" attention_cached kv.h 's/k->page = kv_at(s, 1, 0)/k->page = kv_at(s, 0, 1)/'

# records of decoding steps, memory that is cut up
fault "decoding: rows that are none are stored" device kv.cu '/if (a.slot\[i\] < 0)/,+1d'
fault "records: they outlive their memory" device backend.cu '/graphs_clear(s->graphs);/d'
fault "records: the first run is left out" device graph.cu '/g->of\[g->recording\] = exec;/{n;d}'
fault "records: nothing is recorded" device graph.cu 's/return GRAPH_RECORDS;/return cuda_graph_end(dev), GRAPH_PLAIN;/'
fault "memory: two blocks meet" device arena.cu 's/a->free\[at + bytes\] = left/a->free[at + bytes - ARENA_GRAIN] = left + ARENA_GRAIN/'
fault "uploads: room is taken again before it was read" device backend.cu '/cudaStreamSynchronize(s->stream)))/,+1d'
fault "memory: freed spans do not join" device arena.cu 's/if (before->first + before->second == at)/if (false)/'

cat table.md
if [ -n "${REDO:-}" ] && [ -n "${FAULTS:-}" ]; then
    awk -F ' [|] ' 'NR == FNR { if (/[|] [a-z].*[|]$/) line[$1] = $0; next }
        { print $1 in line ? line[$1] : $0; delete line[$1] }
        END { for (name in line) print line[name] }' table.md "$TESTS/emu/faults.md" >merged.md
    cp merged.md "$TESTS/emu/faults.md"
elif [ -n "${REDO:-}" ]; then
    cp table.md "$TESTS/emu/faults.md"
fi
echo "$faults planted, $missed not caught"
[ $missed = 0 ]
