#!/usr/bin/env bash
# Backups that Velero 1.14 and 1.18 wrote, restored by holdfast on a real cluster that has never seen their applications.
#
# 1.14 (restic): b1 and b2 give the data that was recorded when they were made, b3 what Debian's restic restores from its
# snapshots; what was created, and the warnings, are what Velero's own restore of b2 gave. 1.18 (kopia): the objects come
# back, each volume is a Failed PodVolumeRestore that names the uploader, and no pod starts on empty data or waits.
# usage: velero_fixtures.sh [SITE]
set -euo pipefail
# shellcheck source=tests/lab/story.sh
source "$(dirname "${BASH_SOURCE[0]}")/../story.sh"
story_begin velero-fixtures "${1:-3}"

velero=$story_top/tests/fixtures/velero
store=$HOLDFAST_LAB_DIR/store
export AWS_ACCESS_KEY_ID=velerokey AWS_SECRET_ACCESS_KEY=velerosecret123
config=region=us-east-1,s3ForcePathStyle=true,s3Url=http://$hub_address:7070

fill_store() {
  local data=$store/data version
  mkdir -p "$data/apps-dr-guide" "$data/velero118" "$data/extra114" "$data/extra118"
  cp -R "$velero/1.14/bucket/." "$data/apps-dr-guide"
  cp -R "$velero/1.18/bucket/." "$data/velero118"
  for version in 114 118; do cp -R "$velero/1.${version#1}/csi/bucket/." "$data/extra$version"; done
}

install_holdfast() {
  write_credentials "$work/credentials"
  # Velero's own password, which every installation has that was given no other.
  kubectl create namespace velero
  kubectl -n velero create secret generic velero-repo-credentials --from-literal=repository-password=static-passw0rd
  holdfast install --image localhost/holdfast:lab --use-node-agent --wait --provider aws --bucket apps-dr-guide \
    --prefix oadp --secret-file "$work/credentials" --backup-location-config "$config"
}

restore_phase() { kubectl -n velero get restore "$1" -o 'jsonpath={.status.phase}'; }
# Both applications' pods run, so their volumes can be looked at.
pods_ready() {
  kubectl -n "$1" wait --for=condition=Ready --timeout=90s pod -l app=web >/dev/null &&
    kubectl -n "$2" wait --for=condition=Ready --timeout=90s pod -l app=db >/dev/null
}
web_pod() { kubectl -n "$1" get pod -l app=web -o 'jsonpath={.items[0].metadata.name}'; }

list_applications() { # DIRECTORY WEB_NAMESPACE DB_NAMESPACE
  mkdir -p "$1"
  list_pod "$2" "$(web_pod "$2")" /data >"$1/web-app1"
  list_pod "$3" db-0 /pgdata >"$1/pgdata"
  list_pod "$3" db-0 /scratch >"$1/scratch"
}
# b1's data was recorded before its hook wrote a file.
recorded() { in_order <"$velero/1.14/data/$1.$2.txt"; }
restored() { if [[ $2 == b1 ]]; then grep -v ' ./hook.txt$' "$work/$2/$1"; else cat "$work/$2/$1"; fi; }

restore_application() { # BACKUP
  check "$1: restore create --wait" holdfast restore create "of-$1" --from-backup "$1" --wait
  check "$1: Completed" is "$(restore_phase "of-$1")" Completed
  check "$1: the pods start" pods_ready web-app1 web-app2
  list_applications "$work/$1" web-app1 web-app2
}

remove_application() {
  kubectl delete namespace web-app1 web-app2 --timeout=120s >/dev/null
  kubectl delete --ignore-not-found clusterrole/web-app1-viewer clusterrolebinding/web-app1-viewer \
    crd/widgets.demo.example.com >/dev/null
}

# The files of a restore, as the store has them.
# Sorted JSON without what a new namespace gets by itself: whether the restore or the cluster was first is a race.
without_defaults() {
  python3 -c '
import json, sys
def kept(value):
    if isinstance(value, dict):
        value = {key: kept(part) for key, part in sorted(value.items())}
        return {key: part for key, part in value.items() if part not in ({}, [], None)}
    if isinstance(value, list):
        return [part for part in map(kept, value) if part is not None]
    return None if isinstance(value, str) and ("kube-root-ca.crt" in value or "/default(" in value) else value
print(json.dumps(kept(json.load(sys.stdin)), indent=1))'
}
restored_file() { zcat "$store/data/$1/restores/$2/restore-$2-$3.gz" | without_defaults; }
velero_file() { zcat "$velero/$1/restores/$2/restore-$2-$3.gz" | without_defaults; }

step "a cluster, a store with Velero's buckets, holdfast"
make_image holdfast holdfast &
image=$!
"$cluster" up "$site" --storage-class hf-local --storage-class csi-hostpath-sc
wait $image
"$cluster" load "$site" "$work/holdfast.tar"
fill_store
check "the store answers at the hub" quietly start_store "$store" 7070
check "holdfast installs itself" quietly install_holdfast
synced() { quietly kubectl -n velero get backups.velero.io "$@"; }
check "Velero's backups appear" within 60 synced b1 b2 b3 bpf2

step "1.14"
for backup in b1 b2; do
  restore_application $backup
  for volume in web-app1 pgdata scratch; do
    check "$backup: $volume has the recorded files" same <(restored $volume $backup) <(recorded $volume $backup)
  done
  if [[ $backup == b2 ]]; then
    check "b2: created is what Velero created" same <(restored_file apps-dr-guide/oadp of-b2 resource-list.json) \
      <(velero_file 1.14/bucket/oadp r1 resource-list.json)
    check "b2: warnings are Velero's" same <(restored_file apps-dr-guide/oadp of-b2 results) \
      <(velero_file 1.14/bucket/oadp r1 results)
  fi
  remove_application
done

restic_copy() { # NAMESPACE SNAPSHOT DIRECTORY
  RESTIC_PASSWORD=static-passw0rd restic -q --no-cache --no-lock -r "$velero/1.14/bucket/oadp/restic/$1" \
    restore "$2" --target "$3" >/dev/null
}
restore_application b3
for volume in web-app1:d88f6800:web-app1 pgdata:da8c4074:web-app2 scratch:90a2bb78:web-app2; do
  IFS=: read -r name snapshot namespace <<<"$volume"
  check "b3: restic restores $name" restic_copy "$namespace" "$snapshot" "$work/restic/$name"
  check "b3: $name equals restic's restore" same "$work/b3/$name" <(list_directory "$work/restic/$name")
done
check "b3: the custom resource is there" is "$(kubectl -n web-app1 get widget w1 -o name)" widget.demo.example.com/w1

step "what holdfast writes of the same application"
check "backup create --wait" holdfast backup create ours --include-namespaces web-app1,web-app2 \
  --default-volumes-to-fs-backup --wait
check "its files have the structure of Velero's" python3 "$story_here/same_backup.py" \
  "$store/data/apps-dr-guide/oadp/backups/ours" "$velero/1.14/bucket/oadp/backups/b3"
check "restic finds no error in the repositories" env RESTIC_PASSWORD=static-passw0rd restic -q --no-cache --no-lock \
  -r "$store/data/apps-dr-guide/oadp/restic/web-app1" check --read-data

step "reboot"
# As a wait container that runs as root leaves the volumes: without marks. After the boot it waits for them again.
kubectl -n web-app1 exec "$(web_pod web-app1)" -c web -- rm -rf /data/.velero
kubectl -n web-app2 exec db-0 -c db -- rm -rf /pgdata/.velero /scratch/.velero
"$cluster" kill "$site"
"$cluster" boot "$site"
run_again() {
  quietly kubectl -n web-app1 exec "$(web_pod web-app1)" -c web -- true && quietly kubectl -n web-app2 exec db-0 -c db -- true
}
check "restored pods start again on their data" within 120 run_again
list_applications "$work/rebooted" web-app1 web-app2
for volume in pgdata scratch; do
  check "after the reboot $volume is as before" same "$work/rebooted/$volume" "$work/b3/$volume"
done
remove_application

step "1.18"
add_location() { # NAME BUCKET
  holdfast backup-location create "$1" --provider aws --bucket "$2" --config "$config" --access-mode ReadOnly
}
check "a location with 1.18's bucket" quietly add_location velero118 velero118
check "1.18's backups appear" within 60 synced b118 b118b bnons
check "b118: restore create --wait tells by its exit code" \
  ends_with 3 holdfast restore create of-b118 --from-backup b118 --wait
check "b118: PartiallyFailed" is "$(restore_phase of-b118)" PartiallyFailed
volume_restores() { kubectl -n velero get podvolumerestores -l velero.io/restore-name=of-b118 -o "jsonpath={range .items[*]}$1{'\n'}{end}"; }
check "b118: three volumes" is "$(volume_restores '{.spec.volume}' | sort | tr '\n' ' ')" "data pgdata scratch "
check "b118: each Failed" is "$(volume_restores '{.status.phase}' | sort -u)" Failed
check "b118: each message names the uploader" is "$(volume_restores '{.status.message}' | grep -c kopia)" 3
listed() { holdfast restore describe of-b118 --details | sed -n '/^Resource List/,$p'; }
# Velero found the definition there already.
velero_listed() { sed -n '/^Resource List/,$p' "$velero/1.18/cli/restore-describe-r118-details.txt" | sed 's/widgets.demo.example.com(failed)/widgets.demo.example.com(created)/'; }
check "b118: the objects are those that Velero restored" same <(listed) <(velero_listed)
check "b118: the custom resource is there" is "$(kubectl -n web-app1 get widget w1 -o name)" widget.demo.example.com/w1
pods_gave_up() {
  local namespace messages
  for namespace in web-app1 web-app2; do
    messages=$(kubectl -n "$namespace" get pods -o 'jsonpath={range .items[*].status.initContainerStatuses[0]}{.state}{.lastState}{"\n"}{end}')
    [[ $messages == *kopia* && $messages != *'"running"'* ]] || return 1
  done
}
check "b118: no pod waits; each says why" within 60 pods_gave_up
check "b118: no container has started on empty data" is "$(kubectl get pods -A -l 'app in (web,db)' \
  -o 'jsonpath={range .items[*].status.containerStatuses[*]}{.started}{"\n"}{end}' | sort -u)" false
remove_application

step "CSI snapshots"
for version in 114 118; do
  check "$version: a location" quietly add_location csi$version extra$version
  check "$version: the backup is listed" within 60 synced bcsi
  check "$version: and described" has "$(holdfast backup describe bcsi --details)" "CSI Driver: hostpath.csi.k8s.io"
  check "$version: its location goes" quietly holdfast backup-location delete csi$version --confirm
  kubectl -n velero delete --ignore-not-found backups.velero.io bcsi >/dev/null
done

story_end
