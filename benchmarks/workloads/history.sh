#!/bin/sh
# A git repository from its first commit to gc and fsck; `history.sh COMMITS`.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
git init -q -b main repository
cd repository
commit=0
while [ "$commit" -lt "$1" ]; do
    export GIT_AUTHOR_DATE="2024-01-01T00:00:$((commit % 50 + 10)) +0000"
    export GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
    mkdir -p "part$((commit % 5))"
    file=0
    while [ "$file" -lt 40 ]; do
        seq "$commit" $((commit + file * 20)) > "part$((commit % 5))/file$file"
        file=$((file + 1))
    done
    git add .
    git commit -q -m "Commit $commit"
    commit=$((commit + 1))
done
git log --stat --format='%H %s'
git diff HEAD~1 | cksum
git blame part0/file39 | cksum
git checkout -q -b other HEAD~2
echo new > part0/side; git add .
git commit -q -m 'On the side'
git merge -q --no-edit -m 'Merged' main
git gc -q --prune=now
git fsck --strict
git rev-list --objects --all | cksum
git archive HEAD | cksum
