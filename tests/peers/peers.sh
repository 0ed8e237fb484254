#!/usr/bin/env bash
# Builds the test peers that Debian does not package and keeps them outside the
# checkout, one directory per peer, version and recipe:
#   ${HOLDFAST_CACHE:-~/.cache/holdfast}/peers/NAME-VERSION-RECIPE/bin/...
#
#   peers.sh build [NAME...]   build what is missing, one line per peer
#   peers.sh path NAME         the directory of a built peer, or exit 1
#   peers.sh list              every peer, its version and whether it is built
#
# A directory appears by rename when it is whole, so an interrupted build leaves
# nothing that looks finished, and the next one goes on from the compiler's own
# cache. A peer whose toolchain is missing is skipped; with CI=true that fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/peers

# What `build` without names makes. The others are built when named.
default_peers=(kubernetes versitygw moto)
all_peers=("${default_peers[@]}" velero)

declare -A version=(
  [kubernetes]=1.36.3
  [versitygw]=1.8.0
  [moto]=5.2.5
  [velero]=1.14.0
)
declare -A toolchain=([kubernetes]=go [versitygw]=go [moto]=python [velero]=go)

die() { echo "peers.sh: $*" >&2; exit 1; }

known() { [[ -n ${version[$1]:-} ]] || die "there is no peer named '$1' (there are: ${all_peers[*]})"; }

# A change of the recipe (a peer's folder here) makes a new directory: two
# checkouts with different recipes do not rebuild each other's peers.
recipe_of() {
  local files=()
  [[ -d $here/$1 ]] && mapfile -t files < <(find "$here/$1" -type f | LC_ALL=C sort)
  { declare -f "make_$1"; [[ ${#files[@]} -eq 0 ]] || cat "${files[@]}"; } | sha256sum | cut -c1-8
}

dir_of() { echo "$cache/$1-${version[$1]}-$(recipe_of "$1")"; }

# Prints why a toolchain cannot be used; prints nothing when it can.
lacking() {
  case $1 in
  go)
    command -v go >/dev/null || { echo "go is not installed"; return; }
    local have
    have=$(go env GOVERSION 2>/dev/null) || { echo "'go env' fails"; return; }
    # From 1.21 on, go fetches the newer toolchain that a go.mod asks for.
    [[ $(printf '%s\n' go1.21 "$have" | sort -V | head -1) == go1.21 ]] || echo "$have is older than go1.21"
    ;;
  python)
    command -v python3 >/dev/null || { echo "python3 is not installed"; return; }
    python3 -c 'import venv, ensurepip' 2>/dev/null || echo "python3-venv is not installed"
    ;;
  esac
}

# At most two compilers, and behind whatever else the machine is doing.
gently() { nice -n 10 "$@"; }

# go_build OUT_DIR MODULE_DIR ARGS...: builds packages of a module kept here, with exactly its go.sum.
go_build() {
  local out=$1 module=$2
  shift 2
  (cd "$module" && CGO_ENABLED=0 GOFLAGS='' gently go build -mod=readonly -buildvcs=false -trimpath -p 2 -o "$out/" "$@")
}

make_kubernetes() {
  local v=${version[kubernetes]} stamp=k8s.io/component-base/version name
  local minor=${v#1.}
  go_build "$1/bin" "$here/kubernetes" -ldflags "-s -w -X $stamp.gitVersion=v$v -X $stamp.gitMajor=1 \
    -X $stamp.gitMinor=${minor%.*} -X $stamp.gitTreeState=clean -X $stamp.gitCommit=module" .
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
    ln -s kubernetes "$1/bin/$name"
  done
  "$1/bin/kubectl" version --client | grep -q "v$v"
}

make_versitygw() {
  go_build "$1/bin" "$here/versitygw" -ldflags "-s -w -X main.Version=v${version[versitygw]}" \
    github.com/versity/versitygw/cmd/versitygw
  "$1/bin/versitygw" --version
}

make_moto() {
  python3 -m venv "$1/venv"
  gently "$1/venv/bin/python" -m pip install --disable-pip-version-check --no-input -r "$here/moto/requirements.txt"
  # Started as a module: the scripts that pip writes name the directory of the build.
  cat >"$1/bin/moto_server" <<'LAUNCHER'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/../venv/bin/python" -m moto.server "$@"
LAUNCHER
  chmod 755 "$1/bin/moto_server"
  "$1/bin/moto_server" --help >/dev/null
}

make_velero() {
  local stamp=github.com/vmware-tanzu/velero/pkg/buildinfo
  go_build "$1/bin" "$here/velero" -ldflags "-s -w -X $stamp.Version=v${version[velero]}" \
    github.com/vmware-tanzu/velero/cmd/velero github.com/vmware-tanzu/velero/cmd/velero-restore-helper
  go_build "$1/bin" "$here/velero/aws" -ldflags "-s -w" github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws
  "$1/bin/velero" version --client-only | grep -q "v${version[velero]}"
}

# build_one NAME: one line on standard output; returns 1 when the build failed, 2 when it was skipped.
build_one() {
  local name=$1 dir reason started temp log=$cache/log/$1.log
  dir=$(dir_of "$name")
  if [[ -d $dir ]]; then
    echo "cached   $name ${version[$name]}"
    return 0
  fi
  reason=$(lacking "${toolchain[$name]}")
  if [[ -n $reason ]]; then
    echo "skipped: $name ${version[$name]}: $reason"
    return 2
  fi
  mkdir -p "$cache/log"
  exec {lock}>"$cache/.lock-$name"
  flock -n "$lock" || { echo "peers.sh: $name is being built by another process; waiting for it" >&2; flock "$lock"; }
  if [[ -d $dir ]]; then
    echo "cached   $name ${version[$name]}"
    exec {lock}>&-
    return 0
  fi
  started=$SECONDS
  rm -rf "$cache/.tmp-$name".*
  temp=$(mktemp -d "$cache/.tmp-$name.XXXXXX")
  chmod 755 "$temp"
  mkdir "$temp/bin"
  echo "peers.sh: building $name ${version[$name]}, log in $log" >&2
  # The build runs in a shell of its own: `set -e` has no effect under a condition.
  if bash "${BASH_SOURCE[0]}" make "$name" "$temp" >"$log" 2>&1 {lock}>&-; then
    mv -T "$temp" "$dir"
    echo "built    $name ${version[$name]} ($((SECONDS - started)) s)"
    exec {lock}>&-
    return 0
  fi
  rm -rf "$temp"
  exec {lock}>&-
  echo "failed:  $name ${version[$name]}: see $log"
  tail -n 20 "$log" >&2
  return 1
}

build() {
  local name rc failed=0 skipped=0
  [[ $# -gt 0 ]] || set -- "${default_peers[@]}"
  for name in "$@"; do known "$name"; done
  for name in "$@"; do
    rc=0
    build_one "$name" || rc=$?
    case $rc in
    0) ;;
    2) skipped=1 ;;
    *) failed=1 ;;
    esac
  done
  [[ $failed -eq 0 ]] || return 1
  if [[ $skipped -eq 1 && ${CI:-} == true ]]; then
    echo "peers.sh: CI=true does not allow a skipped peer" >&2
    return 1
  fi
}

case ${1:-} in
build)
  shift
  build "$@"
  ;;
path)
  [[ $# -eq 2 ]] || die "usage: peers.sh path NAME"
  known "$2"
  dir=$(dir_of "$2")
  [[ -d $dir ]] || die "$2 ${version[$2]} is not built; run: peers.sh build $2"
  echo "$dir"
  ;;
list)
  for name in "${all_peers[@]}"; do
    dir=$(dir_of "$name")
    state=missing
    [[ -d $dir ]] && state=built
    printf '%-12s %-8s %-8s %s\n' "$name" "${version[$name]}" "$state" "$dir"
  done
  ;;
make) # internal: peers.sh make NAME EMPTY_DIR
  known "$2"
  "make_$2" "$3"
  ;;
*) die "usage: peers.sh build [NAME...] | path NAME | list" ;;
esac
