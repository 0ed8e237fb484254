#include "backup/object_restorer.h"

#include <fmt/format.h>

#include "backup/json_edit.h"
#include "sync/retry.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

constexpr sync::RetrySchedule kCalls{.first = std::chrono::milliseconds(200),
                                     .longest = std::chrono::seconds(10),
                                     .deadline = std::chrono::minutes(2),
                                     .factor = 2.0};
constexpr int kConflictTries = 5;

std::string said(const kube::ResourceType& type, const std::string& name) {
  return fmt::format("{} \"{}\"", type.kind, name);
}

bool made_by_us(const json::value& live, const RestoreFacts& facts) {
  return json::string_at(live, {"metadata", "labels", velero::label::kRestoreName}) ==
         velero::label_value(facts.restore_name);
}

bool port_taken(const Error& error) {
  return error.message().find("already allocated") != std::string::npos;
}

}  // namespace

ObjectRestorer::ObjectRestorer(kube::Api& api, const Tarball& tarball, const RestoreFacts& facts,
                               const VolumeFacts& volumes, ObjectRules rules, Findings& findings, Clock& clock)
    : api_(api),
      tarball_(tarball),
      facts_(facts),
      volumes_(volumes),
      rules_(std::move(rules)),
      findings_(findings),
      clock_(clock) {}

void ObjectRestorer::set_types(TypeIndex types) {
  types_ = std::move(types);
}

Status ObjectRestorer::call(std::stop_token stop, const std::function<Status()>& attempt) {
  return sync::retry(kCalls, clock_, std::move(stop), attempt);
}

void ObjectRestorer::record(const kube::ResourceType& type, const std::string& ns, const std::string& name, Act act) {
  static constexpr std::string_view kWords[] = {"created", "updated", "failed", "skipped"};
  const std::string word(kWords[static_cast<size_t>(act)]);
  std::lock_guard lock(mutex_);
  list_[velero::resource_list_key(type.api_version(), type.kind)].push_back(
      velero::resource_list_entry(ns, name, word));
  ++items_;
  if (!ns.empty()) namespaces_.insert(ns);
}

void ObjectRestorer::restore(const Tarball::Entry& entry, std::stop_token stop) {
  const ItemKey& key = entry.item.key;
  if (stop.stop_requested()) return;
  {
    std::lock_guard lock(mutex_);
    if (!tried_.insert(key).second) return;
    if (!key.ns.empty() && failed_namespaces_.contains(key.ns)) return;
  }
  Prepared item;
  if (prepare(entry, item, stop)) put(key, item, stop);
}

bool ObjectRestorer::prepare(const Tarball::Entry& entry, Prepared& item, std::stop_token stop) {
  const ItemKey& key = entry.item.key;
  item.ns = key.ns.empty() ? std::string() : facts_.mapped(key.ns);
  const auto fail = [&](const Error& error) {
    findings_.error(item.ns, fmt::format("{}: {}", key.to_string(), error.to_string()));
    return false;
  };
  Result<json::object> source = tarball_.object(entry);
  if (!source) return fail(source.error());
  const std::string ended = skip_reason(key.group_resource, *source);
  if (!ended.empty()) {
    findings_.log().info("not restored", {{"object", key.to_string()}, {"reason", ended}});
    return false;
  }
  item.type = types_.in_version(key.group_resource, json::string_at(*source, {"apiVersion"}));
  if (item.type == nullptr) item.type = types_.preferred(key.group_resource);
  if (item.type == nullptr) {
    const bool first = [&] {
      std::lock_guard lock(mutex_);
      return unserved_.insert(key.group_resource).second;
    }();
    if (first)
      findings_.warning({}, fmt::format("{} are not restored: the cluster does not serve them", key.group_resource));
    return false;
  }
  item.object = *source;
  if (!prepare_volume(key, item.object)) return false;

  Result<Outcome> outcome = run_restore_actions(key.group_resource, std::move(item.object), facts_);
  if (!outcome) return fail(outcome.error());
  if (outcome->skip) {
    findings_.log().info("not restored", {{"object", key.to_string()}, {"reason", outcome->reason}});
    return false;
  }
  for (const ItemKey& additional : outcome->additional) {
    const Tarball::Entry* found = tarball_.find(additional);
    if (found != nullptr && rules_.allows_additional(additional)) restore(*found, stop);
  }
  item.object = std::move(outcome->object);
  if (rules_.modify) {
    Result<json::object> modified = rules_.modify(key.group_resource, std::move(item.object));
    if (!modified) return fail(modified.error().in("resource modifier"));
    item.object = std::move(*modified);
  }
  if (outcome->needs_pull_secret) use_new_pull_secrets(item.ns, item.object, stop);
  item.source = std::move(*source);
  strip_metadata(item.object);
  item.object.erase("status");
  item.object["apiVersion"] = item.type->api_version();
  if (!item.ns.empty()) json::set(item.object, {"metadata", "namespace"}, json::value(item.ns));
  add_restore_labels(item.object, facts_.backup_name, facts_.restore_name);
  return true;
}

bool ObjectRestorer::prepare_volume(const ItemKey& key, json::object& object) {
  const auto fresh = [&](VolumeDecision decision) {
    return !rules_.restore_volumes || decision != VolumeDecision::as_it_stands;
  };
  if (key.group_resource == "persistentvolumes") {
    const VolumeDecision decision = volumes_.decide(object);
    if (rules_.restore_volumes && decision == VolumeDecision::unsupported) {
      findings_.error({}, fmt::format("{}: its data lies in a native volume snapshot, which cannot be restored here; "
                                      "its claim gets a new, empty volume",
                                      key.to_string()));
    }
    if (!fresh(decision)) {
      rebind_volume(object, facts_);
      return true;
    }
    record(*types_.preferred(key.group_resource), "", key.name, Act::skipped);
    return false;
  }
  if (key.group_resource != "persistentvolumeclaims") return true;
  const std::string pv = json::string_at(object, {"spec", "volumeName"});
  if (pv.empty()) return true;
  const Tarball::Entry* entry = tarball_.find({"persistentvolumes", "", pv});
  Result<json::object> volume = entry == nullptr ? Result<json::object>(json::object{}) : tarball_.object(*entry);
  // A claim whose volume is not in the backup binds to nothing: it too is provisioned anew.
  if (entry == nullptr || !volume || fresh(volumes_.decide(*volume))) {
    std::lock_guard lock(mutex_);
    fresh_claims_.push_back({facts_.mapped(key.ns), key.name, pv, key.ns, false});
  }
  return true;
}

void ObjectRestorer::use_new_pull_secrets(const std::string& ns, json::object& pod, std::stop_token stop) {
  const BootTime deadline = clock_.boottime() + rules_.pull_secret_wait;
  while (true) {
    Result<kube::ListPage> secrets = kube::list_all(api_, kube::types::secrets(), ns, {}, stop);
    if (!secrets) {
      findings_.warning(ns, "pull secrets: " + secrets.error().to_string());
      return;
    }
    std::vector<std::string> names;
    bool made = false;
    for (const json::value& secret : secrets->items) {
      names.push_back(json::string_at(secret, {"metadata", "name"}));
      made = made || names.back().starts_with("default-dockercfg-");
    }
    if (made) return replace_pull_secrets(pod, names);
    if (clock_.boottime() >= deadline || !clock_.sleep(stop, std::chrono::seconds(1))) {
      findings_.warning(ns, "OpenShift made no default-dockercfg secret in time; the pod keeps its old pull secrets");
      return;
    }
  }
}

Result<json::value> ObjectRestorer::create(const Prepared& item, int& attempts, std::stop_token stop) {
  std::optional<json::value> created;
  int conflicts = 0;
  TRY(call(stop, [&]() -> Status {
    while (true) {
      ++attempts;
      Result<json::value> result = api_.create(*item.type, item.ns, item.object, {}, stop);
      if (result) {
        created = std::move(*result);
        return {};
      }
      // A quota or another admission step lost a race of its own; the object does not exist yet.
      if (!result.is(ErrorCode::conflict) || ++conflicts >= kConflictTries) return std::move(result).error();
    }
  }));
  return std::move(*created);
}

void ObjectRestorer::put(const ItemKey& key, Prepared& item, std::stop_token stop) {
  const std::string name = object_name(item.object);
  if (key.group_resource == "persistentvolumeclaims") {
    std::lock_guard lock(mutex_);
    for (const FreshClaim& claim : fresh_claims_) {
      if (claim.ns == item.ns && claim.name == name) unbind_claim(item.object);
    }
  }
  if (key.group_resource == "pods" && rules_.begun_pods.contains({"pods", item.ns, name}) && !still_there(item, stop)) {
    return record(*item.type, item.ns, name, Act::skipped);
  }
  int attempts = 0;
  Result<json::value> created = create(item, attempts, stop);
  if (created) {
    record(*item.type, item.ns, name, Act::created);
    put_status(key, item, *created, stop);
    if (created->is_object()) note_ours(item, created->get_object());
    return;
  }
  const bool exists = created.is(ErrorCode::exists);
  if (exists || (created.is(ErrorCode::invalid) && port_taken(created.error()) &&
                 api_.get(*item.type, item.ns, name, stop).ok())) {
    const Act act = settle_existing(item, attempts > 1 || rules_.resumed, stop);
    record(*item.type, item.ns, name, act);
    return;
  }
  findings_.error(item.ns,
                  fmt::format("error restoring {}: {}", list_name(key.group_resource, list_name(item.ns, name)),
                              created.error().to_string()));
  record(*item.type, item.ns, name, Act::failed);
}

/// False for a pod of an earlier life that is gone, which is never made again: it may have run, and what runs in its
/// place by now writes to its volumes.
bool ObjectRestorer::still_there(const Prepared& pod, std::stop_token stop) {
  const std::string name = object_name(pod.object);
  const Status read = call(stop, [&]() -> Status {
    const Result<json::value> live = api_.get(*pod.type, pod.ns, name, stop);
    return live ? Status() : Status(live.error());
  });
  if (read) return true;
  if (read.is(ErrorCode::not_found)) {
    findings_.log().info("not restored again", {{"pod", list_name(pod.ns, name)}, {"reason", "it is gone since"}});
  } else {
    findings_.error(pod.ns, fmt::format("pod {}: whether it is still there: {}", name, read.error().to_string()));
  }
  return false;
}

/// What follows from an object that this restore made.
void ObjectRestorer::note_ours(const Prepared& item, const json::object& live) {
  const std::string type = item.type->group_resource();
  {
    std::lock_guard lock(mutex_);
    if (json::find(live, {"metadata", "labels", velero::label::kReplicasModified}) != nullptr) held_ = true;
    if (type == "persistentvolumeclaims") {
      for (FreshClaim& claim : fresh_claims_) {
        if (claim.ns == item.ns && claim.name == object_name(live)) claim.created = true;
      }
    }
  }
  if (type == "pods" && rules_.on_pod) rules_.on_pod(item.source, live);
}

ObjectRestorer::Act ObjectRestorer::settle_existing(const Prepared& item, bool maybe_ours, std::stop_token stop) {
  const std::string name = object_name(item.object);
  std::optional<json::value> live;
  const Status read = call(stop, [&]() -> Status {
    live = TRY(api_.get(*item.type, item.ns, name, stop));
    return {};
  });
  if (!read || !live->is_object()) {
    findings_.error(item.ns, fmt::format("{} exists and cannot be read: {}", said(*item.type, name),
                                         read ? "no object" : read.error().to_string()));
    return Act::failed;
  }
  const bool equal = equal_for_restore(live->get_object(), item.object);
  // The first answer got lost: the object that "exists" is the one just made.
  if (maybe_ours && made_by_us(*live, facts_)) {
    note_ours(item, live->get_object());
    return Act::created;
  }
  if (equal) return Act::skipped;
  Result<Act> act = bring_up_to_date(item, live->get_object(), stop);
  if (act) return *act;
  findings_.warning(item.ns, fmt::format("{} already exists and could not be updated: {}", said(*item.type, name),
                                         act.error().to_string()));
  return Act::failed;
}

Result<ObjectRestorer::Act> ObjectRestorer::bring_up_to_date(const Prepared& item, const json::object& live,
                                                             std::stop_token stop) {
  const std::string name = object_name(item.object);
  json::object patch;
  const bool account = item.type->group_resource() == "serviceaccounts";
  if (account) {
    json::object wanted = item.object;
    drop_label(wanted, velero::label::kBackupName);
    drop_label(wanted, velero::label::kRestoreName);
    patch = merge_patch(live, merge_service_account(live, wanted));
    if (patch.empty()) return Act::skipped;
  } else if (rules_.update_existing) {
    patch = merge_patch(live, item.object);
  } else {
    findings_.warning(item.ns, fmt::format("could not restore, {} already exists. Warning: the in-cluster version is "
                                           "different than the backed-up version",
                                           said(*item.type, name)));
    return Act::failed;
  }
  const auto send = [&](const json::object& body) {
    return call(stop, [&]() -> Status {
      const auto sent = api_.patch(*item.type, item.ns, name, kube::PatchKind::merge, body, {}, stop);
      return sent ? Status() : Status(sent.error());
    });
  };
  Status patched = send(patch);
  if (patched) return Act::updated;
  if (!account) {
    json::object labels;
    add_restore_labels(labels, facts_.backup_name, facts_.restore_name);
    const Status labelled = send(labels);
    if (!labelled) return std::move(patched).error().in("and its labels neither");
  }
  return std::move(patched).error();
}

void ObjectRestorer::put_status(const ItemKey& key, const Prepared& item, const json::value& created,
                                std::stop_token stop) {
  const json::value* status = json::find(item.source, {"status"});
  if (status == nullptr || !rules_.wants_status || !rules_.wants_status(key.group_resource, item.source)) return;
  json::value object = created;
  if (!object.is_object()) return;
  object.get_object()["status"] = *status;
  const Status put = call(stop, [&]() -> Status {
    const auto sent = api_.update(*item.type, item.ns, object, {.subresource = "status"}, stop);
    return sent ? Status() : Status(sent.error());
  });
  if (!put) findings_.warning(item.ns, fmt::format("status of {}: {}", key.to_string(), put.error().to_string()));
}

velero::ResourceList ObjectRestorer::resource_list() const {
  std::lock_guard lock(mutex_);
  return list_;
}
int ObjectRestorer::items() const {
  std::lock_guard lock(mutex_);
  return items_;
}
bool ObjectRestorer::held_deployment_configs() const {
  std::lock_guard lock(mutex_);
  return held_;
}
bool ObjectRestorer::created_claim(const std::string& ns, const std::string& name) const {
  std::lock_guard lock(mutex_);
  return std::any_of(fresh_claims_.begin(), fresh_claims_.end(),
                     [&](const FreshClaim& claim) { return claim.created && claim.ns == ns && claim.name == name; });
}
std::vector<ObjectRestorer::FreshClaim> ObjectRestorer::fresh_claims() const {
  std::lock_guard lock(mutex_);
  return fresh_claims_;
}
std::set<std::string> ObjectRestorer::namespaces() const {
  std::lock_guard lock(mutex_);
  return namespaces_;
}

}  // namespace holdfast::backup
