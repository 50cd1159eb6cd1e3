#!/bin/bash
# tar and gzip there and back; `archive.sh FILES`.
set -e -o pipefail
mkdir -p tree/{a,b,c}
for ((i = 0; i < $1; i++)); do seq "$i" $((i * 3 + 50)) > "tree/$(printf '%b' "\\x$((61 + i % 3))")/file$i"; done
tar -c --sort=name --mtime=@0 --owner=0 --group=0 --mode=u=rwX,go= -f tree.tar tree
cksum < tree.tar
gzip -9 -n -c tree.tar > tree.tar.gz
gzip -1 -n -c tree.tar | wc -c
gzip -l tree.tar.gz | tail -n 1
mkdir back
tar -xzf tree.tar.gz -C back
diff -r tree back/tree && echo same
tar -tzf tree.tar.gz | sort | cksum
