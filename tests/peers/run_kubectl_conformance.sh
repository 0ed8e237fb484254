#!/usr/bin/env bash
# Runs the kubectl conformance tests of the sandbox's API server with one client:
#
#   run_kubectl_conformance.sh system|peer TEST_BINARY
#
# system: the kubectl in PATH; one older than 1.24, as Debian's, is asked to read and delete only. peer: the one of the
# peer "kubernetes". Exits 77 (skipped) where there is none; with CI=true that is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
which=$1 binary=$2 tests=()

skip() {
  echo "SKIP kubectl ($which): $1" >&2
  if [[ ${CI:-} == true ]]; then exit 1; else exit 77; fi
}

if [[ $which == peer ]]; then
  directory=$("$here/peers.sh" path kubernetes) || skip "the peer is not built (./dev peers)"
  export HOLDFAST_KUBECTL=$directory/bin/kubectl
else
  command -v kubectl >/dev/null || skip "there is no kubectl in PATH"
  minor=$(kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p' | head -1)
  [[ ${minor:-0} -ge 24 ]] || tests=(--gtest_filter='*.ReadsAndDeletes')
  HOLDFAST_KUBECTL=$(command -v kubectl)
  export HOLDFAST_KUBECTL
fi
exec "$binary" --gtest_brief=1 "${tests[@]}"
