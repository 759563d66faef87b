# Names come from anywhere: none of them becomes markup, and the page loads nothing.
printf '{"step":1,"<img src=x onerror=y>":1,"a\\"b":1,"kl</script>":3,"\\u0001":1}\n{"step":2,"<img src=x onerror=y>":2,"a\\"b":2,"kl</script>":3,"\\u0001":4}\n' >m.jsonl
echo '{"<u>": "<s>", "stages": [{"stage": "<i>", "pass@1": 0.5, "<em>": {"<p>": "</table>"}}]}' >s.json
bad=$(printf 'r\377<b>"')
run-report -q --title '</title><script>' --summary s.json "$bad=m.jsonl" >page
grep -cE '<img|<(u|s|i|em|p)>' page
grep -c '</title><script>' page
grep -oE '<h3>[^/]*|aria-label="[^"]*"' page
grep -ciE 'https?:|(src|href)="?[^"#x]|@import|url\(' page
grep -o 'kl&lt;/<wbr/>script&gt;' page
jq -Rse 'test("r\ufffd&lt;b&gt;&quot;")' page
# Every element that is opened is closed, in order.
sed '1d; s/<\(meta\|path\|text\)[^>]*\/>//g' page | tr -d '\n' | sed '
    s/<script>.*<\/script>//; s/<style>.*<\/style>//; s/<[a-z1-9]*[^>]*\/>//g; s/>[^<]*</></g
    :a
    s/<\([a-z1-9]*\)\( [^>]*\)\{0,1\}><\/\1>//g
    ta'
echo
