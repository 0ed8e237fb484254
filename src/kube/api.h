// The Kubernetes API as this program uses it: typed by discovery, objects as JSON values.
//
// Api is the seam: Client speaks HTTP to a cluster, FakeApi keeps objects in memory with the same rules. Every member
// may be called from any thread and blocks it. Errors by what the caller can do: not_found (404), exists (409
// AlreadyExists), conflict (409 Conflict, and 410 Gone with reason Expired), denied (401, 403), invalid (400, 422),
// unavailable (429, 5xx, broken connection), timeout. The API server's message is kept in the Error's message.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace holdfast::kube {

/// One resource type of one group and version, as discovery lists it.
struct ResourceType {
  std::string group;    ///< "" for the core group
  std::string version;  ///< "v1"
  std::string plural;   ///< "pods"
  std::string kind;     ///< "Pod"
  bool namespaced = true;
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> verbs;
  bool preferred = true;  ///< the group's preferred version of this type
  /// "pods", "deployments.apps": Velero's name of a type.
  [[nodiscard]] std::string group_resource() const { return group.empty() ? plural : plural + "." + group; }
  /// "v1", "apps/v1".
  [[nodiscard]] std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  [[nodiscard]] bool can(std::string_view verb) const;
};

struct ListOptions {
  std::string label_selector = {};
  std::string field_selector = {};
  int64_t limit = 500;             ///< page size; 0: no paging
  std::string continue_from = {};  ///< ListPage::continue_from of the page before
};
struct ListPage {
  std::vector<json::value> items;  ///< each with apiVersion and kind filled in
  std::string resource_version;
  std::string continue_from;  ///< empty: the last page
};

struct WatchEvent {
  enum class Kind { added, modified, deleted, bookmark } kind;
  json::value object;
};
struct WatchOptions {
  std::string resource_version = {};  ///< events after this one
  std::string label_selector = {};
  std::string field_selector = {};
  Duration timeout = std::chrono::minutes(5);  ///< the server ends the watch about then; that is a success
};

enum class PatchKind { merge, json, strategic, apply };
struct WriteOptions {
  std::string subresource = {};  ///< "status", "scale", "" for the object itself
  std::string field_manager = "holdfast";
  bool force = false;  ///< apply only: take over conflicting fields
  bool dry_run = false;
};
struct DeleteOptions {
  std::string propagation = {};  ///< "", "Background", "Foreground", "Orphan"
  std::string uid = {};          ///< precondition; empty: any
  std::optional<int64_t> grace_seconds = {};
};

struct ExecResult {
  int exit_code = 0;
  std::string out = {};  ///< at most 1 MiB of each stream is kept
  std::string err = {};
};

class Api {
 public:
  virtual ~Api() = default;
  /// Every type the server serves, all versions; preferred ones marked. Asked anew each time; callers keep it.
  [[nodiscard]] virtual Result<std::vector<ResourceType>> discover(std::stop_token stop = {}) = 0;
  /// {"major","minor","gitVersion",...}
  [[nodiscard]] virtual Result<json::value> version(std::stop_token stop = {}) = 0;

  /// `ns` is empty for cluster-scoped types; for list and watch of namespaced types empty means all namespaces.
  [[nodiscard]] virtual Result<json::value> get(const ResourceType& type, const std::string& ns,
                                                const std::string& name, std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<ListPage> list(const ResourceType& type, const std::string& ns,
                                              const ListOptions& options, std::stop_token stop = {}) = 0;
  /// Calls back for every event until the server or `stop` ends it; conflict: the resource version is too old, list
  /// anew.
  [[nodiscard]] virtual Status watch(const ResourceType& type, const std::string& ns, const WatchOptions& options,
                                     const std::function<Status(const WatchEvent&)>& on_event,
                                     std::stop_token stop) = 0;
  /// apiVersion and kind may be left out of what is written; they are the type's.
  [[nodiscard]] virtual Result<json::value> create(const ResourceType& type, const std::string& ns,
                                                   const json::value& object, const WriteOptions& options = {},
                                                   std::stop_token stop = {}) = 0;
  /// Replaces; metadata.resourceVersion inside makes it conditional.
  [[nodiscard]] virtual Result<json::value> update(const ResourceType& type, const std::string& ns,
                                                   const json::value& object, const WriteOptions& options = {},
                                                   std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<json::value> patch(const ResourceType& type, const std::string& ns,
                                                  const std::string& name, PatchKind kind, const json::value& body,
                                                  const WriteOptions& options = {}, std::stop_token stop = {}) = 0;
  /// not_found where it is gone already; conflict where the uid differs.
  [[nodiscard]] virtual Status remove(const ResourceType& type, const std::string& ns, const std::string& name,
                                      const DeleteOptions& options = {}, std::stop_token stop = {}) = 0;

  /// Runs a command in a container ("": the only or first one); timeout ends the wait, not the command.
  [[nodiscard]] virtual Result<ExecResult> exec(const std::string& ns, const std::string& pod,
                                                const std::string& container, const std::vector<std::string>& command,
                                                Duration timeout, std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<std::string> logs(const std::string& ns, const std::string& pod,
                                                 const std::string& container, std::stop_token stop = {}) = 0;
};

/// Every object of a type (all pages); a 410 in the middle of paging starts anew, at most 3 times.
[[nodiscard]] Result<ListPage> list_all(Api& api, const ResourceType& type, const std::string& ns,
                                        const ListOptions& options = {}, std::stop_token stop = {});

/// Reads an object, lets `mutate` change it and writes it back; after a conflict anew from the read, at most 8 times.
/// What `mutate` leaves as it is is not written. A failure of `mutate` ends it. `options.subresource` as in update.
[[nodiscard]] Result<json::value> update_with_retry(Api& api, const ResourceType& type, const std::string& ns,
                                                    const std::string& name,
                                                    const std::function<Status(json::value&)>& mutate,
                                                    const WriteOptions& options = {}, std::stop_token stop = {});

/// Well-known types, for callers that need no discovery.
namespace types {
[[nodiscard]] const ResourceType& pods();
[[nodiscard]] const ResourceType& namespaces();
[[nodiscard]] const ResourceType& secrets();
[[nodiscard]] const ResourceType& config_maps();
[[nodiscard]] const ResourceType& persistent_volumes();
[[nodiscard]] const ResourceType& persistent_volume_claims();
[[nodiscard]] const ResourceType& service_accounts();
[[nodiscard]] const ResourceType& nodes();
[[nodiscard]] const ResourceType& services();
[[nodiscard]] const ResourceType& endpoints();
[[nodiscard]] const ResourceType& leases();
[[nodiscard]] const ResourceType& custom_resource_definitions();
/// velero.io/v1 types by plural ("backups"); a bug for unknown ones.
[[nodiscard]] const ResourceType& velero(std::string_view plural);
}  // namespace types

}  // namespace holdfast::kube
