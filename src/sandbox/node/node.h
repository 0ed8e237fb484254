// The sandbox's node: registers itself, runs the pods bound to it, answers exec and logs, and forwards Services.
//
// What a kubelet and kube-proxy do, as small as the demo allows. One thread watches pods, one renews the node's lease
// and status, one a pod, and those of the HTTP server and the service proxy. Destroying it kills every container.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "kube/api.h"

namespace holdfast::sandbox {

struct NodeOptions {
  std::string name;
  std::string address;                                 ///< of this node, as pods and the API server reach it
  std::string pod_prefix;                              ///< "10.244.0": the pods' /24
  std::string state_directory;                         ///< pods, logs, specs; persistent volumes lie elsewhere
  std::string kubelet_directory = "/var/lib/kubelet";  ///< where pods expect it
  std::string images_directory;
  std::string program;  ///< path of the holdfast binary inside the site
  std::string ca_pem;
  std::string kubernetes_service_host;
  std::string kubernetes_service_port = "443";
  std::string certificate_pem, key_pem;  ///< of the exec and log server; empty: plain HTTP
  uint16_t port = 10250;
  uint64_t memory_bytes = uint64_t{4} << 30;
};

class Node {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(kube::Api& api, Clock& clock, log::Logger log,
                                                           NodeOptions options);
  virtual ~Node() = default;
};

}  // namespace holdfast::sandbox
