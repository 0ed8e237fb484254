// Services of the sandbox: what kube-proxy does with packet filters, done by accepting and copying.
//
// A Service's cluster address is put on lo; each of its ports is listened on there, and on the node's address for node
// ports. A connection goes to the next ready endpoint. One thread follows Services and Endpoints, one accepts for all,
// one carries each connection.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "kube/api.h"

namespace holdfast::sandbox {

class ServiceProxy {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ServiceProxy>> start(kube::Api& api, Clock& clock, log::Logger log);
  virtual ~ServiceProxy() = default;
};

/// A place to listen, and where its connections go. Pure, from the objects of the API.
struct Forward {
  std::string address;  ///< "" : every address of the node (node ports)
  uint16_t port = 0;
  std::vector<std::pair<std::string, uint16_t>> targets;
  auto operator<=>(const Forward&) const = default;
};
[[nodiscard]] std::vector<Forward> forwards_of(const std::vector<json::value>& services,
                                               const std::vector<json::value>& endpoints);

}  // namespace holdfast::sandbox
