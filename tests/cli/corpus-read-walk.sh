# Folders are walked in order of name; patterns choose.
mkdir -p d/sub/deep d/z
for f in d/b.py d/a.py d/sub/c.h d/sub/deep/d.py d/z/e.txt; do echo "$f" >$f; done
corpus-read -q d | sed 's/.*"source":"\([^"]*\)".*/\1/'
echo
corpus-read -q --glob '*.py' --exclude 'sub/*' d/ | sed 's/.*"source":"\([^"]*\)".*/\1/'
echo
corpus-read -q --glob 'sub/*' d | sed 's/.*"source":"\([^"]*\)".*/\1/'
echo
tar cf t.tar d
corpus-read -q --glob '*.h' t.tar
