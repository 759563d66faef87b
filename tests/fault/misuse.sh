#!/bin/sh
# Wrong calls: exit status 2, the reason, the usage, and a hint to --help; nothing else happens.
set -u
. "$TESTS/tiny-model.sh"
tiny_model M && tiny_tokenizer M || exit 1
. "$TESTS/bad-input.sh"

while IFS='|' read -r text command; do
    case $text in '#'*) continue ;; esac
    # shellcheck disable=SC2086
    misused "$text" $command
done <"$TESTS/fault/misuse.calls"
for source in "$ROOT"/tools/*.c; do
    program=$(basename "$source" .c)
    misused "unknown option '--nonsense'" $program --nonsense
    misused "unknown option '-Z'" $program -Z
    misused "option '--seed' needs a value" $program --seed
    misused "option '--seed': 'x' is not a whole number" $program --seed x
    misused "option '--threads': -1 is out of range" $program --threads -1
    misused "option '--quiet' takes no value" $program --quiet=1
    for option in $($program --help | grep -oE -e '--[a-z-]+ [^ ]*(FILE|DIR|CSV)' | sed 's/ .*//' | sort -u); do
        misused "option '$option': the name is empty" $program $option=
    done
done
exit $bad
