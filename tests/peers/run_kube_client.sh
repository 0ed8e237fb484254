#!/usr/bin/env bash
# Runs a test program of the Kubernetes client against a real kube-apiserver on loopback, with etcd behind it.
#   run_kube_client.sh PROGRAM [ARGUMENTS...]      PROGRAM gets the path of a kubeconfig as its first argument
# Exit 77 with a reason when etcd or the toolchain of the Kubernetes peer is missing; with CI=true that is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -ge 1 ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
program=$1
shift

skip() {
  echo "skipped: $1"
  [[ ${CI:-} != true ]] || exit 1
  exit 77
}

command -v etcd >/dev/null || skip "kubernetes: etcd is not installed (package etcd-server)"
command -v openssl >/dev/null || skip "kubernetes: openssl is not installed"
if ! reason=$("$here/peers.sh" build kubernetes 2>&1); then
  echo "$reason" >&2
  exit 1
fi
[[ $reason != skipped:* ]] || skip "${reason#skipped: }"
peer=$("$here/peers.sh" path kubernetes)

dir=$(mktemp -d)
pids=()
finish() {
  local pid
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

read -r etcd_client etcd_peer api < <(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))')

etcd --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$etcd_client" --advertise-client-urls "http://127.0.0.1:$etcd_client" \
  --listen-peer-urls "http://127.0.0.1:$etcd_peer" --initial-advertise-peer-urls "http://127.0.0.1:$etcd_peer" \
  --initial-cluster "default=http://127.0.0.1:$etcd_peer" >"$dir/etcd.log" 2>&1 &
pids+=($!)

token=$(openssl rand -hex 16)
(umask 077; echo "$token,admin,admin,system:masters" >"$dir/tokens")
openssl genrsa -out "$dir/service-accounts.key" 2048 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$dir/key.pem" \
  -out "$dir/certificate.pem" -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' 2>/dev/null
"$peer/bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_client" --bind-address=127.0.0.1 --secure-port="$api" \
  --tls-cert-file="$dir/certificate.pem" --tls-private-key-file="$dir/key.pem" --cert-dir="$dir" \
  --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --token-auth-file="$dir/tokens" --authorization-mode=RBAC \
  --service-cluster-ip-range=10.96.0.0/24 --disable-admission-plugins=ServiceAccount \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$dir/service-accounts.key" \
  --service-account-signing-key-file="$dir/service-accounts.key" >"$dir/apiserver.log" 2>&1 &
pids+=($!)

deadline=$((SECONDS + 90))
until answer=$(curl -sS -m 5 --noproxy '*' --cacert "$dir/certificate.pem" -H "Authorization: Bearer $token" \
  "https://127.0.0.1:$api/readyz" 2>&1) && [[ $answer == ok ]]; do
  if ((SECONDS > deadline)) || ! kill -0 "${pids[1]}" 2>/dev/null; then
    echo "the API server does not start: $answer" >&2
    tail -n 20 "$dir/apiserver.log" "$dir/etcd.log" >&2
    exit 1
  fi
  sleep 0.2
done

cat >"$dir/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
current-context: peer
clusters: [{name: peer, cluster: {server: "https://127.0.0.1:$api", certificate-authority: certificate.pem}}]
contexts: [{name: peer, context: {cluster: peer, user: admin}}]
users: [{name: admin, user: {token: "$token"}}]
CONFIG
"$program" "$dir/kubeconfig" "$@"
