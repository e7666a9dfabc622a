#!/bin/sh
# The main workflow on a copy of examples/us-eu: plan, apply exactly that plan, and show the changes.
# Usage: examples/demo.sh [FOLDER]; `stablekey` must be on the PATH.
set -eu

folder=${1:-demo}
examples=$(cd "$(dirname "$0")" && pwd)

# 3: there are actions, and something declared is unresolved. This example is designed that way.
exits_3() {
  printf '\n$ %s\n' "$*"
  status=0
  "$@" || status=$?
  [ "$status" -eq 3 ] || { echo "it exits $status, not 3" >&2; exit 1; }
}

# Only the folder of an earlier demo is replaced, also of one that was interrupted.
if [ -e "$folder" ] && [ ! -e "$folder/.git/stablekey-demo" ] && [ ! -e "$folder/.plan.json" ]; then
  echo "$folder exists, and this demo did not create it: name another folder" >&2
  exit 1
fi
rm -rf "$folder"
git init --quiet "$folder"
: > "$folder/.git/stablekey-demo"
cp -R "$examples/us-eu/." "$folder"
cd "$folder"
git add --all
git -c user.name=demo -c user.email=demo@stablekey.invalid commit --quiet --message 'As it is'

exits_3 stablekey plan --out .plan.json
exits_3 stablekey apply --plan .plan.json

printf '\n$ git diff\n'
git add --intent-to-add -- '*.yaml' '*.definition'
git --no-pager diff -- ':!*.lock'
echo
echo "Done in $folder, a separate Git repository: git -C $folder diff --stat"
