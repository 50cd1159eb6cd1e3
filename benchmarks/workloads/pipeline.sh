#!/bin/bash
# Arrays, functions, substitutions and pipelines of small tools; `pipeline.sh ROUNDS`.
set -o pipefail
declare -A count
fibonacci() { local n=$1; if ((n < 2)); then echo "$n"; else echo $(($(fibonacci $((n - 1))) + $(fibonacci $((n - 2))))); fi; }
for ((round = 0; round < $1; round++)); do
    mapfile -t words < <(seq 1 2000 | awk '{ print "word" $1 * 7919 % 503 }')
    for word in "${words[@]}"; do ((count[$word]++)); done
    text=$(printf '%s,' "${words[@]}")
    text=${text//word/w}
    echo "${#text} ${text:0:40} ${text##*,w}"
    paste -sd+ <(seq "$round" 300) | bc 2>/dev/null || seq "$round" 300 | awk '{ s += $1 } END { print s }'
    seq 1 5000 | sed 's/\([0-9]\)\1/<&>/g' | grep '<' | tr -d '0' | rev | sort -u | md5sum
done
for word in "${!count[@]}"; do echo "${count[$word]} $word"; done | sort -rn | head -n 5
fibonacci 9
find . -type f | sort | xargs -n 3 echo | wc -l
ls /no/such/directory
