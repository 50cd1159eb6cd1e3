#!/bin/bash
# sort in its ways over a large input; `sorting.sh LINES`.
set -e -o pipefail
awk -v lines="$1" 'BEGIN { for (i = 0; i < lines; i++) printf "%d %s%d line %d\n", i * 7919 % 100003, "k", i % 1013, i }' > lines
sort --parallel=2 -S 8M lines | cksum
sort --parallel=2 -k1,1n -k2,2r lines | cksum
sort -u -k2,2 lines | cksum
sort -s -k2.3,2.5 lines | sed -n 1,5p
cut -d' ' -f2 lines | sort | uniq -c | sort -rn | sed -n 1,5p
split -n l/4 lines part.
for part in part.*; do sort -o "$part" "$part"; done
sort -m part.* | cksum
