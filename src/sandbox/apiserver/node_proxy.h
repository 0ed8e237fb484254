// Hands a pod's log and exec requests on to the node it runs on (sandbox/node_contract.h).
#pragma once

#include "net/http_server.h"
#include "sandbox/apiserver/api_request.h"
#include "sandbox/apiserver/store.h"

namespace holdfast::sandbox {

class NodeProxy {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NodeProxy>> create(const Store& store);
  /// GET .../pods/NAME/log. An Error is returned only when nothing was answered yet.
  [[nodiscard]] Status serve_log(const ApiRequest& request, const json::value& pod, net::Responder& responder);
  /// GET .../pods/NAME/exec as WebSocket upgrade.
  [[nodiscard]] Status serve_exec(const ApiRequest& request, const json::value& pod, net::Responder& responder);

 private:
  NodeProxy(const Store& store, std::unique_ptr<net::HttpClient> client) : store_(store), client_(std::move(client)) {}
  [[nodiscard]] Result<std::string> container_url(const ApiRequest& request, const json::value& pod,
                                                  const char* endpoint) const;
  const Store& store_;
  std::unique_ptr<net::HttpClient> client_;
};

}  // namespace holdfast::sandbox
