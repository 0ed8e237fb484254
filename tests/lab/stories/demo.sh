#!/usr/bin/env bash
# The main job on complete Kubernetes clusters (sites 1 and 2), with versitygw as the store: tests/demo/run.sh real.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
"$root/dev" build release holdfast ledger ledger-load
"$root/tests/peers/peers.sh" build versitygw
"$root/dev" packages demo test
exec "$root/tests/demo/run.sh" "$root/build/release" real
