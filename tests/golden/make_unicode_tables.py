#!/usr/bin/env python3
"""Prints common/data/tokenizer_unicode.inc: where the tokenizers library and this system's PCRE2 and utf8proc
know different versions of Unicode.

  new_ranges    code points that are assigned for the library's regexes (Unicode 16) and not in Unicode 14,
                with their general category
  plain_ranges  marks and parts of composed characters, assigned since, that its NFC does not know (Unicode 9),
                and U+11A7
  work_ranges   what NFC may change or join to what stands before: marks with a class, characters that are not
                normal, and second parts of composed ones; text without them is normal

The library is asked about every code point; categories and combining classes are Unicode's own, 14 from Python
3.11's unicodedata, 16 or later from unicodedata2.  Needs both and tokenizers.
"""
import unicodedata

import tokenizers
import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xd800 <= c <= 0xdfff]
TEXT = "".join(map(chr, POINTS))
CATEGORIES = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
              "Pf", "Po", "Sm", "Sc", "Sk", "So"]


def matched(regex):
    kept = bytearray(len(TEXT))
    split = pre_tokenizers.Split(Regex(regex), "removed")
    for _, (begin, end) in split.pre_tokenize_str(TEXT):
        kept[begin:end] = b"\1" * (end - begin)
    return [c for i, c in enumerate(POINTS) if not kept[i]]


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def show(name, kind, rows):
    print(f"static const struct {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        if len(line) + len(row) > 98:
            print(line)
            line = "   "
        line += " " + row + ","
    print(line + "\n};")


def main():
    assert unicodedata.unidata_version == "14.0.0"
    new = [(first, last, name) for name in CATEGORIES
           for first, last in ranges(c for c in matched(r"\p{%s}" % name) if unicodedata.category(chr(c)) == "Cn")]
    nfc = normalizers.NFC().normalize_str
    plain = {c for c in POINTS if unicodedata2.combining(chr(c)) and
             nfc("a" + chr(c) + "\u0334") == "a" + chr(c) + "\u0334" and
             unicodedata2.normalize("NFC", "a\u0345" + chr(c) + "\u0334") != "a\u0345" + chr(c) + "\u0334" and
             nfc("a\u0345" + chr(c)) == "a\u0345" + chr(c)}
    for c in POINTS:
        parts = unicodedata2.decomposition(chr(c)).split()
        if parts and not parts[0].startswith("<"):
            text = unicodedata2.normalize("NFD", chr(c))
            if nfc(text) == text != unicodedata2.normalize("NFC", text):
                old = unicodedata.category(chr(c)) != "Cn"
                plain.update(p for p in map(ord, text) if old or unicodedata.category(chr(p)) == "Cn")
    work = {c for c in POINTS if unicodedata2.combining(chr(c)) or unicodedata2.normalize("NFC", chr(c)) != chr(c)}
    for c in POINTS:
        parts = unicodedata2.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            work.add(int(parts[1], 16))
    work.update(range(0x1161, 0x1176), range(0x11a7, 0x11c3))
    plain.add(0x11a7)  # utf8proc 2.8 takes it for a final consonant behind a Hangul syllable, and loses it
    print(f"/* By tests/golden/make_unicode_tables.py with tokenizers {tokenizers.__version__}, unicodedata "
          f"{unicodedata.unidata_version}, unicodedata2 {unicodedata2.unidata_version}. */")
    show("new_ranges", "new_range", [f'{{0x{a:x}, 0x{b:x}, "{n}"}}' for a, b, n in sorted(new)])
    show("work_ranges", "plain_range", [f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(work)])
    show("plain_ranges", "plain_range", [f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(plain)])


if __name__ == "__main__":
    main()
