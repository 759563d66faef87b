# Makes texts, and edits them as duplicates and leaked evaluation items are edited.  Deterministic.
#
#   awk -v mode=make -v n=100 -v least=60 -v most=300 -v seed=1 -f plant.awk
#       prints lines "id<TAB>text" of random words, frequent and rare ones as in a language
#   awk -v mode=edit -v how=HOW -v seed=1 -f plant.awk
#       reads such lines and prints them edited, with the id "HOW:id"
#
# HOW: verbatim, case (case and punctuation), half (the first half of the words), or a percentage: so
# many of the words are replaced, deleted, or get another one behind them.
function random() { # Park and Miller, "Random number generators: good ones are hard to find"
    state = (state * 16807) % 2147483647
    return state / 2147483647
}
function pick(n) { return int(random() * n) + 1 }
function word(i,    s) {
    s = ""
    for (i += 7; i > 0; i = int(i / 21))
        s = s substr("bcdfghjklmnpqrstvwxyz", i % 21 + 1, 1) substr("aeiou", i % 5 + 1, 1)
    return s
}
# Of rank r with a probability of about 1 / r.
function any_word() { return word(int(exp(random() * log(20000)))) }
function make(    i, j, len, line, sentence) {
    for (i = 1; i <= n; i++) {
        len = least + int(random() * (most - least + 1))
        line = ""
        sentence = 0
        for (j = 1; j <= len; j++) {
            line = line (j > 1 ? " " : "") any_word()
            if (++sentence > 6 && random() < 0.15 || j == len) {
                line = line "."
                sentence = 0
            }
        }
        print "d" i "\t" line
    }
}
function change_case(w,    x) {
    x = random()
    if (x < 0.3)
        w = toupper(w)
    else if (x < 0.5)
        w = toupper(substr(w, 1, 1)) substr(w, 2)
    if (random() < 0.2)
        w = w substr(",;!:", pick(4), 1)
    gsub(/[.]$/, random() < 0.5 ? " -" : "...", w)
    return w
}
function edit_some(n_words, share,    left, i, x) {
    for (left = int(share * n_words + 0.5); left > 0; left--) {
        do i = pick(n_words); while (i in edited)
        edited[i] = 1
        x = random()
        words[i] = x < 0.6 ? any_word() : x < 0.8 ? "" : words[i] " " any_word()
    }
}
BEGIN {
    FS = "\t"
    state = seed * 7919 + 17
    for (i = 0; i < 20; i++)
        random()
    if (mode == "make") {
        make()
        exit
    }
}
{
    n_words = split($2, words, " ")
    split("", edited)
    if (how ~ /^[0-9]+$/)
        edit_some(n_words, how / 100)
    last = how == "half" ? int((n_words + 1) / 2) : n_words
    line = ""
    for (i = 1; i <= last; i++) {
        w = how == "case" ? change_case(words[i]) : words[i]
        if (w != "")
            line = line (line == "" ? "" : " ") w
    }
    print how ":" $1 "\t" line
}
