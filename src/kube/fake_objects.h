// The objects behind FakeApi: what a Kubernetes API server and its garbage collector do to stored objects, without
// threads, faults or time-outs. Used by FakeApi only, which holds its lock around every call.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "kube/api.h"

namespace holdfast::kube {

struct FakeType {
  ResourceType type;
  bool status = false;      ///< has a status subresource: /status writes status only, other writes never do
  bool custom = false;      ///< of a CRD: no strategic merge, update needs a resourceVersion
  bool generation = false;  ///< metadata.generation counts changes outside metadata and status
};

struct FakeEvent {
  uint64_t version;
  std::string resource;  ///< group_resource() of the type
  WatchEvent::Kind kind;
  json::value object;
  json::value before;  ///< null for added
};

class FakeObjects {
 public:
  struct Options {
    Clock* clock = &system_clock();
    bool graceful_pods = false;
    size_t history_max = 10'000;
  };
  enum class Origin { client, seed };  ///< a seed keeps uid and status and makes a missing namespace

  explicit FakeObjects(const Options& options);

  void add_type(FakeType type);
  [[nodiscard]] std::vector<ResourceType> types() const;
  /// not_found as the server says it for an unknown path.
  [[nodiscard]] Result<FakeType> find_type(const ResourceType& type) const;
  /// The served type of an object's apiVersion and kind.
  [[nodiscard]] Result<ResourceType> type_of(const json::value& object) const;

  [[nodiscard]] Result<json::value> get(const ResourceType& type, const std::string& ns, const std::string& name) const;
  /// Every object of a type, ordered by namespace and name, in the type's version.
  [[nodiscard]] std::vector<json::value> all(const ResourceType& type, const std::string& ns) const;
  [[nodiscard]] Result<json::value> create(const ResourceType& type, const std::string& ns, json::value object,
                                           const WriteOptions& options, Origin origin = Origin::client);
  [[nodiscard]] Result<json::value> update(const ResourceType& type, const std::string& ns, json::value object,
                                           const WriteOptions& options);
  [[nodiscard]] Result<json::value> patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                          PatchKind kind, const json::value& body, const WriteOptions& options);
  [[nodiscard]] Status remove(const ResourceType& type, const std::string& ns, const std::string& name,
                              const DeleteOptions& options);
  /// What the garbage collector and the namespace controller would do, until nothing is left to do.
  void collect_garbage();

  [[nodiscard]] uint64_t version() const { return version_; }
  [[nodiscard]] const std::deque<FakeEvent>& history() const { return history_; }
  /// Events up to here are forgotten.
  [[nodiscard]] uint64_t compacted() const { return compacted_; }
  void compact();

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  struct Place {
    std::string resource;
    Key key;
  };

  static std::string applied_key(const Place& place);
  json::value* stored(const Place& place);
  json::value write(const FakeType& type, const Place& place, json::value object, WatchEvent::Kind kind);
  void erase(const Place& place);
  Status check_namespace(const FakeType& type, const std::string& ns, Origin origin);
  Status check_identity(const FakeType& type, const std::string& ns, json::object& object) const;
  void fill_new(const FakeType& type, json::object& object, Origin origin);
  Status register_crd(const json::value& crd);
  void forget_crd(const json::value& crd);
  Result<json::value> replace(const FakeType& type, const Place& place, json::value object,
                              const WriteOptions& options);
  Result<json::value> scale(const FakeType& type, const Place& place, const json::value& scale_object,
                            const WriteOptions& options);
  Result<json::value> apply(const FakeType& type, const std::string& ns, const std::string& name,
                            const json::value& body, const WriteOptions& options);
  bool collect_object(const FakeType& type, const Place& place);
  bool collect_namespace(const Place& place);
  std::vector<Place> dependents(const std::string& uid) const;
  bool owner_exists(const std::string& uid) const;
  std::vector<Place> places() const;
  const FakeType& type_at(const std::string& resource) const;

  const Options options_;
  std::vector<FakeType> types_;
  std::map<std::string, std::map<Key, json::value>> objects_;
  std::map<std::pair<std::string, std::string>, json::value> applied_;  // (applied_key, manager) -> last applied
  std::deque<FakeEvent> history_;
  uint64_t version_ = 1;
  uint64_t compacted_ = 0;
};

/// The types every FakeApi serves from the start: those of a plain cluster that backups and our programs meet, and
/// velero.io/v1.
[[nodiscard]] std::vector<FakeType> fake_built_in_types();

}  // namespace holdfast::kube
