#!/bin/sh
# Reads the history that a fast-import stream makes: `history.sh STREAM FILE`.
set -e
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
git init -q --bare -b main repository
git -C repository fast-import --quiet < "$1"
git -C repository log --stat --format='%H %an %s' main | cksum
git -C repository log -p --format=%h main -- "$2" | cksum
git -C repository blame main -- "$2" | cksum
git -C repository gc -q --prune=now
git -C repository fsck --strict
git -C repository rev-list --objects --all | cksum
git -C repository archive main | cksum
