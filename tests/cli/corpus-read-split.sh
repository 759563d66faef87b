printf 'one\n two\n\n\n  \nthree\r\n\nfour' >a.txt
corpus-read -q --split paragraphs a.txt
corpus-read -q --split lines --domain d a.txt
printf 'Head\n# one\ntext\n# two\n' >b.txt
corpus-read -q --split 'regex:^(?=# )' b.txt
corpus-read -q --split 'regex:^# .*\n' b.txt
printf 'aaaa aaaa.\n\nbbbb bbbb.\n\ncccc cccc dddd\n' >c.txt
corpus-read -q --max-chars 14 c.txt
printf '\303\251\303\251\303\251\303\251' | corpus-read -q --max-chars 3
corpus-read -q --split lines --min-chars 4 a.txt
corpus-read --split words a.txt
echo $?
corpus-read --split 'regex:(' a.txt
echo $?
