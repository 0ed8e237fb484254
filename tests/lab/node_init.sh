#!/usr/bin/env bash
# Process 1 of a site: lays out the node's own mounts, starts the node's programs
# in order, then reaps orphans and starts again what ended. Everything of the
# site descends from it, so its death by any signal is the loss of the site.
# Called by cluster.sh inside the new namespaces: node_init.sh N
#
# Progress goes to run/stages, a line each: "at NAME", "failed REASON | LOG".
set -uo pipefail

# shellcheck source=tests/lab/site.sh
source "$(dirname "${BASH_SOURCE[0]}")/site.sh"
site_set "$1"

stages=$site/run/stages
api=https://127.0.0.1:6443
declare -A running # pid -> program

stage() { echo "at $1" >>"$stages"; }
abort() { echo "failed $1 | $2" >>"$stages"; exit 1; }

mount_node() {
  local pair
  hostname "$node"
  # A fresh /run as after a boot: sockets, locks and namespaces of this node only.
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/containerd /run/lock
  for pair in kubelet:/var/lib/kubelet containerd:/var/lib/containerd cni:/var/lib/cni volumes:/var/lib/local-volumes \
    pod-logs:/var/log/pods container-logs:/var/log/containers; do
    mkdir -p "${pair#*:}"
    mount --bind "$site/disk/${pair%%:*}" "${pair#*:}" || return
  done
  # HostToContainer volumes need mounts that propagate.
  mount --make-rshared /
}

# The kubelet insists on some settings of the whole machine. It is shown files
# that hold what it wants to read, and the machine keeps what it has.
shield_sysctls() {
  local setting path wanted
  mkdir -p /run/sysctl
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    path=/proc/sys/${setting%=*} wanted=${setting#*=}
    [[ -e $path && $(<"$path") != "$wanted" ]] || continue
    echo "$wanted" >"/run/sysctl/${setting//\//.}"
    mount --bind "/run/sysctl/${setting//\//.}" "$path" || return
  done
}

configure_network() {
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
  # An address of the service range that no service has (the absent name server's
  # too) is refused at once instead of leaving its caller to a time-out.
  iptables -w 10 -A FORWARD -d "$service_cidr" -j REJECT
}

# Replaces the shell by the program of that name.
become() {
  local pki=$site/pki conf=$site/conf
  case $1 in
  etcd)
    # No fsync: a killed process loses nothing that the kernel has, and a killed site is not a power cut.
    exec etcd --name "$node" --data-dir "$site/etcd" --unsafe-no-fsync --heartbeat-interval=50 --election-timeout=250 \
      --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
      --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
      --initial-cluster "$node=http://127.0.0.1:2380"
    ;;
  containerd) exec containerd --config "$conf/containerd.toml" ;;
  apiserver)
    exec kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=0.0.0.0 \
      --advertise-address="$node_address" --service-cluster-ip-range="$service_cidr" \
      --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
      --kubelet-client-certificate="$pki/apiserver-to-kubelet.crt" --kubelet-client-key="$pki/apiserver-to-kubelet.key" \
      --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
      --service-account-issuer=https://kubernetes.default.svc.cluster.local \
      --service-account-key-file="$pki/service-accounts.pub" --service-account-signing-key-file="$pki/service-accounts.key" \
      --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
    ;;
  controller-manager)
    exec kube-controller-manager --kubeconfig="$pki/controller-manager.kubeconfig" --leader-elect=false \
      --kube-api-qps=200 --kube-api-burst=400 \
      --use-service-account-credentials=true --root-ca-file="$pki/ca.crt" \
      --service-account-private-key-file="$pki/service-accounts.key" \
      --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
    ;;
  scheduler)
    exec kube-scheduler --kubeconfig="$pki/scheduler.kubeconfig" --authentication-kubeconfig="$pki/scheduler.kubeconfig" \
      --authorization-kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false
    ;;
  kubelet)
    exec kubelet --config="$conf/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" --hostname-override="$node" \
      --node-ip="$node_address"
    ;;
  proxy) exec kube-proxy --config="$conf/proxy.yaml" ;;
  provisioner)
    exec python3 "$lab_here/provisioner/provisioner.py" --server "$api" --ca "$pki/ca.crt" \
      --certificate "$pki/admin.crt" --key "$pki/admin.key" --node "$node" --directory /var/lib/local-volumes
    ;;
  api-socket)
    # By a relative name: the path of a socket may have only 107 bytes.
    cd "$site/run" || exit
    exec socat UNIX-LISTEN:api.sock,fork,unlink-early,mode=600 TCP:127.0.0.1:6443
    ;;
  esac
  exit 127
}

start() {
  (cd / && become "$1") >>"$site/log/$1.log" 2>&1 </dev/null &
  running[$!]=$1
}

pid_of() {
  local pid
  for pid in "${!running[@]}"; do [[ ${running[$pid]} == "$1" ]] && echo "$pid"; done
}

# await PROGRAM COMMAND...: until the command succeeds, the program ends or a minute is over.
await() {
  local program=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(pid_of "$program")" 2>/dev/null || abort "$program ended while it was starting" "$program.log"
    ((SECONDS < deadline)) || abort "$program was not ready within 60 s" "$program.log"
    sleep 0.05
  done
}

import_images() {
  local image
  for image in pause bb; do
    timeout 60 ctr -n k8s.io images import "$lab_dir/images/$image.tar" || return
  done
}

# Looks once a second instead of waiting for a child: bash reaps a child that ends
# between two waits without a word, and two may end at once.
supervise() {
  local pid status program idle
  exec {idle}<> <(:)
  while :; do
    read -r -t 1 -u "$idle" || true
    for pid in "${!running[@]}"; do
      ! kill -0 "$pid" 2>/dev/null || continue
      status=0
      wait "$pid" 2>/dev/null || status=$?
      program=${running[$pid]}
      unset "running[$pid]"
      echo "$(date +%T) $program ended with status $status; starting it again"
      start "$program"
    done
  done
}

trap '' HUP INT TERM
ulimit -n "$(ulimit -Hn)"
mount_node || abort "a mount failed" node.log
shield_sysctls || abort "hiding the machine's settings failed" node.log
configure_network || abort "configuring the network failed" node.log
stage "namespaces"

start etcd
start containerd
await etcd curl -sf --max-time 2 http://127.0.0.1:2379/health
stage "etcd"
start apiserver # not before etcd: its back-off would cost a minute
start api-socket
await containerd timeout 5 ctr version
import_images || abort "importing the node's own images failed" node.log
stage "containerd, images"
await apiserver curl -skf --max-time 5 "$api/readyz"
stage "kube-apiserver"
for program in controller-manager scheduler kubelet proxy provisioner; do start "$program"; done
stage "started"
supervise
