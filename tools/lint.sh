#!/usr/bin/env bash
# Formatting of all sources, layers, shell scripts, and clang-tidy on the files changed against BASE (default: the last
# 30 commits' start, or main where a branch has left it). usage: tools/lint.sh [BASE]
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
status=0

git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror || status=1
python3 tools/check_layers.py . || status=1
git ls-files | while read -r file; do
  if [[ -f $file ]] && head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*\b(ba)?sh\b'; then echo "$file"; fi
done | xargs -r shellcheck -x -P SCRIPTDIR -S warning || status=1

base=${1:-}
if [[ -z $base ]]; then
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  [[ -n $base && $base != $(git rev-parse HEAD) ]] || base=$(git rev-list --max-count=30 HEAD | tail -n 1)
fi
[[ -f build/release/compile_commands.json ]] || cmake --preset release >/dev/null
git diff --name-only --diff-filter=d "$base" -- 'src/*.cc' | { grep -v '_test\.cc$' || true; } | head -n "${HOLDFAST_TIDY_FILES:-12}" |
  xargs -r -P "$(nproc)" -n 1 clang-tidy -p build/release --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null || { echo "clang-tidy found faults"; status=1; }
exit $status
