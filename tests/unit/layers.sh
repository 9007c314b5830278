#!/bin/sh
# Fails when a file includes a header of a folder to the right of its own:
#
#     base -> proto -> onnx -> analyze -> rewrite -> compare -> cli
#
# cli/ sees nothing of the library but canonnx.h. Below it, headers are named by their path from the root.
#
#   layers.sh ROOT
set -eu
cd "$1"

files=$(find base proto onnx analyze rewrite compare cli -name '*.[ch]' -o -name '*.def')
[ -n "$files" ]
# shellcheck disable=SC2086  # file names of ours hold no spaces
awk '
BEGIN {
    count = split("base proto onnx analyze rewrite compare cli", order, " ")
    for (i = 1; i <= count; i++)
        rank[order[i]] = i
}
function complain(why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
    bad = 1
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    split(FILENAME, own, "/")
    depth = split(quoted[2], named, "/")
    if (quoted[2] == "canonnx.h")
        next
    if (own[1] == "cli") {
        if (depth > 1)
            complain("cli/ may include only canonnx.h and its own headers")
    } else if (depth == 1 || !(named[1] in rank))
        complain("expected FOLDER/HEADER")
    else if (rank[named[1]] > rank[own[1]])
        complain(own[1] "/ may not know of " named[1] "/")
}
END { exit bad }
' $files
