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
echo '[{"text":"in an array","id":1},' >array.json
echo ' {"text":"and another"}]' >>array.json
corpus-read -q array.json - <array.json
echo '{"name": "settings are text"}' >settings.json
corpus-read -q settings.json
echo '{"text": "unless they are called records"}' | corpus-read -q --format json
printf '\377\376h\0i\0' >utf16.txt
corpus-read -q utf16.txt
printf 'caf\351\n' | corpus-read -q --encoding latin1
printf '# A\n\ntext\n# B\n' >a.md
corpus-read -q --split headings --encoding utf-8 a.md
corpus-read -q --archive 7z - <a.md
corpus-read -q --archive cpio a.md
corpus-read -q --archive none t.tar 2>&1 | wc -l
