#!/usr/bin/env bash
# What is shown on real clusters: the lab's own smoke test, then each executable
# tests/lab/stories/NAME.sh, in the order of their names. One line per story.
# usage: run_stories.sh [NAME...]   (smoke, or a story's name without .sh)
#
# A story exits 0 when it passed. It uses sites of its own, and what it leaves
# behind is a failure of its own. Without the kubernetes peer nothing runs; with
# CI=true that is a failure.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
logs=${HOLDFAST_LAB_LOGS:-$(mktemp -d "${TMPDIR:-/tmp}/hf-stories.XXXXXX")}
mkdir -p "$logs"

if ! reason=$("$here/../peers/peers.sh" path kubernetes 2>&1); then
  echo "skipped: real clusters: $reason"
  [[ ${CI:-} != true ]]
  exit
fi

declare -A stories=([smoke]=$here/smoke_test.sh)
names=(smoke)
for file in "$here"/stories/*.sh; do
  [[ -x $file ]] || continue
  name=$(basename "$file" .sh)
  stories[$name]=$file
  names+=("$name")
done
[[ $# -eq 0 ]] || names=("$@")

status=0
for name in "${names[@]}"; do
  [[ -n ${stories[$name]:-} ]] || { echo "run_stories.sh: there is no story '$name'" >&2; exit 2; }
  begin=$SECONDS
  if "${stories[$name]}" </dev/null >"$logs/$name.log" 2>&1; then
    echo "passed: $name ($((SECONDS - begin)) s)"
  else
    status=1
    tail -n 40 "$logs/$name.log" >&2
    echo "FAILED: $name ($((SECONDS - begin)) s), log in $logs/$name.log"
  fi
done
exit $status
