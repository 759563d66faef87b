#!/bin/sh
# The arrows of the house point one way: each room includes only what it may know.
set -u
cd "$ROOT" || exit 1
bad=0
allow() { # room pattern-of-allowed-includes
    files=$(find "$1" -name '*.[ch]' -o -name '*.cu' -o -name '*.cpp' 2>/dev/null)
    [ -n "$files" ] || return 0
    wrong=$(grep -Hn '^#include "' $files | grep -Ev "#include \"($2)")
    if [ -n "$wrong" ]; then
        echo "$wrong"
        bad=1
    fi
}
allow common/base 'base/'
allow common/data 'base/|data/'
allow common/net 'base/|net/'
allow common/model 'base/|data/|model/|kernels/ops\.h'
allow common/gen 'base/|data/|net/|model/|gen/|kernels/ops\.h'
allow common/train 'base/|data/|model/|train/|kernels/ops\.h'
allow common/reward 'base/|data/|net/|reward/'
allow common/mix 'base/|data/|mix/'
allow common/report 'base/|data/|report/'
allow kernels 'kernels/'
allow tools 'base/|data/|net/|model/|gen/|train/|reward/|mix/|report/|kernels/ops\.h'
# File names are unique in the tree (headers of the same subject share the stem).
dup=$(find common tools -name '*.c' -exec basename {} \; | sort | uniq -d)
[ -z "$dup" ] || { echo "file names used twice: $dup"; bad=1; }
[ $bad = 0 ] || echo "an arrow points the wrong way: see architecture in CONTRIBUTING.md"
exit $bad
