# Bombs, cut archives, archives that try to climb out: an error, never a file.
head -c 30000000 /dev/zero | tr '\0' a >big.txt
gzip -c big.txt >bomb.gz
corpus-read -q --max-ratio 100 bomb.gz 2>&1
corpus-read -q --max-bytes 1000 big.txt 2>&1
tar czf bomb.tgz big.txt
corpus-read -q --max-ratio 100 bomb.tgz 2>&1
rm big.txt
mkdir d
echo inside >d/x
tar cPf climb.tar --transform 's,d/x,../../climbed,' d/x
tar rPf climb.tar d/x
corpus-read -q climb.tar 2>&1
corpus-read -q --skip-bad climb.tar 2>&1
test -e ../../climbed && echo climbed
tar cf plain.tar d/x
for n in 100 600 1100 1500; do
    head -c $n plain.tar >cut.tar
    corpus-read -q cut.tar >/dev/null 2>&1
    echo "$n $?"
done
gzip -c d/x >x.gz
for n in 5 11 20; do
    head -c $n x.gz >cut.gz
    corpus-read -q cut.gz >/dev/null 2>&1
    echo "$n $?"
done
printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' >a.txt
corpus-read -q --split 'regex:(a+)+$' a.txt 2>/dev/null | wc -l | tr -d ' '
corpus-read d/x >/dev/full 2>/dev/null
echo $?
