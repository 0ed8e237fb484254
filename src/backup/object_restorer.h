// Brings single objects of a backup into a cluster. Only for run_restore.cc and its neighbours in this folder.
//
// restore() may be called from many threads; each object is tried once. Failures are findings.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "backup/findings.h"
#include "backup/restore_items.h"
#include "backup/tarball.h"
#include "backup/type_index.h"
#include "kube/api.h"
#include "velero/resource_list.h"

namespace holdfast::backup {

struct ObjectRules {
  bool update_existing = false;                           ///< existingResourcePolicy: update
  bool restore_volumes = true;                            ///< restorePVs
  bool resumed = false;                                   ///< what bears the restore's name was made by it
  std::set<ItemKey> begun_pods;                           ///< of the target: never made a second time
  std::function<bool(const ItemKey&)> allows_additional;  ///< filters for objects that actions name
  std::function<bool(const std::string& group_resource, const json::object&)> wants_status;  ///< restoreStatus
  /// Resource modifiers; gets the object with its source namespace.
  std::function<Result<json::object>(const std::string& group_resource, json::object)> modify;
  std::function<void(const json::object& source_pod, const json::object& created)> on_pod;  ///< after its creation
  Duration terminating_wait = std::chrono::minutes(10);
  Duration pull_secret_wait = std::chrono::minutes(5);
};

class ObjectRestorer {
 public:
  ObjectRestorer(kube::Api& api, const Tarball& tarball, const RestoreFacts& facts, const VolumeFacts& volumes,
                 ObjectRules rules, Findings& findings, Clock& clock);

  /// Types of the target, after every discovery.
  void set_types(TypeIndex types);
  [[nodiscard]] const TypeIndex& types() const { return types_; }

  /// Makes the namespace of the target for one of the source; waits for a terminating one to go.
  void ensure_namespace(const std::string& source, std::stop_token stop);
  void restore(const Tarball::Entry& entry, std::stop_token stop);

  [[nodiscard]] velero::ResourceList resource_list() const;
  [[nodiscard]] int items() const;
  /// DeploymentConfigs that were brought back at zero.
  [[nodiscard]] bool held_deployment_configs() const;
  /// Claims that will get a new volume: target namespace, name, the old PV's name.
  struct FreshClaim {
    std::string ns;
    std::string name;
    std::string old_pv;
    std::string source_ns;
    bool created = false;  ///< by this restore; else one was there before
  };
  [[nodiscard]] std::vector<FreshClaim> fresh_claims() const;
  /// True where this restore has made the claim, in this life or an earlier one, and it gets a new volume.
  [[nodiscard]] bool created_claim(const std::string& ns, const std::string& name) const;
  /// Of the target: those of which an object was looked at.
  [[nodiscard]] std::set<std::string> namespaces() const;

 private:
  enum class Act { created, updated, failed, skipped };
  struct Prepared {
    const kube::ResourceType* type = nullptr;
    std::string ns;  ///< of the target
    json::object source;
    json::object object;
  };
  /// False: nothing to create, everything about it is said.
  bool prepare(const Tarball::Entry& entry, Prepared& item, std::stop_token stop);
  bool prepare_volume(const ItemKey& key, json::object& object);
  void put(const ItemKey& key, Prepared& item, std::stop_token stop);
  Result<json::value> create(const Prepared& item, int& attempts, std::stop_token stop);
  bool still_there(const Prepared& pod, std::stop_token stop);
  void note_ours(const Prepared& item, const json::object& live);
  Act settle_existing(const Prepared& item, bool maybe_ours, std::stop_token stop);
  Result<Act> bring_up_to_date(const Prepared& item, const json::object& live, std::stop_token stop);
  void put_status(const ItemKey& key, const Prepared& item, const json::value& created, std::stop_token stop);
  void use_new_pull_secrets(const std::string& ns, json::object& pod, std::stop_token stop);
  void record(const kube::ResourceType& type, const std::string& ns, const std::string& name, Act act);
  Status call(std::stop_token stop, const std::function<Status()>& attempt);

  kube::Api& api_;
  const Tarball& tarball_;
  const RestoreFacts& facts_;
  const VolumeFacts& volumes_;
  const ObjectRules rules_;
  Findings& findings_;
  Clock& clock_;
  TypeIndex types_;
  mutable std::mutex mutex_;
  std::set<ItemKey> tried_;
  std::set<std::string> failed_namespaces_;
  std::set<std::string> unserved_;  ///< types of which the cluster serves none
  velero::ResourceList list_;
  std::vector<FreshClaim> fresh_claims_;
  int items_ = 0;
  std::set<std::string> namespaces_;
  bool held_ = false;
};

}  // namespace holdfast::backup
