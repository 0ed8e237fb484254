#!/usr/bin/env bash
# Backup and restore of 5,000 ConfigMaps and 2,000 Secrets on a real cluster, beside Velero 1.14 on the same cluster and
# store, and beside bare creates, which are what the API server allows. Seconds that the command line waited.
# usage: bench/objects.sh [SITE]   HOLDFAST_BENCH_RUNS: runs of holdfast (3), HOLDFAST_BENCH_PEER_RUNS: of Velero (1)
set -euo pipefail
# shellcheck source=tests/lab/story.sh
source "$(dirname "$(readlink -f "$0")")/../tests/lab/story.sh"
story_begin bench-objects "${1:-4}"
runs=${HOLDFAST_BENCH_RUNS:-3}
peer_runs=${HOLDFAST_BENCH_PEER_RUNS:-1}
config_maps=5000 secrets=2000
store=$HOLDFAST_LAB_DIR/store
export AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=bench-secret
config=region=us-east-1,s3ForcePathStyle=true,s3Url=http://$hub_address:7071,checksumAlgorithm=

seconds() { # COMMAND...: prints how long it took
  local begin=$EPOCHREALTIME
  "$@" >>"$work/commands.log" 2>&1 || { tail -n 20 "$work/commands.log" >&2; die "$*"; }
  awk -v from="$begin" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", to - from }'
}
load() { echo "load $(cut -d ' ' -f 1 /proc/loadavg)"; }
report() { echo "$1: $2 s ($(load))"; } # WHAT SECONDS
restored() { is "$(kubectl -n "$1" get configmaps,secrets -o name | grep -vc kube-root-ca)" $((config_maps + secrets)); }
create_bare() {
  local pki=$HOLDFAST_LAB_DIR/c$site/pki
  kubectl create namespace "$1" >/dev/null
  python3 "$story_top/bench/create_objects.py" "$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')" \
    "$pki/ca.crt" "$pki/admin.crt" "$pki/admin.key" "$1" $config_maps $secrets 16
}

measure() { # NAME RUNS COMMAND...: the command speaks as velero does
  local name=$1 count=$2 i
  shift 2
  for ((i = 1; i <= count; ++i)); do
    report "$name backup $i" "$(seconds "$@" backup create "b$i" --include-namespaces perf --wait)"
    report "$name restore $i" "$(seconds "$@" restore create "r$i" --from-backup "b$i" --namespace-mappings "perf:perf-$i" --wait)"
    restored "perf-$i" || die "$name did not restore all objects"
    kubectl delete namespace "perf-$i" --timeout=300s >/dev/null
  done
}

set_peer() { # the words before velero's own
  in_hub=("$cluster" hub env KUBECONFIG="$HOLDFAST_LAB_DIR/kubeconfig-$site.hub" HOME="$work" VELERO_NAMESPACE=velero
    VELERO_SCRATCH_DIR="$work/scratch" AWS_SHARED_CREDENTIALS_FILE="$work/credentials" "$peer/velero")
}
velero() { "${in_hub[@]}" "$@"; }
start_velero() {
  mkdir -p "$work/plugins" "$work/scratch"
  cp "$peer/velero-plugin-for-aws" "$work/plugins/"
  velero install --crds-only >/dev/null
  kubectl create namespace velero >/dev/null
  # The server runs beside the cluster, as the command line does: what it does with the API is the same.
  "${in_hub[@]}" server --plugin-dir "$work/plugins" {story_lock}>&- >"$work/velero.log" 2>&1 &
  story_pids+=($!)
  velero backup-location create default --provider aws --bucket velero --config "$config" --default
  within 120 velero_ready
}
velero_ready() { [[ $(kubectl -n velero get backupstoragelocation default -o 'jsonpath={.status.phase}') == Available ]]; }

make_image holdfast holdfast
"$cluster" up "$site"
"$cluster" load "$site" "$work/holdfast.tar"
mkdir -p "$store/data/holdfast" "$store/data/velero"
start_store "$store" 7071 >/dev/null
write_credentials "$work/credentials"
report "bare creates, 16 at once" "$(create_bare perf)"
holdfast install --image localhost/holdfast:lab --wait --provider aws --bucket holdfast --secret-file "$work/credentials" \
  --backup-location-config "$config" >>"$work/commands.log"
measure holdfast "$runs" holdfast
holdfast uninstall --confirm >>"$work/commands.log"
if peer=$("$story_top/tests/peers/peers.sh" path velero 2>/dev/null)/bin && ((peer_runs > 0)); then
  kubectl wait --for=delete --timeout=120s namespace/velero >/dev/null 2>&1 || true
  set_peer
  start_velero >>"$work/commands.log"
  measure velero "$peer_runs" velero
fi
