// The controllers of a sandbox cluster: plain API clients, each one reconcile function over what the server says now.
//
// A controller is keyed by namespace (or by nothing, for the whole cluster): a change of any watched type queues the
// namespace, and reconcile reads the present objects from the server, acts, and writes status. Nothing is remembered
// between calls, so any of them may be killed and started anywhere, against any API server that serves its types.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "kube/api.h"
#include "kube/controller.h"

namespace holdfast::sandbox {

/// What every reconcile gets.
struct ControllerFacts {
  kube::Api& api;
  Clock& clock;
  std::string ns;  ///< the namespace to look at; empty for controllers of the whole cluster
  std::stop_token stop;
  const struct ControllersOptions& options;
};

struct ControllerSpec {
  enum class Scope { per_namespace, cluster };
  std::string name;  ///< "deployment", "replicaset", ...
  Scope scope = Scope::per_namespace;
  std::vector<kube::ResourceType> watches;
  std::function<Result<kube::After>(const ControllerFacts&)> reconcile;
};

struct ControllersOptions {
  std::vector<std::string> names;  ///< empty: all
  std::string root_ca_pem;         ///< published as ConfigMap kube-root-ca.crt; empty: not published
  std::string volume_directory;    ///< where provisioned volumes lie on their node
  std::string provisioner = "holdfast.dev/directory";  ///< of the StorageClasses that this cluster provisions for
  Clock* clock = &system_clock();
  log::Logger log = {};
};

/// Every controller there is.
[[nodiscard]] const std::vector<ControllerSpec>& all_controllers();

class Controllers {
 public:
  /// Starts them; they run until destroyed. invalid: a name that does not exist.
  [[nodiscard]] static Result<std::unique_ptr<Controllers>> start(kube::Api& api, ControllersOptions options);
  virtual ~Controllers() = default;
};

}  // namespace holdfast::sandbox
