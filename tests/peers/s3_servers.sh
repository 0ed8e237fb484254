#!/usr/bin/env bash
# Starts and stops S3 servers that others wrote, for tests of the s3 driver.
#
#   s3_servers.sh start versitygw|moto DIR PORT [--bind ADDRESS] [--tls CERTIFICATE KEY]
#                           prints the endpoint when the server answers; PORT 0 takes a free one
#   s3_servers.sh stop DIR  ends the server that was started in DIR
#   s3_servers.sh run versitygw|moto DIR PORT [options] -- COMMAND...
#                           start, COMMAND with HOLDFAST_S3_ENDPOINT set, stop; exits as COMMAND did
#
# The keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment
# (default: holdfast, holdfast-secret), the region is us-east-1. versitygw keeps
# its buckets below DIR/data and checks signatures; moto keeps everything in
# memory and takes any keys. Exit 3: the peer is not built.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() { echo "s3_servers.sh: $*" >&2; exit 1; }

usage() {
  sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# The start time of a process that is alive and no zombie: with the pid, its identity.
started_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'; }

# server_pid DIR: prints the pid when the server of DIR runs, else fails.
server_pid() {
  local pid start
  read -r pid start 2>/dev/null <"$1/server.pid" || return 1
  [[ -n $start && $(started_at "$pid") == "$start" ]] && echo "$pid"
}

free_port() {
  python3 -c 'import socket, sys; s = socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[1])' "$1"
}

# serve KIND DIR: replaces the shell by the server. Secrets go by the environment, which only its owner can read.
serve() {
  local program=$peer/bin
  case $1 in
  versitygw)
    export ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    mkdir -p "$2/data" "$2/versions"
    exec "$program/versitygw" --port "$bind:$port" --region us-east-1 --health /health --keep-alive \
      ${certificate:+--cert "$certificate" --key "$key"} posix --versioning-dir "$2/versions" "$2/data"
    ;;
  moto) exec "$program/moto_server" -H "$bind" -p "$port" ${certificate:+-c "$certificate" -k "$key"} ;;
  esac
}

start() {
  local kind=$1 dir=$2 port=$3 bind=127.0.0.1 certificate='' key='' peer pid scheme=http path=/ deadline
  shift 3
  while [[ $# -gt 0 ]]; do
    case $1 in
    --bind) bind=${2:?--bind needs an address}; shift 2 ;;
    --tls) certificate=${2:?--tls needs a certificate} key=${3:?--tls needs a key} scheme=https; shift 3 ;;
    *) die "start has no option '$1'" ;;
    esac
  done
  case $kind in
  versitygw) path=/health ;;
  moto) path=/moto-api/ ;;
  *) die "there is no server '$kind' (there are: versitygw, moto)" ;;
  esac
  peer=$("$here/peers.sh" path "$kind") || exit 3
  mkdir -p "$dir"
  ! pid=$(server_pid "$dir") || die "process $pid already serves $dir"
  [[ $port != 0 ]] || port=$(free_port "$bind")
  export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-holdfast} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-holdfast-secret}
  (serve "$kind" "$dir") </dev/null >"$dir/server.log" 2>&1 &
  pid=$!
  echo "$pid $(started_at $pid)" >"$dir/server.pid"
  deadline=$((SECONDS + 30))
  until curl --noproxy '*' -skf --max-time 5 -o /dev/null "$scheme://$bind:$port$path"; do
    if ! server_pid "$dir" >/dev/null || ((SECONDS >= deadline)); then
      tail -n 15 "$dir/server.log" >&2
      stop "$dir"
      die "$kind does not answer at $scheme://$bind:$port; see $dir/server.log"
    fi
    sleep 0.05
  done
  # Another server on that port may have answered while ours was failing to bind it.
  server_pid "$dir" >/dev/null || die "$kind ended; see $dir/server.log"
  endpoint=$scheme://$bind:$port
}

stop() {
  local pid deadline=$((SECONDS + 10)) signal=TERM
  while pid=$(server_pid "$1"); do
    kill -$signal "$pid" 2>/dev/null || true
    sleep 0.05
    ((SECONDS < deadline)) || signal=KILL
  done
  rm -f "$1/server.pid"
}

run() {
  local dir=$2 options=()
  while [[ $# -gt 0 && $1 != -- ]]; do options+=("$1"); shift; done
  [[ $# -ge 2 ]] || usage
  shift
  ! server_pid "$dir" >/dev/null || die "a server runs in $dir already"
  # shellcheck disable=SC2064
  trap "stop $(printf %q "$dir")" EXIT
  trap 'exit 130' INT TERM
  start "${options[@]}"
  HOLDFAST_S3_ENDPOINT=$endpoint "$@"
}

case ${1:-} in
start)
  [[ $# -ge 4 ]] || usage
  start "${@:2}"
  echo "$endpoint"
  ;;
stop)
  [[ $# -eq 2 ]] || usage
  stop "$2"
  ;;
run)
  [[ $# -ge 4 ]] || usage
  run "${@:2}"
  ;;
*) usage ;;
esac
