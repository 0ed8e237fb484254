# shellcheck shell=bash disable=SC2034
# Sourced by the lab's scripts: where site number N keeps its files, what its
# namespaces are called and which addresses it has. One place for both sides of
# the namespace border, so that nothing has to be passed twice.

lab_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_dir=${HOLDFAST_LAB_DIR:-${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/lab}
# What belongs to the running machine and not to the data: locks, owners, pids.
lab_run=/run/holdfast-lab

hub_ns=hf-hub
hub_bridge=hf-br0
hub_address=10.88.0.1

site_set() {
  [[ ${1:-} =~ ^[1-9]$ ]] || { echo "the number of a cluster is 1..9, not '${1:-}'" >&2; return 2; }
  number=$1
  node=hf-c$number             # name of the node, its network namespace, its hub link and its cgroup
  site=$lab_dir/c$number       # all of its files
  node_address=10.88.0.$((10 + number))
  node_mac=02:68:66:00:00:0$number
  pod_cidr=10.$((88 + number)).0.0/24
  service_cidr=10.$((100 + number)).0.0/16
  service_api=10.$((100 + number)).0.1
  service_dns=10.$((100 + number)).0.10
  host_port=$((${HOLDFAST_LAB_PORT_BASE:-16440} + number)) # the API on the host's loopback
}

# The hierarchies that a container's cgroup must exist in: every v1 hierarchy
# that is mounted, or the one v2 hierarchy when there is no v1.
cgroup_mounts() {
  local v1
  v1=$(awk '$3 == "cgroup" { print $2 }' /proc/self/mounts)
  if [[ -n $v1 ]]; then echo "$v1"; else awk '$3 == "cgroup2" { print $2 }' /proc/self/mounts; fi
}

# Every place where a cgroup of the site may be left, the v2 half of a hybrid included.
cgroup_leftovers() {
  local mount
  awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts | while read -r mount; do
    [[ -d $mount/$node ]] && echo "$mount/$node"
  done
  return 0
}
