#!/usr/bin/env bash
# Runs a command in a fresh clone on a bare Debian 12: the system that debootstrap makes, with git and nothing else.
# The root is entered with its own mount and pid namespaces and pivot_root; of this machine it has the kernel, the
# network, apt's sources and the certificates that they need.
#
# usage: tests/bare/run.sh [--root DIR] [--keep] [COMMAND...]       (default: ./dev demo)
#   --root DIR  where the system is made (default: a directory under $TMPDIR, removed afterwards)
#   --keep      leave it for a next run, which then uses it as it is; the clone is made anew
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
root='' keep=''
while (($#)); do
  case $1 in
    --root) root=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) break ;;
  esac
done
(($#)) || set -- ./dev demo
((EUID == 0)) || { echo "bare/run.sh: needs root for mounts and debootstrap" >&2; exit 1; }
[[ -n $root ]] || root=$(mktemp -d "${TMPDIR:-/tmp}/hf-bare.XXXXXX")
mkdir -p "$root"
[[ -e $root/.holdfast-bare || -z $(ls -A "$root") ]] || { echo "bare/run.sh: $root holds something else" >&2; exit 1; }
root=$(cd "$root" && pwd)

trap '[[ -n $keep && -e $root/.holdfast-bare ]] || rm -rf --one-file-system "$root"' EXIT

mirror() {  # the first archive among this machine's sources
  { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
    sed -nE 's/^deb (\[[^]]*\] )?([^ ]+).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list; } 2>/dev/null | head -n 1
}

make_system() {
  "$checkout/dev" packages bare
  echo "making a bare Debian 12 in $root" >&2
  debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$(mirror)" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; echo "bare/run.sh: debootstrap failed, log in $root.log" >&2; exit 1; }
  rm -f "$root.log" "$root/etc/apt/sources.list"
  local name
  for name in sources.list sources.list.d auth.conf auth.conf.d trusted.gpg.d; do
    [[ ! -e /etc/apt/$name ]] || cp -a "/etc/apt/$name" "$root/etc/apt/"
  done
  { grep -hsE '^Acquire::' /etc/apt/apt.conf /etc/apt/apt.conf.d/* || true; } >"$root/etc/apt/apt.conf.d/50machine"
  cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
  chroot "$root" update-ca-certificates >/dev/null 2>&1
  touch "$root/.holdfast-bare"
}

[[ -e $root/.holdfast-bare ]] || make_system
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
[[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$root/etc/pip.conf"
rm -rf "$root/srv/holdfast"
git clone -q "$checkout" "$root/srv/holdfast"
git -C "$root/srv/holdfast" remote remove origin

# inside: what the new namespaces do before the command
inside=$(cat <<'SH'
set -euo pipefail
root=$1
shift
mount --make-rprivate /
mount --rbind "$root" "$root"
mount --make-rslave "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old 2>/dev/null || true
cd /srv/holdfast
exec "$@"
SH
)
# unshare passes no signal on; with its end the namespace ends.
trap 'kill -KILL "$child"' INT TERM
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" CI="${CI:-}" \
  unshare --mount --pid --fork --kill-child bash -c "$inside" bash "$root" "$@" &
child=$!
status=0
wait "$child" || status=$?
exit "$status"
