# shellcheck shell=bash disable=SC2154
# Sourced by cluster.sh after site.sh: writes a site's keys and configuration.
# Keys are made once and stay as long as the site's data; configuration is
# written at every start.

# An empty configuration keeps the machine's openssl.cnf from adding extensions.
ssl() { OPENSSL_CONF=/dev/null openssl "$@"; }

# certificate NAME SUBJECT EXTENSIONS: NAME.key and NAME.crt, signed by the site's authority.
certificate() {
  ssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  ssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(ssl rand -hex 12)" -days 3650 -out "$1.crt" \
    -extfile <(printf '%s\n' "basicConstraints=CA:FALSE" "keyUsage=critical,digitalSignature" "$3")
  rm "$1.csr"
}

# kubeconfig FILE SERVER CERTIFICATE_NAME: everything embedded, so that the file can be carried away.
kubeconfig() {
  local temp=$1.tmp
  (
    umask 077
    cat >"$temp" <<YAML
apiVersion: v1
kind: Config
current-context: $node
contexts:
- name: $node
  context: {cluster: $node, user: $3}
clusters:
- name: $node
  cluster:
    server: $2
    certificate-authority-data: $(base64 -w0 <"$site/pki/ca.crt")
users:
- name: $3
  user:
    client-certificate-data: $(base64 -w0 <"$site/pki/$3.crt")
    client-key-data: $(base64 -w0 <"$site/pki/$3.key")
YAML
  )
  mv "$temp" "$1"
}

make_keys() {
  local serving=extendedKeyUsage=serverAuth client=extendedKeyUsage=clientAuth
  ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 3650 -subj "/CN=$node-ca" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  local names="IP:127.0.0.1,IP:$node_address,IP:$service_api,DNS:localhost,DNS:$node"
  names+=",DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate apiserver /CN=kube-apiserver "$serving"$'\n'"subjectAltName=$names"
  certificate kubelet-serving "/O=system:nodes/CN=system:node:$node" "$serving"$'\n'"subjectAltName=IP:127.0.0.1,IP:$node_address,DNS:$node"
  certificate apiserver-to-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client "$client"
  # The users whose roles every API server brings along.
  certificate admin /O=system:masters/CN=kubernetes-admin "$client"
  certificate controller-manager /CN=system:kube-controller-manager "$client"
  certificate scheduler /CN=system:kube-scheduler "$client"
  certificate proxy /CN=system:kube-proxy "$client"
  certificate kubelet "/O=system:nodes/CN=system:node:$node" "$client"
  ssl ecparam -name prime256v1 -genkey -noout -out service-accounts.key
  ssl pkey -in service-accounts.key -pubout -out service-accounts.pub
}

write_keys() {
  local part component
  if [[ ! -d $site/pki ]]; then
    part=$site/pki.part
    rm -rf "$part"
    (umask 077 && mkdir -p "$part")
    (cd "$part" && make_keys) >"$site/log/keys.log" 2>&1 || fail "making the keys failed" keys.log
    mv "$part" "$site/pki"
  fi
  for component in admin controller-manager scheduler proxy kubelet; do
    kubeconfig "$site/pki/$component.kubeconfig" https://127.0.0.1:6443 "$component"
  done
  kubeconfig "$lab_dir/kubeconfig-$number" "https://127.0.0.1:$host_port" admin
  kubeconfig "$lab_dir/kubeconfig-$number.hub" "https://$node_address:6443" admin
}

write_containerd() {
  # oom_score 0 and restrict_oom_score_adj: lowering a score needs CAP_SYS_RESOURCE.
  cat >"$site/conf/containerd.toml" <<TOML
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$site/conf/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
TOML
  mkdir -p "$site/conf/cni"
  cat >"$site/conf/cni/10-pods.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "/var/lib/cni/ipam",
        "ranges": [[{"subnet": "$pod_cidr"}]], "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

write_kubelet() {
  local files
  files=$(ulimit -Hn)
  [[ $files != unlimited ]] || files=1000000
  # Nothing can be pulled here, so no image may ever be collected as garbage.
  cat >"$site/conf/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
tlsCertFile: $site/pki/kubelet-serving.crt
tlsPrivateKeyFile: $site/pki/kubelet-serving.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $site/pki/ca.crt}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: /var/lib/kubelet/volume-plugins
cgroupDriver: cgroupfs
cgroupRoot: /$node
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: $files
clusterDomain: cluster.local
clusterDNS: [$service_dns]
resolvConf: $site/conf/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 4s
YAML
  echo "# no name server: the lab has none" >"$site/conf/resolv.conf"
}

write_proxy() {
  # maxPerCore 0 and the zero time-outs leave the machine-wide conntrack settings alone.
  cat >"$site/conf/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $site/pki/proxy.kubeconfig}
hostnameOverride: $node
mode: iptables
clusterCIDR: $pod_cidr
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

write_configuration() {
  mkdir -p "$site"/{log,conf,run,etcd} "$site"/disk/{kubelet,containerd,cni,pod-logs,container-logs,volumes}
  write_keys
  write_containerd
  write_kubelet
  write_proxy
}
