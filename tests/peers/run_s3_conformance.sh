#!/usr/bin/env bash
# Runs a test program of the s3 driver against a real S3 server.
#   run_s3_conformance.sh versitygw|versitygw-tls|moto PROGRAM [ARGUMENTS...]
# Exit 77 with a reason when the peer is not built because its toolchain is missing; with CI=true that is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -ge 2 ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
peer=$1 program=$2
shift 2
server=${peer%-tls}

if ! reason=$("$here/peers.sh" build "$server" 2>&1); then
  echo "$reason" >&2
  exit 1
fi
if [[ $reason == skipped:* ]]; then
  echo "$reason"
  [[ ${CI:-} != true ]] || exit 1
  exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
options=()
if [[ $peer == *-tls ]]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$dir/key.pem" \
    -out "$dir/certificate.pem" -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' 2>/dev/null
  options=(--tls "$dir/certificate.pem" "$dir/key.pem")
  export HOLDFAST_S3_CA=$dir/certificate.pem
fi
export HOLDFAST_S3_SERVER=$server
export AWS_ACCESS_KEY_ID=holdfast AWS_SECRET_ACCESS_KEY=holdfast-secret
"$here/s3_servers.sh" run "$server" "$dir/server" 0 "${options[@]}" -- "$program" "$@"
