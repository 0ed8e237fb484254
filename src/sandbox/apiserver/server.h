// A small Kubernetes API server in this process: the kinds that the demo's applications and our CRDs need.
//
// State lives in a directory and survives kill -9. It stores and checks; it runs nothing: controllers
// (sandbox/controllers) and nodes are its clients. What it does not serve it refuses by name (404, 405, 406, 415),
// never with a success. Tests of any module may start one (plain HTTP on a free port is the default).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "sandbox/apiserver/user.h"

namespace holdfast::sandbox {

struct ApiServerOptions {
  std::string data_dir;  ///< made where missing; one server at a time
  std::string address = "127.0.0.1";
  uint16_t port = 0;            ///< 0: any free one
  std::string certificate_pem;  ///< with key_pem: HTTPS
  std::string key_pem;
  std::string client_ca_pem;           ///< client certificates of this authority: CN is the user, O the groups
  std::map<std::string, User> tokens;  ///< bearer tokens beside those of service accounts
  std::string service_network = "10.96";
  size_t history_max = 20'000;  ///< changes a watch may lie behind before it gets 410
  Clock* clock = &system_clock();
};

class ApiServer {
 public:
  /// Opens the store, makes what every cluster has (namespaces default and kube-system, ClusterRole cluster-admin),
  /// and serves until destroyed. conflict: the directory is in use; exhausted: the port is.
  [[nodiscard]] static Result<std::unique_ptr<ApiServer>> start(ApiServerOptions options);
  virtual ~ApiServer() = default;
  [[nodiscard]] virtual uint16_t port() const = 0;
  /// "http://127.0.0.1:34567"
  [[nodiscard]] virtual std::string url() const = 0;
};

}  // namespace holdfast::sandbox
