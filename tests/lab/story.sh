# shellcheck shell=bash
# Sourced by the stories: one lab directory and lock for each, checks that are counted, sites, the image of holdfast, an
# S3 server in the hub. What a story started ends with it, however it ends.
#
#   story_begin NAME SITE...      first; the story has these sites, and its files are in $HOLDFAST_LAB_DIR
#   story_end                     last; prints the count
# HOLDFAST_PROGRAMS names a directory with the program; without it build/release is brought up to date and taken.
# HOLDFAST_STORY_KEEP=1 leaves sites and server up.

story_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
story_top=$(cd "$story_here/../.." && pwd)
cluster=$story_here/cluster.sh
programs=${HOLDFAST_PROGRAMS:-$story_top/build/release}
hub_address=10.88.0.1
passed=0
story_stores=()
story_pids=() # what a story has in the background

step() { echo "--- $* ($SECONDS s)" >&2; }
die() { echo "FAILED: $*" >&2; exit 1; }

# check TEXT COMMAND...: the story ends where the command fails.
check() {
  local what=$1
  shift
  "$@" || die "$what"
  passed=$((passed + 1))
  echo "ok: $what"
}

# within SECONDS COMMAND...: until the command succeeds
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}
is() { [[ $1 == "$2" ]] || { printf 'got:\n%s\nwanted:\n%s\n' "$1" "$2" >&2; return 1; }; }
has() { [[ $1 == *"$2"* ]] || { printf 'got:\n%s\nwanted in it:\n%s\n' "$1" "$2" >&2; return 1; }; }
fails() { ! "$@" >/dev/null 2>&1; }
# ends_with CODE COMMAND...
ends_with() {
  local code=0
  "${@:2}" || code=$?
  is "$code" "$1"
}
quietly() { "$@" >/dev/null 2>&1; }
# same FILE_GOT FILE_WANTED
same() { diff -u "$2" "$1" >&2; }

story_end_processes() {
  local number store
  for number in "${story_pids[@]}"; do kill "$number" 2>/dev/null || true; done
  [[ ${HOLDFAST_STORY_KEEP:-} != 1 ]] || return 0
  for store in "${story_stores[@]}"; do "$story_top/tests/peers/s3_servers.sh" stop "$store" || true; done
  for number in "${story_sites[@]}"; do "$cluster" down "$number" "$@" || true; done
}

story_at_exit() {
  local status=$?
  trap - EXIT
  if [[ $status -ne 0 ]]; then
    echo "$story_name: failed; logs are kept in $HOLDFAST_LAB_DIR" >&2
    story_end_processes
  else
    story_end_processes --wipe
    [[ ${HOLDFAST_STORY_KEEP:-} == 1 ]] || rm -rf --one-file-system "$HOLDFAST_LAB_DIR"
  fi
  exit $status
}

story_begin() {
  local number old
  story_name=$1
  shift
  story_sites=("$@")
  site=$1
  [[ $(id -u) -eq 0 ]] || die "the lab needs root"
  # A fixed place, so that a run that was broken off is swept up by the next one.
  export HOLDFAST_LAB_DIR=${HOLDFAST_STORY_DIR:-${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/lab-$story_name}
  mkdir -p "$HOLDFAST_LAB_DIR"
  exec {story_lock}>"$HOLDFAST_LAB_DIR.lock"
  flock -w 60 "$story_lock" || die "another $story_name is running"
  if [[ -z ${HOLDFAST_PROGRAMS:-} ]]; then
    "$story_top/dev" build release holdfast
    "$story_top/dev" packages demo test
  fi
  "$story_top/tests/peers/peers.sh" build versitygw
  for old in "$HOLDFAST_LAB_DIR"/store*; do
    [[ ! -d $old ]] || "$story_top/tests/peers/s3_servers.sh" stop "$old"
  done
  for number in "${story_sites[@]}"; do "$cluster" down "$number" --wipe; done
  rm -rf --one-file-system "$HOLDFAST_LAB_DIR"
  work=$HOLDFAST_LAB_DIR/work
  mkdir -p "$work"
  trap story_at_exit EXIT
}

story_end() { echo "$passed passed, 0 failed"; }

# What a site is asked; $site is the one that is meant.
kubectl() { "$HOLDFAST_LAB_DIR/bin/kubectl" --kubeconfig "$HOLDFAST_LAB_DIR/kubeconfig-$site" --request-timeout=60s "$@"; }
# From the hub, where the signed addresses of the store can be reached.
holdfast() { "$cluster" hub "$programs/holdfast" --kubeconfig "$HOLDFAST_LAB_DIR/kubeconfig-$site.hub" "$@"; }

# make_image NAME PROGRAM...: localhost/NAME:lab into $work/NAME.tar
make_image() {
  local name=$1
  shift
  "$story_top/tools/image.sh" "$work/$name" "${@/#/$programs/}"
  python3 "$story_here/oci_image.py" "$work/$name.tar" "localhost/$name:lab" "$work/$name"
}

# start_store DIR PORT: versitygw at the hub; the keys are $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY. Buckets are
# directories below DIR/data. It must not hold our lock, or a run after one that was killed would wait for it.
start_store() {
  story_stores+=("$1")
  "$cluster" hub "$story_top/tests/peers/s3_servers.sh" start versitygw "$1" "$2" --bind $hub_address {story_lock}>&-
}

# write_credentials FILE
write_credentials() {
  (umask 077
    printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$1")
}

# What lies in a directory, as tests/fixtures/velero/VERSION/data was listed: checksums; types, modes, owners and link
# targets of what is no file; modes, owners, times and link counts of files.
listing_script='find . -type f -exec sha256sum {} +
find . ! -type f -exec stat -c "%F %a %u:%g %N" {} +
find . -type f -exec stat -c "%a %u:%g %Y %h %n" {} +'
# Without the volume's own directory, which no snapshot holds, and the marks of restores: a pod's wait container may
# remove them only when it runs as root; Velero's leaves them too.
in_order() { grep -v -e ' \./\.velero' -e ' \.$' | LC_ALL=C sort; }
# list_pod NAMESPACE POD DIRECTORY
list_pod() { kubectl -n "$1" exec "$2" -- sh -c "cd $3 && $listing_script" 2>/dev/null | in_order; }
# list_directory DIRECTORY: with the same tools
list_directory() {
  [[ -d $work/applets ]] || { mkdir "$work/applets" && busybox --install -s "$work/applets"; }
  (cd "$1" && PATH=$work/applets sh -c "$listing_script") | in_order
}
