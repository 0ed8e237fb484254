// The rules of changing objects: what create, update, patch and delete mean, whoever asks. No HTTP here.
//
// Every member may be called from any thread. A change that loses a race is computed anew from the newest object,
// unless the caller named the version it meant. Dry runs do everything but the write. Errors are those of refusal.h.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "sandbox/apiserver/registry.h"
#include "sandbox/apiserver/service_addresses.h"

namespace holdfast::sandbox {

/// What a write is about.
struct Target {
  const ResourceKind* kind = nullptr;
  std::string ns;
  std::string name;
  std::string subresource;  ///< "", "status", "finalize": which part of the object may change
  bool dry_run = false;
};

struct DeleteRequest {
  std::string propagation;  ///< "", "Background", "Foreground", "Orphan"
  std::string uid;          ///< preconditions; empty: any
  std::string resource_version;
  std::optional<int64_t> grace_seconds;
  bool dry_run = false;
};

class ObjectWriter {
 public:
  ObjectWriter(Store& store, Registry& registry, Clock& clock, std::string service_network)
      : store_(store), registry_(registry), clock_(clock), addresses_(store, std::move(service_network)) {}

  [[nodiscard]] Result<Object> get(const Target& target) const;
  [[nodiscard]] Result<Object> create(const Target& target, json::object object);
  /// Replaces; metadata.resourceVersion, where given, must be the current one.
  [[nodiscard]] Result<Object> update(const Target& target, json::object object);
  using Edit = std::function<Result<json::value>(const json::value& current)>;
  /// Applies a pure edit to the newest object.
  [[nodiscard]] Result<Object> patch(const Target& target, const Edit& edit);

  struct Deletion {
    bool gone = false;  ///< else only marked, and finalizers or the node are waited for
    Object object;
  };
  [[nodiscard]] Result<Deletion> remove(const Target& target, const DeleteRequest& request);

 private:
  enum class Versioned { no, yes };
  Result<Object> replace(const Target& target, const json::value& current, json::object wanted);
  Result<Object> try_update(const Target& target, const Edit& edit, bool& raced);
  Result<std::optional<Deletion>> try_remove(const Target& target, const DeleteRequest& request);
  Status admit(const Target& target, json::object& object) const;
  Status check_namespace(const Target& target) const;
  Result<Object> finish(const Target& target, Result<Object> written);

  Store& store_;
  Registry& registry_;
  Clock& clock_;
  ServiceAddresses addresses_;
};

}  // namespace holdfast::sandbox
