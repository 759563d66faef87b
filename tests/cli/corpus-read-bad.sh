# Bad records and bad files stop the program, or are set aside.
printf '{"text":"a"}\n{"text":1}\n{"txt":"b"}\n{"text":"c"' >a.jsonl
printf 'text,n\na,1\nb\n"c"x,2\nd,3\n"e,4\n' >b.csv
printf 'n\n1\n' >c.csv
corpus-read -q a.jsonl
echo $?
corpus-read -q b.csv
echo $?
corpus-read -q c.csv
echo $?
corpus-read -q nowhere
echo $?
corpus-read --skip-bad --rejects rejects.jsonl a.jsonl b.csv c.csv nowhere
echo $?
cat rejects.jsonl
corpus-read --skip-bad --max-rejects 1 a.jsonl 2>/dev/null
echo $?
