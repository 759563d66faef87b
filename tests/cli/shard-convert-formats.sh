# Shards to the files of other trainers, byte by byte, and back.
convert() { shard-convert -q "$@"; }
printf '%s\n' '{"id":"a","tokens":[5,6,7,2]}' '{"id":"b","tokens":[300]}' '{"tokens":[]}' '{"id":"c,c","tokens":[8,9]}' | shard-pack -q -o in.shard
echo npy
convert --eos 2 --out x.npy in.shard
od -An -v -tu2 -w2 x.npy | tr -d ' \n' | sed 's/$/\n/'
zcat x.csv.gz
cat x.npy.json
convert x.npy | shard-dump -q
echo megatron
convert --to megatron --dtype i32 --out m in.shard
od -An -v -tu4 -w4 m.bin | tr -s ' \n' ' ' && echo
od -An -v -tx1 -w17 -N17 m.idx
od -An -v -tu1 -j17 -N1 m.idx
od -An -v -tu8 -w8 -j18 -N16 m.idx
od -An -v -td4 -w16 -j34 -N16 m.idx
od -An -v -td8 -w32 -j50 -N32 m.idx
od -An -v -td8 -w40 -j82 m.idx
for name in m m.bin m.idx; do convert $name | shard-dump -q | cksum; done | uniq | wc -l
convert m | shard-dump -q
echo llm.c
convert --to llmc --bos 1 --out l.bin in.shard
od -An -v -td4 -N16 l.bin
od -An -v -tu2 -w40 -j1024 l.bin
convert l.bin | shard-dump -q
convert --to llmc --dtype u32 --eos 2 --out w.bin in.shard
od -An -v -td4 -N12 w.bin
convert w.bin | shard-info -q
echo "from one to another"
convert --to megatron --out m2 x.npy
convert --eos 2 --out y.npy m2.idx
cmp x.npy y.npy && echo same
echo "masks"
printf '%s\n' '{"tokens":[1,2],"loss_mask":[0,1]}' '{"tokens":[3],"loss_mask":[1]}' | shard-pack -q -o mask.shard
convert --eos 0 --out token_ids_part_0000.npy mask.shard
od -An -v -tu1 labels_mask_part_0000.npy
convert token_ids_part_0000.npy | shard-dump -q
echo "what numpy writes"
{ printf '\223NUMPY\001\000\166\000'; printf '%-117s\n' "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }"; printf '\007\000\000\000\002\000\000\000\011\000\000\000'; } >n.npy
convert --eos 2 n.npy | shard-dump -q
printf '\007\000\002\000\011\000' >raw.npy
convert --eos 2 --dtype u16 raw.npy | shard-dump -q
echo "refused:"
try() { shard-convert -q "$@" 2>&1 >none.shard; }
try raw.npy
try --dtype u16 raw.npy
try --dtype u32 --eos 2 raw.npy
head -c 1040 l.bin >cut.bin
try --bos 1 cut.bin
printf 'x%.0s' $(seq 1200) >not.bin
try not.bin
cp m.bin k.bin
head -c 90 m.idx >k.idx
try k
head -c 20 m.bin >k.bin && cp m.idx k.idx
try k
{ printf '\223NUMPY\001\000\166\000'; printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"; } >f.npy
try f.npy
cp x.npy z.npy && echo '0,4
4,99' | gzip >z.csv.gz
try --dtype u16 z.npy
echo 'a,b' | gzip >z.csv.gz
try --dtype u16 z.npy
try --to npy --eos 2 --dtype u8 --out small.npy in.shard
try --to llmc --eos 2 --dtype u64 --out small.bin in.shard
try --to llmc --eos 2 --out small.bin mask.shard
try --to npy --eos 2 --out small.npy mask.shard
echo '{"tokens":[1],"reward":1}' | shard-pack -q -o r.shard
try --to megatron --out small r.shard
ls small* 2>/dev/null
try none.npy
true
