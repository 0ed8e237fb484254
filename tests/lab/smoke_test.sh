#!/usr/bin/env bash
# Runs two sites of the lab through their whole life and checks what the other
# tests rely on. In a lab directory of its own, with the numbers of the last two
# sites (or: smoke_test.sh A B), so that it disturbs no lab in use.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
a=${1:-8}
b=${2:-9}
cluster=$here/cluster.sh
passed=0

# A fixed place, so that a run that was broken off is swept up by the next one.
export HOLDFAST_LAB_DIR=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/lab-smoke
mkdir -p "$HOLDFAST_LAB_DIR"
exec {lock}>"$HOLDFAST_LAB_DIR.lock"
flock -w 600 "$lock" || { echo "smoke_test.sh: another smoke test is running" >&2; exit 1; }
"$cluster" down "$a" --wipe
"$cluster" down "$b" --wipe

kubectl() { "$HOLDFAST_LAB_DIR/bin/kubectl" --kubeconfig "$HOLDFAST_LAB_DIR/kubeconfig-$site" --request-timeout=15s "$@"; }
step() { echo "--- $* ($SECONDS s)" >&2; }
check() {
  local what=$1
  shift
  "$@" || { echo "FAILED: $what" >&2; exit 1; }
  passed=$((passed + 1))
  echo "ok: $what"
}
# within SECONDS COMMAND...
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}
is() { [[ $1 == "$2" ]] || { echo "got '$1', wanted '$2'" >&2; return 1; }; }
fails() { ! "$@" >/dev/null 2>&1; }
quietly() { "$@" >/dev/null 2>&1; }

# What a site may not leave behind, one line per find.
leftovers() {
  local number link
  for number in "$a" "$b"; do
    find /run/netns -name "hf-c$number" 2>/dev/null
    find /sys/fs/cgroup -maxdepth 2 -name "hf-c$number" 2>/dev/null
    link=$(nsenter --net=/run/netns/hf-hub ip -o link show "hf-c$number" 2>/dev/null) && echo "$link"
  done
  grep -s "$HOLDFAST_LAB_DIR" /proc/[0-9]*/mountinfo | head -5
  # Processes by their command line. The pattern comes by a pipe, or grep would find itself.
  # shellcheck disable=SC2062
  echo "$HOLDFAST_LAB_DIR" | grep -lsFf - /proc/[0-9]*/cmdline || true
}

at_exit() {
  local status=$?
  trap - EXIT
  [[ -z ${httpd:-} ]] || kill "$httpd" 2>/dev/null || true
  if [[ $status -ne 0 ]]; then
    echo "smoke_test.sh: failed; logs are kept in $HOLDFAST_LAB_DIR/c*/log" >&2
    "$cluster" down "$a" || true
    "$cluster" down "$b" || true
  fi
  exit $status
}
trap at_exit EXIT

step "two sites up"
"$cluster" up "$a" --openshift --storage-class hf-local --storage-class csi-hostpath-sc &
first=$!
"$cluster" up "$b" --openshift --storage-class hf-local --storage-class csi-hostpath-sc
wait $first
check "up again changes nothing" "$cluster" up "$a" --openshift

step "workloads"
for site in $a $b; do
  kubectl apply -f "$here/smoke.yaml" >/dev/null
done
for site in $a $b; do
  check "site $site: the pod with init container and volume is ready" \
    quietly kubectl wait --for=condition=Ready --timeout=60s pod -l app=keeper
  check "site $site: the node agent's pod is ready" quietly kubectl wait --for=condition=Ready --timeout=60s pod -l app=agent
done
site=$a
check "exec with input and output" is "$(echo hello | kubectl exec -i deploy/keeper -c keeper -- tee /data/said)" hello
check "logs" is "$(kubectl logs deploy/keeper -c keeper | head -1)" started
check "the init container wrote to the volume" is "$(kubectl exec deploy/keeper -c keeper -- cat /data/first)" init
check "a user other than root writes to a volume" is "$(kubectl exec deploy/keeper -c keeper -- id -u)" 1000

agent_reads() {
  local uid volume
  uid=$(kubectl get pod -l app=keeper -o 'jsonpath={.items[0].metadata.uid}')
  volume=$(kubectl get pvc keeper -o 'jsonpath={.spec.volumeName}')
  kubectl exec daemonset/agent -- cat "/host_pods/$uid/volumes/kubernetes.io~local-volume/$volume/$1"
}
check "the agent reads the volume of a pod made before it" is "$(agent_reads said)" hello
check "the second storage class binds" quietly kubectl wait --for=jsonpath='{.status.phase}'=Bound --timeout=30s pvc/fixture
check "a role lets a service account in" is "$(kubectl auth can-i list pods --as=system:serviceaccount:default:keeper)" yes
check "and keeps it out elsewhere" fails kubectl auth can-i delete nodes --as=system:serviceaccount:default:keeper
check "a DeploymentConfig is scaled" quietly kubectl scale dc/legacy --replicas=3
check "and shows it" is "$(kubectl get dc legacy -o 'jsonpath={.spec.replicas}')" 3
check "a Route is served" is "$(kubectl get route legacy -o 'jsonpath={.spec.to.name}')" legacy
node_port=$(kubectl get svc keeper -o 'jsonpath={.spec.ports[0].nodePort}')
over_hub() { "$cluster" hub curl -sf --max-time 5 "http://10.88.0.$((10 + a)):$node_port/said"; }
check "a NodePort answers over the hub" within 20 quietly over_hub
check "from the other site too" is "$("$cluster" enter "$b" curl -sf --max-time 5 "http://10.88.0.$((10 + a)):$node_port/said")" hello
check "the hub's kubeconfig works there" quietly "$cluster" hub "$HOLDFAST_LAB_DIR/bin/kubectl" \
  --kubeconfig "$HOLDFAST_LAB_DIR/kubeconfig-$a.hub" --request-timeout=10s get nodes

step "images and the hub"
work=$HOLDFAST_LAB_DIR/work
rm -rf "$work" && mkdir -p "$work/root/bin" "$work/web"
cp /bin/busybox "$work/root/bin/sh"
ln -s sh "$work/root/bin/wget"
echo from the hub > "$work/web/page"
"$here/oci_image.py" "$work/one.tar" localhost/smoke:1.0 "$work/root" /bin/wget
touch "$work/root/bin/sh"
"$here/oci_image.py" "$work/two.tar" localhost/smoke:1.0 "$work/root" /bin/wget
check "the same directory gives the same image" cmp "$work/one.tar" "$work/two.tar"
"$cluster" load "$a" "$work/one.tar"
"$cluster" hub busybox httpd -f -p 10.88.0.1:8099 -h "$work/web" &
httpd=$!
kubectl run fetch --image=localhost/smoke:1.0 --restart=Never -- -qO- http://10.88.0.1:8099/page >/dev/null
check "a pod of that image runs to its end" quietly kubectl wait --for=jsonpath='{.status.phase}'=Succeeded --timeout=30s pod/fetch
check "and has reached the server at the hub" is "$(kubectl logs fetch)" "from the hub"
kill $httpd
wait $httpd 2>/dev/null || true
httpd=''

step "deleted volumes"
pv=$(kubectl get pvc fixture -o 'jsonpath={.spec.volumeName}')
kubectl delete pod/binder --grace-period=0 --force >/dev/null 2>&1
kubectl delete pvc/fixture >/dev/null
check "the volume goes" quietly kubectl wait --for=delete --timeout=30s "pv/$pv"
check "its directory too" fails test -e "$HOLDFAST_LAB_DIR/c$a/disk/volumes/$pv"

step "link and freeze"
"$cluster" cut "$a"
check "a cut site is unreachable over the hub" fails over_hub
"$cluster" join "$a"
check "and comes back" within 20 quietly over_hub
"$cluster" freeze "$a"
check "a frozen site does not answer" fails over_hub
"$cluster" thaw "$a"
check "and goes on" within 20 quietly over_hub

step "ended programs"
# Several at once: the node's process 1 must miss none of them.
program_pids() { "$cluster" enter "$a" ps -eo pid=,comm= | awk '$2 ~ /^(etcd|kube-apiserver|kubelet)$/ { print $1 }'; }
mapfile -t before < <(program_pids)
check "the node's programs are found" is "${#before[@]}" 3
"$cluster" enter "$a" kill -KILL "${before[@]}"
started_again() { [[ $(program_pids | wc -l) -eq 3 ]] && kubectl get --raw /readyz >/dev/null 2>&1; }
check "they are started again" within 30 started_again

step "loss"
"$cluster" kill "$a"
check "nothing of the dead site runs" fails pgrep -f "$HOLDFAST_LAB_DIR/c$a/"
check "its API is gone" fails kubectl get nodes
check "the other site lives" quietly env site="$b" bash -c "\"$HOLDFAST_LAB_DIR/bin/kubectl\" --kubeconfig \"$HOLDFAST_LAB_DIR/kubeconfig-$b\" get nodes"
boot_from=$EPOCHREALTIME
"$cluster" boot "$a"
echo "boot: $(awk -v f="$boot_from" -v t="$EPOCHREALTIME" 'BEGIN { printf "%.1f", t - f }') s" >&2
data_is_back() { [[ $(kubectl exec deploy/keeper -c keeper -- cat /data/said 2>/dev/null) == hello ]]; }
check "after boot the data is there" within 60 data_is_back
check "the init container ran again on the same volume" is "$(kubectl exec deploy/keeper -c keeper -- sh -c 'wc -l < /data/starts')" 2
agent_back() { [[ $(agent_reads said 2>/dev/null) == hello ]]; }
check "the agent sees it" within 60 agent_back

step "end"
"$cluster" down "$a"
check "down keeps the data" test -d "$HOLDFAST_LAB_DIR/c$a/etcd/member"
"$cluster" down "$a" --wipe
"$cluster" down "$b" --wipe
check "down --wipe removes it" fails test -e "$HOLDFAST_LAB_DIR/c$a"
nothing_left() { local left; left=$(leftovers); [[ -z $left ]] || { echo "left: $left" >&2; return 1; }; }
check "no process, namespace, mount or cgroup is left" within 10 nothing_left
rm -rf "$HOLDFAST_LAB_DIR"
echo "$passed passed, 0 failed"
