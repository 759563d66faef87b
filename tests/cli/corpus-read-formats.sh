# Text, JSON lines, CSV and TSV, plain, compressed and in archives, give the same documents.
mkdir d
printf 'One line.\n\nA second paragraph.\n' >d/a.txt
printf '{"text":"from json","id":"own","extra":[0.1,null]}\n\n{"text":"second"}\n' >d/b.jsonl
printf '\357\273\277id,text,note\r\n1,"quoted ""text"", with\r\nline end",n\r\n\r\n2,plain,' >d/c.csv
printf 'text\tx\na "b\tc\n' >d/d.tsv
printf 'caf\351\n' >d/latin.txt
printf 'a\0b' >d/binary
ln -s a.txt d/link
: >d/empty.txt
corpus-read d
gzip -c d/b.jsonl >b.jsonl.gz
xz -c d/b.jsonl >b.jsonl.xz
corpus-read -q b.jsonl.gz b.jsonl.xz
tar cf t.tar d/b.jsonl d/link d/c.csv
gzip -k t.tar
corpus-read -q t.tar
corpus-read -q - <t.tar.gz
corpus-read -q <d/b.jsonl
