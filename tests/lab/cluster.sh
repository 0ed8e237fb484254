#!/usr/bin/env bash
# Complete single-node Kubernetes clusters, each in network, mount, pid, ipc and
# uts namespaces of its own, joined by a bridge in the hub's namespace. See
# README.md beside this file for the commands and for what may surprise.
set -euo pipefail

# shellcheck source=tests/lab/site.sh
source "$(dirname "${BASH_SOURCE[0]}")/site.sh"
# shellcheck source=tests/lab/node_config.sh
source "$lab_here/node_config.sh"

start_limit=${HOLDFAST_LAB_TIMEOUT:-120}

usage() {
  cat <<'TEXT'
usage: cluster.sh COMMAND N [...]      N is 1..9
  up N [--openshift] [--storage-class NAME]... [--images DIR]   start, with the data it had; goes on where it was broken off
  down N [--wipe]         end, and remove everything but its data (--wipe: that too)
  kill N                  SIGKILL to the node's process 1: the whole site is lost at once
  boot N                  start again after kill, with its data
  freeze N | thaw N       stop and continue every process of the site
  cut N | join N          take the site's link to the hub down and up
  load N IMAGE.tar        import an image archive
  enter N COMMAND...      run a command on the node
  hub COMMAND...          run a command in the hub's network (needs a cluster up)
  kubeconfig N | env N    print the path of the kubeconfig | shell assignments to eval
  pid N                   print the process id of the node's process 1
  status                  print a line per cluster
  deps                    install the Debian packages that are missing
TEXT
}

say() { echo "cluster ${number:-}: $*" >&2; }

# fail TEXT [LOG]: ends the program; names the log and shows its end.
fail() {
  say "$1"
  if [[ -n ${2:-} ]]; then
    say "see $site/log/$2, which ends:"
    tail -n 15 "$site/log/$2" >&2 || true
  fi
  exit 1
}

# --- processes: named by pid and start time, so that a pid used again is never taken for ours

started_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'; }
remember() { echo "$2 $(started_at "$2")" >"$lab_run/$node.$1"; }

# pid_of ROLE: prints the pid if that very process is alive, else fails.
pid_of() {
  local pid start
  read -r pid start 2>/dev/null <"$lab_run/$node.$1" || return 1
  [[ -n $start && $(started_at "$pid") == "$start" ]] && echo "$pid"
}

# end ROLE: kills the process and waits until it is gone.
end() {
  local pid deadline=$((SECONDS + 30))
  while pid=$(pid_of "$1"); do
    kill -KILL "$pid" 2>/dev/null || true
    ((SECONDS < deadline)) || fail "process $pid ($1) does not end"
    sleep 0.05
  done
  rm -f "$lab_run/$node.$1"
}

in_node() {
  local pid
  pid=$(pid_of init) || fail "is not up"
  nsenter -t "$pid" -m -u -i -p -n -- "$@"
}

kubectl_host() { "$lab_dir/bin/kubectl" --kubeconfig "$lab_dir/kubeconfig-$number" --request-timeout=10s "$@"; }

# --- what must be there first

# The list is the group "lab" of tools/packages.txt.
install_packages() { "$lab_here/../../dev" packages lab >&2 || fail "Debian packages that the lab needs are missing"; }

link_programs() {
  local peer program
  peer=$("$lab_here/../peers/peers.sh" path kubernetes) || fail "needs the kubernetes peer: tests/peers/peers.sh build kubernetes"
  mkdir -p "$lab_dir/bin"
  for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
    ln -sfn "$peer/bin/$program" "$lab_dir/bin/$program.new.$$"
    mv -T "$lab_dir/bin/$program.new.$$" "$lab_dir/bin/$program"
  done
}

# The two images that every node has: the sandbox of each pod, and busybox.
make_images() {
  local work images=$lab_dir/images applet
  mkdir -p "$images"
  [[ $images/bb.tar -nt $lab_here/oci_image.py && $images/pause.tar -nt $lab_here/oci_image.py ]] && return
  work=$(mktemp -d "$images/work.XXXXXX")
  mkdir -p "$work"/pause/bin "$work"/bb/{bin,dev,etc,home,proc,root,run,sys,usr,var}
  mkdir -m 1777 "$work/bb/tmp"
  cp /bin/busybox "$work/pause/bin/sh"
  cp /bin/busybox "$work/bb/bin/busybox"
  for applet in $(/bin/busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$work/bb/bin/$applet"
  done
  ln -s bin "$work/bb/sbin"
  ln -s ../bin "$work/bb/usr/bin"
  ln -s ../bin "$work/bb/usr/sbin"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$work/bb/etc/passwd"
  echo 'root:x:0:' >"$work/bb/etc/group"
  # Process 1 of a pod: holds the namespaces, reaps, and ends when asked.
  python3 "$lab_here/oci_image.py" "$images/pause.tar" localhost/pause:1 "$work/pause" \
    /bin/sh -c 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait; done'
  python3 "$lab_here/oci_image.py" "$images/bb.tar" localhost/bb:1 "$work/bb"
  rm -rf "$work"
}

# --- network and cgroups

# Runs a command while holding the machine-wide lock on the hub.
with_hub_lock() { (flock -w 60 9 || fail "the hub stays locked"; "$@") 9>"$lab_run/hub.lock"; }

hub_up() {
  [[ -e /run/netns/$hub_ns ]] || ip netns add $hub_ns
  ip -n $hub_ns link show $hub_bridge >/dev/null 2>&1 || ip -n $hub_ns link add $hub_bridge type bridge
  ip -n $hub_ns addr replace $hub_address/24 dev $hub_bridge
  ip -n $hub_ns link set lo up
  ip -n $hub_ns link set $hub_bridge up
}

# The hub goes with its last site, unless somebody still runs something in it.
hub_down() {
  [[ -e /run/netns/$hub_ns ]] || return 0
  [[ -z $(ip -n $hub_ns -o link show master $hub_bridge 2>/dev/null) && -z $(ip netns pids $hub_ns) ]] || return 0
  ip netns del $hub_ns
}

link_up() {
  ip netns add "$node"
  # A MAC of its own choice would change at each boot, and neighbours would believe the old one for a minute.
  ip -n "$node" link add eth0 address "$node_mac" type veth peer name "$node" netns $hub_ns
  ip -n $hub_ns link set "$node" master $hub_bridge up
  ip -n "$node" link set lo up
  ip -n "$node" link set eth0 up
  ip -n "$node" addr add "$node_address/24" dev eth0
  ip -n "$node" route add default via $hub_address
}

link_down() {
  [[ ! -e /run/netns/$node ]] || ip netns del "$node"
  # The kernel may take its time over a dead namespace; the hub's end of the cable goes with this.
  ip -n $hub_ns link del "$node" 2>/dev/null || true
}

cgroups_up() {
  local mount controllers file
  controllers=$(cgroup_mounts)
  [[ -n $controllers ]] || fail "this machine mounts no cgroup hierarchy below /sys/fs/cgroup; a kubelet cannot run"
  for mount in $controllers; do
    if [[ -e $mount/cgroup.controllers ]]; then
      controllers=$(sed 's/\</+/g' "$mount/cgroup.controllers")
      mkdir -p "$mount/$node"
      { echo "$controllers" >"$mount/cgroup.subtree_control" && echo "$controllers" >"$mount/$node/cgroup.subtree_control"; } \
        || fail "the controllers '$controllers' cannot be enabled below $mount"
      continue
    fi
    mkdir -p "$mount/$node"
    for file in cpuset.cpus cpuset.mems; do # a v1 cpuset starts empty and takes no process then
      [[ ! -e $mount/$file ]] || cat "$mount/$file" >"$mount/$node/$file"
    done
  done
}

cgroups_down() {
  local left deadline=$((SECONDS + 15))
  while left=$(cgroup_leftovers) && [[ -n $left ]]; do
    # shellcheck disable=SC2086
    find $left -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -n $(cgroup_leftovers) ]] || return 0
    ((SECONDS < deadline)) || fail "these cgroups cannot be removed: $left"
    sleep 0.1
  done
}

# --- life of a site

# Two labs on one machine share the names of namespaces: only one may have site N.
claim() {
  local owner
  owner=$(cat "$lab_run/$node.owner" 2>/dev/null || true)
  if [[ -n $owner && $owner != "$site" ]] && pid_of init >/dev/null; then
    fail "is up with its data in $owner; use another number or end it there"
  fi
  echo "$site" >"$lab_run/$node.owner"
}

mine() { [[ $(cat "$lab_run/$node.owner" 2>/dev/null || true) == "$site" ]]; }

# Ends all that may be left of the site, whatever state it is in.
sweep() {
  end forwarder
  end init
  end keeper
  link_down
  cgroups_down
}

# Replaces the (sub)shell by a program that keeps nothing of the caller open: no
# lock of ours, and no pipe that somebody reads to its end.
detached() {
  local path
  for path in /proc/self/fd/*; do
    if ((${path##*/} > 2)); then eval "exec ${path##*/}>&-"; fi
  done
  exec setsid "$@" </dev/null
}

start_node() {
  local keeper init deadline log
  for log in "$site"/log/*.log; do [[ ! -s $log ]] || mv "$log" "$log.1"; done
  : >"$site/run/stages"
  rm -f "$site/run/api.sock"
  export HOLDFAST_LAB_DIR=$lab_dir
  PATH=$lab_dir/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    detached nsenter --net="/run/netns/$node" unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc \
    --propagation private bash "$lab_here/node_init.sh" "$number" >"$site/log/node.log" 2>&1 &
  keeper=$!
  remember keeper $keeper
  deadline=$((SECONDS + 10))
  until init=$(pgrep -P $keeper); do
    kill -0 $keeper 2>/dev/null || fail "the namespaces could not be made" node.log
    ((SECONDS < deadline)) || fail "the namespaces were not there within 10 s" node.log
    sleep 0.02
  done
  remember init "$init"
  cd "$site/run"
  detached socat TCP-LISTEN:"$host_port",bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:api.sock >"$site/log/forwarder.log" 2>&1 &
  remember forwarder $!
  cd "$lab_dir"
}

elapsed() { awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", to - from }'; }

# Follows run/stages until the node says that it has started all.
follow_stages() {
  local line shown=0 lines deadline=$((SECONDS + start_limit))
  while :; do
    mapfile -t lines <"$site/run/stages"
    for line in "${lines[@]:shown}"; do
      shown=$((shown + 1))
      case $line in
      "at started") return 0 ;;
      at\ *) say "$(elapsed): ${line#at }" ;;
      failed\ *) line=${line#failed }; fail "${line% | *}" "${line#* | }" ;;
      esac
    done
    pid_of init >/dev/null || fail "the node's process 1 ended" node.log
    ((SECONDS < deadline)) || fail "the node did not start within $start_limit s" node.log
    sleep 0.05
  done
}

# Ready, and said so after this start: what the API server remembers from before does not count.
node_is_ready() {
  local state
  state=$(kubectl_host get node "$node" \
    -o 'jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}' 2>/dev/null) || return 1
  [[ $state == "True "* && ! ${state#True } < $began_utc ]]
}

await_ready() {
  local deadline=$((SECONDS + start_limit))
  until node_is_ready; do
    pid_of forwarder >/dev/null || fail "the port $host_port on the loopback cannot be used" forwarder.log
    ((SECONDS < deadline)) || fail "the node was not Ready within $start_limit s" kubelet.log
    sleep 0.1
  done
  # Without its service account no pod can be made in the namespace.
  kubectl_host wait --for=create --timeout=60s serviceaccount/default >"$site/log/wait.log" 2>&1 \
    || fail "namespace default got no service account" controller-manager.log
  say "$(elapsed): node $node is Ready"
}

start_site() {
  began=$EPOCHREALTIME
  began_utc=$(date -u +%FT%TZ)
  sweep
  write_configuration
  with_hub_lock make_images
  with_hub_lock hub_up
  link_up
  cgroups_up
  start_node
  follow_stages
  await_ready
}

storage_class() {
  cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: $1
  annotations: {storageclass.kubernetes.io/is-default-class: "$2"}
provisioner: holdfast.dev/lab-local
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Delete
YAML
}

import_image() {
  [[ -f $1 ]] || fail "there is no image archive $1"
  in_node timeout 300 ctr -n k8s.io images import - <"$1" >/dev/null || fail "importing $1 failed" containerd.log
}

up() {
  local openshift=0 images='' classes=() class default=true image
  while [[ $# -gt 0 ]]; do
    case $1 in
    --openshift) openshift=1; shift ;;
    --storage-class) classes+=("${2:?--storage-class needs a name}"); shift 2 ;;
    --images) images=${2:?--images needs a directory}; shift 2 ;;
    *) fail "up has no option '$1'" ;;
    esac
  done
  [[ -z $images || -d $images ]] || fail "there is no directory $images"
  install_packages
  link_programs
  claim
  if pid_of init >/dev/null && pid_of forwarder >/dev/null && grep -q '^at started$' "$site/run/stages"; then
    began=$EPOCHREALTIME began_utc=''
    await_ready
  else
    start_site
  fi
  [[ ${#classes[@]} -gt 0 ]] || classes=(hf-local)
  for class in "${classes[@]}"; do
    storage_class "$class" $default | kubectl_host apply -f - >/dev/null || fail "making storage class $class failed" apiserver.log
    default=false
  done
  if [[ $openshift -eq 1 ]]; then
    kubectl_host apply -f "$lab_here/openshift/crds.yaml" >/dev/null || fail "installing OpenShift's kinds failed" apiserver.log
    kubectl_host wait --for=condition=Established --timeout=30s -f "$lab_here/openshift/crds.yaml" >"$site/log/wait.log" 2>&1 \
      || fail "OpenShift's kinds are not served" apiserver.log
  fi
  if [[ -n $images ]]; then
    for image in "$images"/*.tar; do import_image "$image"; done
  fi
  say "kubectl --kubeconfig $lab_dir/kubeconfig-$number get pods -A"
}

boot() {
  [[ -d $site/pki ]] || fail "has no data in $site; use up"
  pid_of init >/dev/null && fail "is up already"
  link_programs
  claim
  start_site
}

lose() {
  mine || fail "is not up"
  sweep
}

down() {
  [[ ${1:-} == '' || $1 == --wipe ]] || fail "down has no option '$1'"
  if mine; then
    sweep
    rm -f "$lab_run/$node.owner"
    with_hub_lock hub_down
  fi
  rm -f "$site/run/api.sock" "$site/run/stages"
  if [[ ${1:-} == --wipe ]]; then
    rm -rf --one-file-system "$site" "$lab_dir/kubeconfig-$number" "$lab_dir/kubeconfig-$number.hub"
  fi
}

# kill(-1) inside the pid namespace reaches all of it at once, forks in progress
# included; only process 1 and the sender are left out.
signal_all() {
  local init
  init=$(pid_of init) || fail "is not up"
  if [[ $1 == STOP ]]; then kill -STOP "$init"; fi
  nsenter -t "$init" -p -- bash -c "kill -$1 -1" || fail "sending SIG$1 to the site failed"
  if [[ $1 == CONT ]]; then kill -CONT "$init"; fi
}

set_link() {
  pid_of init >/dev/null || fail "is not up"
  ip -n $hub_ns link set "$node" "$1"
}

status() {
  local state
  for number in 1 2 3 4 5 6 7 8 9; do
    site_set $number
    state=absent
    [[ ! -d $site/pki ]] || state=down
    if mine && pid_of init >/dev/null; then
      state=up
      [[ $(ip -n $hub_ns link show "$node") == *"<"*",UP"* ]] || state="cut"
      [[ $(awk '/^State/ { print $2 }' "/proc/$(pid_of init)/status") != T ]] || state=frozen
    fi
    [[ $state == absent ]] || echo "$number $state $node_address 127.0.0.1:$host_port $site"
  done
}

main() {
  local command=${1:-help}
  shift || true
  case $command in
  help | -h | --help) usage; return ;;
  up | down | kill | boot | freeze | thaw | cut | join | load | enter | kubeconfig | env | pid)
    site_set "${1:-}" || { usage >&2; exit 2; }
    shift
    ;;
  hub | status | deps) number='' ;;
  *) usage >&2; exit 2 ;;
  esac
  # shellcheck disable=SC2016
  case $command in
  kubeconfig) echo "$lab_dir/kubeconfig-$number"; return ;;
  env) printf 'export KUBECONFIG=%q PATH=%q:$PATH\n' "$lab_dir/kubeconfig-$number" "$lab_dir/bin"; return ;;
  esac
  [[ $(id -u) -eq 0 ]] || fail "needs root: it makes namespaces, mounts and cgroups"
  mkdir -p "$lab_run"
  case $command in
  deps) install_packages ;;
  status) status ;;
  hub) exec nsenter --net=/run/netns/$hub_ns -- "$@" ;;
  pid) pid_of init || fail "is not up" ;;
  enter) in_node "$@" ;;
  load) import_image "${1:?load needs an image archive}" ;;
  freeze) signal_all STOP ;;
  thaw) signal_all CONT ;;
  cut) set_link down ;;
  join) set_link up ;;
  up | down | kill | boot)
    exec 8>"$lab_run/$node.lock"
    flock -w $((2 * start_limit)) 8 || fail "stays locked by another cluster.sh"
    mkdir -p "$site/log"
    case $command in kill) lose ;; *) "$command" "$@" ;; esac
    ;;
  esac
}

main "$@"
