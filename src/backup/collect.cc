#include "backup/collect.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/claim_facts.h"
#include "backup/json_edit.h"
#include "backup/pod_hooks.h"
#include "backup/source_facts.h"
#include "backup/type_index.h"
#include "base/text.h"
#include "sync/retry.h"
#include "sync/workers.h"
#include "velero/filter.h"
#include "velero/names.h"
#include "velero/volume_rules.h"

namespace holdfast::backup {
namespace {

constexpr size_t kPostHookThreads = 4;
constexpr int kListTries = 3;
const std::string kDoesNotRun = "the pod does not run";
const std::string kCrds = "customresourcedefinitions.apiextensions.k8s.io";

bool has_ended(const json::value& pod) {
  const std::string phase = json::string_at(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

class Collector {
 public:
  Collector(kube::Api& api, const CollectOptions& options, TarballWriter& tarball, VolumeBackups* volumes,
            Findings& findings, const std::stop_token& stop)
      : api_(api),
        options_(options),
        spec_(options.backup.spec),
        tarball_(tarball),
        volumes_(volumes),
        findings_(findings),
        stop_(stop),
        hooks_(api, spec_.hooks, findings),
        claims_(api, stop) {}

  Result<Collected> run();

 private:
  Status choose_namespaces();
  void order_lists();
  Status collect_type(const kube::ResourceType& type);
  Status collect_list(const kube::ResourceType& type, const std::string& ns);
  Status take_listed(const kube::ResourceType& type, std::vector<json::value> items);
  Status take(const kube::ResourceType& type, const json::value& object);
  Status take_body(const kube::ResourceType& type, const ItemKey& key, const json::object& object);
  void thaw(const json::value& pod);
  Status take_additional(const ItemKey& key, bool quiet);
  Status take_namespace(const std::string& ns);
  Status write(const kube::ResourceType& type, const json::object& object);
  void count(const kube::ResourceType& type, const json::object& object);
  velero::PodVolumeChoice choose(const json::value& pod);
  void miss(const json::value& pod, const velero::StringList& volumes, const std::string& reason);
  std::optional<velero::VolumeAction> action_for(const json::value& pod, const json::value& volume);
  void save_volumes(const json::value& pod);
  void end_of_pod(const json::value& pod, std::vector<PodVolumeResult> results);
  bool fs_backup_by_default() const;
  void save_unmounted_claims();
  bool wants_mover(const std::string& ns, const std::string& name, const ClaimFacts::Claim& claim);
  std::string who_uses(const std::string& ns, const std::string& claim);
  void take_results(std::vector<PodVolumeResult> results);
  void note_unsaved_claims();
  velero::Reach reach(const kube::ResourceType& type) const { return filter_.reach(TypeIndex::to_velero(type)); }
  bool excluded(const json::value& object) const;

  kube::Api& api_;
  const CollectOptions& options_;
  const velero::BackupSpec& spec_;
  TarballWriter& tarball_;
  VolumeBackups* volumes_;
  Findings& findings_;
  const std::stop_token stop_;
  PodHooks hooks_;
  ClaimFacts claims_;
  TypeIndex types_;
  velero::ResourceFilter filter_;
  BackupFacts facts_;
  std::map<std::string, json::value> namespaces_;  ///< the chosen ones
  size_t namespaces_there_ = 0;
  std::map<std::string, std::vector<std::string>> ordered_;  ///< by type: "ns/name" to take first
  std::set<ItemKey> taken_;
  std::set<std::string> claims_taken_;
  std::map<std::pair<std::string, std::string>, std::string> missed_;  ///< namespace and claim: why it is not saved yet
  std::map<std::string, std::vector<json::value>> pods_;  ///< by namespace, where a claim is mounted by no pod
  Collected out_;
  std::mutex mutex_;  ///< guards out_.volumes: results arrive on other threads
  std::optional<sync::WorkerGroup> post_hooks_;
};

Result<Collected> Collector::run() {
  if (spec_.resource_policy && !options_.policy) {
    return Error(ErrorCode::invalid, "the policy that spec.resourcePolicy names was not given");
  }
  types_ = TypeIndex(TRY(api_.discover(stop_).in("discover the types of the cluster")));
  filter_ = velero::ResourceFilter::of(spec_, types_.velero_types());
  TRY(choose_namespaces());
  order_lists();
  facts_ = gather_backup_facts(api_, types_, options_.backup.metadata.name, findings_, stop_);
  {
    post_hooks_.emplace(kPostHookThreads);
    Status status;
    for (const kube::ResourceType* type : types_.backup_order()) {
      if (status) status = collect_type(*type);
    }
    if (status) save_unmounted_claims();
    std::stop_source given_up;
    if (!status) given_up.request_stop();
    if (volumes_ != nullptr) volumes_->wait(status ? stop_ : given_up.get_token());
    const Status hooks_done = post_hooks_->finish();
    post_hooks_.reset();
    if (!status) return std::move(status).error();
    if (!hooks_done) return hooks_done.error();
  }
  note_unsaved_claims();
  out_.persistent_volumes = claims_.persistent_volumes();
  out_.hooks_attempted = hooks_.attempted();
  out_.hooks_failed = hooks_.failed();
  return std::move(out_);
}

Status Collector::choose_namespaces() {
  const kube::ListPage all = TRY(kube::list_all(api_, kube::types::namespaces(), "", {}, stop_).in("list namespaces"));
  velero::StringList names;
  for (const json::value& ns : all.items) {
    const std::string name = json::string_at(ns, {"metadata", "name"});
    names.push_back(name);
    const bool active = json::string_at(ns, {"status", "phase"}, "Active") == "Active";
    if (!filter_.takes_namespace(name) || excluded(ns) || !active) continue;
    if (json::find(ns, {"metadata", "labels", velero::label::kArgoManagedBy}) != nullptr) {
      findings_.warning(name, fmt::format("namespace {} is managed by Argo CD: restored objects may be changed back "
                                          "by it",
                                          name));
    }
    namespaces_.emplace(name, ns);
  }
  namespaces_there_ = names.size();
  for (const std::string& missing : velero::missing_namespaces(filter_.namespaces(), names)) {
    findings_.run_error(fmt::format("included namespace {} does not exist", missing));
  }
  return {};
}

bool Collector::excluded(const json::value& object) const {
  return json::string_at(object, {"metadata", "labels", velero::label::kExcludeFromBackup}) == "true" ||
         json::find(object, {"metadata", "deletionTimestamp"}) != nullptr ||
         json::find(object, {"metadata", "annotations", velero::annotation::kSkipFromBackup}) != nullptr;
}

void Collector::order_lists() {
  for (const auto& [type, list] : spec_.ordered_resources) {
    std::vector<std::string>& names = ordered_[types_.resolve(type)];
    for (const std::string& name : split(list, ',')) names.emplace_back(trim(name));
  }
}

Status Collector::collect_type(const kube::ResourceType& type) {
  if (type.group.empty() && type.plural == "namespaces") {
    const bool selects = spec_.label_selector.has_value() || !spec_.or_label_selectors.empty();
    for (const auto& [name, ns] : namespaces_) {
      if (!selects || filter_.takes_object(ns)) TRY(take_namespace(name));
    }
    return {};
  }
  if (reach(type) != velero::Reach::swept) return {};
  if (!type.namespaced) return collect_list(type, "");
  const bool few = namespaces_.size() <= options_.list_apart_max || namespaces_.size() * 8 <= namespaces_there_;
  if (!few || filter_.namespaces().everything()) return collect_list(type, "");
  for (const auto& [name, ns] : namespaces_) TRY(collect_list(type, name));
  return {};
}

Status Collector::collect_list(const kube::ResourceType& type, const std::string& ns) {
  const bool ordered = ordered_.contains(type.group_resource());
  const std::string where = fmt::format("list {}{}", type.group_resource(), ns.empty() ? "" : " in " + ns);
  std::vector<json::value> whole;
  kube::ListOptions page_options;
  int tries = 0;
  while (true) {
    const std::function<Result<kube::ListPage>()> ask = [&] { return api_.list(type, ns, page_options, stop_); };
    Result<kube::ListPage> page = sync::retry_value<kube::ListPage>({}, *options_.clock, stop_, ask);
    if (page.is(ErrorCode::conflict) && ++tries < kListTries) {
      // The page token is too old: from the start again; what was taken is known and left out.
      page_options.continue_from.clear();
      whole.clear();
      continue;
    }
    if (page.is(ErrorCode::cancelled)) return page.error();
    if (page.is(ErrorCode::not_found) || page.is(ErrorCode::unsupported)) {
      findings_.warning(ns, fmt::format("{}: {}", where, page.error().to_string()));
      return {};
    }
    if (!page) {
      findings_.error(ns, fmt::format("{}: {}", where, page.error().to_string()));
      return {};
    }
    page_options.continue_from = page->continue_from;
    if (ordered) {
      std::move(page->items.begin(), page->items.end(), std::back_inserter(whole));
    } else {
      TRY(take_listed(type, std::move(page->items)));
    }
    if (page_options.continue_from.empty()) break;
  }
  return ordered ? take_listed(type, std::move(whole)) : Status();
}

Status Collector::take_listed(const kube::ResourceType& type, std::vector<json::value> items) {
  auto order = ordered_.find(type.group_resource());
  if (order != ordered_.end()) {
    const auto rank = [&](const json::value& object) {
      const std::string name =
          list_name(json::string_at(object, {"metadata", "namespace"}), json::string_at(object, {"metadata", "name"}));
      return std::find(order->second.begin(), order->second.end(), name) - order->second.begin();
    };
    std::stable_sort(items.begin(), items.end(),
                     [&](const json::value& a, const json::value& b) { return rank(a) < rank(b); });
  }
  for (const json::value& object : items) {
    const std::string ns = json::string_at(object, {"metadata", "namespace"});
    if (type.namespaced && !namespaces_.contains(ns)) continue;
    if (!filter_.takes_object(object) || excluded(object)) continue;
    TRY(take(type, object));
  }
  return {};
}

Status Collector::take(const kube::ResourceType& type, const json::value& object) {
  if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped while collecting");
  if (!object.is_object()) return {};
  const json::object& members = object.get_object();
  const ItemKey key{type.group_resource(), object_namespace(members), object_name(members)};
  if (!taken_.insert(key).second) return {};
  if (!key.ns.empty()) TRY(take_namespace(key.ns));
  count(type, members);

  if (key.group_resource != "pods") return take_body(type, key, members);

  const PodHooks::Ran pre = hooks_.run(object, velero::HookMoment::pre, stop_);
  Status status;
  if (pre.fine) {
    status = take_body(type, key, members);
  } else {
    findings_.error(key.ns, fmt::format("pod {} is not in the backup: a pre hook failed", key.name));
    miss(object, choose(object).volumes, "a pre hook failed");
  }
  if (pre.fine && status) {
    save_volumes(object);
  } else if (pre.succeeded > 0) {
    thaw(object);  // what an earlier hook stopped must go on
  }
  return status;
}

Status Collector::take_body(const kube::ResourceType& type, const ItemKey& key, const json::object& object) {
  Result<Outcome> outcome = run_backup_actions(key.group_resource, object, facts_);
  if (!outcome) {
    findings_.error(key.ns, fmt::format("{}: {}", key.to_string(), outcome.error().to_string()));
    return {};
  }
  claims_.note(key, object);
  for (const ItemKey& additional : outcome->additional) TRY(take_additional(additional, false));
  if (type.group.find('.') != std::string::npos) {
    TRY(take_additional({kCrds, "", type.plural + "." + type.group}, true));
  }
  return write(type, outcome->object);
}

/// The post hooks run to their end even when the backup is being stopped: each has a time-out of its own.
void Collector::thaw(const json::value& pod) {
  hooks_.run(pod, velero::HookMoment::post, {});
}

Status Collector::take_namespace(const std::string& ns) {
  auto found = namespaces_.find(ns);
  if (found == namespaces_.end() || !taken_.insert({"namespaces", "", ns}).second) return {};
  if (reach(kube::types::namespaces()) == velero::Reach::none) return {};
  const json::object& object = found->second.get_object();
  count(kube::types::namespaces(), object);
  Result<Outcome> outcome = run_backup_actions("namespaces", object, facts_);
  if (!outcome) {
    findings_.error(ns, fmt::format("namespace {}: {}", ns, outcome.error().to_string()));
    return {};
  }
  return write(kube::types::namespaces(), outcome->object);
}

Status Collector::take_additional(const ItemKey& key, bool quiet) {
  if (taken_.contains(key)) return {};
  const kube::ResourceType* type = types_.preferred(key.group_resource);
  if (type == nullptr || reach(*type) == velero::Reach::none) return {};
  if (type->namespaced && !namespaces_.contains(key.ns)) return {};
  const std::function<Result<json::value>()> ask = [&] { return api_.get(*type, key.ns, key.name, stop_); };
  const Result<json::value> object = sync::retry_value<json::value>({}, *options_.clock, stop_, ask);
  if (object) return excluded(*object) ? Status() : take(*type, *object);
  if (object.is(ErrorCode::cancelled)) return object.error();
  if (object.is(ErrorCode::not_found)) {
    if (!quiet) findings_.warning(key.ns, key.to_string() + " is named by another object and does not exist");
    taken_.insert(key);
    return {};
  }
  findings_.error(key.ns, fmt::format("{}: {}", key.to_string(), object.error().to_string()));
  return {};
}

void Collector::count(const kube::ResourceType& type, const json::object& object) {
  out_.resource_list[velero::resource_list_key(type.api_version(), type.kind)].push_back(
      velero::resource_list_entry(object_namespace(object), object_name(object)));
  ++out_.items;
  if (options_.on_progress) options_.on_progress(out_.items, out_.items);
}

Status Collector::write(const kube::ResourceType& type, const json::object& object) {
  const TarballItem item{{type.group_resource(), object_namespace(object), object_name(object)}, type.version, true};
  Status status = tarball_.add(item, object);
  if (!status.is(ErrorCode::invalid)) return status;
  findings_.error(item.key.ns, status.error().to_string());
  return {};
}

/// A volume whose properties cannot be read is an error, and annotations and defaults decide.
std::optional<velero::VolumeAction> Collector::action_for(const json::value& pod, const json::value& volume) {
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  const std::string name = json::string_at(volume, {"name"});
  const std::string claim = velero::claim_of(pod, name);
  if (claim.empty()) return options_.policy->action(velero::facts_of_pod_volume(volume));
  const Result<velero::VolumeFacts> facts = claims_.volume_facts(ns, claim);
  if (facts) return options_.policy->action(*facts);
  findings_.error(ns, fmt::format("volume {} of pod {}: the resource policies cannot be applied: {}", name,
                                  json::string_at(pod, {"metadata", "name"}), facts.error().to_string()));
  return std::nullopt;
}

velero::PodVolumeChoice Collector::choose(const json::value& pod) {
  velero::PodVolumeRules rules;
  rules.default_volumes_to_fs_backup = fs_backup_by_default();
  rules.claim_is_host_path = [&](const std::string& n, const std::string& claim) {
    return claims_.claim(n, claim).host_path;
  };
  rules.claims_taken = &claims_taken_;
  if (options_.policy) rules.policy = [&](const json::value& volume) { return action_for(pod, volume); };
  return velero::choose_pod_volumes(pod, rules);
}

/// Claims that were to be saved through this pod and are not, unless another pod comes that saves them.
void Collector::miss(const json::value& pod, const velero::StringList& volumes, const std::string& reason) {
  for (const std::string& volume : volumes) {
    const std::string claim = velero::claim_of(pod, volume);
    if (claim.empty()) continue;
    missed_.emplace(std::pair(json::string_at(pod, {"metadata", "namespace"}), claim),
                    fmt::format("pod {}: {}", json::string_at(pod, {"metadata", "name"}), reason));
  }
}

void Collector::save_volumes(const json::value& pod) {
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  const std::string name = json::string_at(pod, {"metadata", "name"});
  velero::PodVolumeChoice choice = choose(pod);
  const bool runs =
      json::string_at(pod, {"status", "phase"}) == "Running" && !json::string_at(pod, {"spec", "nodeName"}).empty();
  if (!choice.volumes.empty() && (!runs || volumes_ == nullptr)) {
    const std::string reason = runs ? "no volume data is saved here" : kDoesNotRun;
    // Of one that has ended a mover may save them.
    if (!has_ended(pod)) findings_.warning(ns, fmt::format("volumes of pod {} are not saved: {}", name, reason));
    miss(pod, choice.volumes, reason);
    for (const std::string& volume : choice.volumes) choice.skipped.push_back({volume, reason, false});
    choice.volumes.clear();
  }
  for (const auto& skipped : choice.skipped) {
    if (skipped.warning)
      findings_.warning(ns, fmt::format("volume {} of pod {}: {}", skipped.volume, name, skipped.reason));
    const std::string claim = velero::claim_of(pod, skipped.volume);
    // A pod that has ended mounts nothing: its claims may be a mover's.
    if (has_ended(pod) && skipped.reason == kDoesNotRun) continue;
    if (!claim.empty()) claims_.note_skipped(ns, claim, fmt::format("podvolume: {};", skipped.reason));
  }
  if (choice.volumes.empty()) return end_of_pod(pod, {});

  std::vector<PodVolumeRequest> requests;
  for (const std::string& volume : choice.volumes) {
    PodVolumeRequest request{ns,
                             name,
                             json::string_at(pod, {"metadata", "uid"}),
                             json::string_at(pod, {"spec", "nodeName"}),
                             volume,
                             velero::claim_of(pod, volume),
                             "",
                             ""};
    if (!request.pvc.empty()) {
      const ClaimFacts::Claim& claim = claims_.claim(ns, request.pvc);
      request.pvc_uid = claim.uid;
      request.pv = claim.pv;
      claims_taken_.insert(ns + "/" + request.pvc);
    }
    requests.push_back(std::move(request));
  }
  volumes_->start(pod.get_object(), std::move(requests),
                  [this, pod](std::vector<PodVolumeResult> results) { end_of_pod(pod, std::move(results)); });
}

bool Collector::fs_backup_by_default() const {
  return spec_.default_volumes_to_fs_backup.value_or(
      spec_.default_volumes_to_restic.value_or(options_.default_fs_backup));
}

/// The claims of the backup that no pod mounts: a mover does, where the claim's annotation or the default asks for it.
/// One that a pod outside the backup uses is left alone: nobody froze that pod.
void Collector::save_unmounted_claims() {
  for (const auto& [ns, name] : claims_.open_claims()) {
    const ClaimFacts::Claim& claim = claims_.claim(ns, name);
    if (claim.host_path || claims_taken_.contains(fmt::format("{}/{}", ns, name)) || !wants_mover(ns, name, claim))
      continue;
    std::string reason = volumes_ == nullptr ? "no volume data is saved here" : who_uses(ns, name);
    if (!reason.empty()) {
      missed_.emplace(std::pair(ns, name), std::move(reason));
      continue;
    }
    PodVolumeRequest request;
    request.pod_namespace = ns;
    request.pvc = name;
    request.pvc_uid = claim.uid;
    request.pv = claim.pv;
    request.by_mover = true;
    volumes_->start_claim(std::move(request),
                          [this](std::vector<PodVolumeResult> results) { take_results(std::move(results)); });
  }
}

/// The claim's annotation decides, then the resource policies, then what a pod that has ended asked for, or the
/// default.
bool Collector::wants_mover(const std::string& ns, const std::string& name, const ClaimFacts::Claim& claim) {
  if (!claim.wish.empty()) return claim.wish == "true";
  if (options_.policy) {
    const Result<velero::VolumeFacts> facts = claims_.volume_facts(ns, name);
    if (!facts) {
      findings_.error(
          ns, fmt::format("claim {}: the resource policies cannot be applied: {}", name, facts.error().to_string()));
    } else if (const std::optional<velero::VolumeAction> action = options_.policy->action(*facts)) {
      return *action == velero::VolumeAction::fs_backup;
    }
  }
  return fs_backup_by_default() || missed_.contains({ns, name});
}

/// Why a mover must not mount the claim; empty: nobody uses it.
std::string Collector::who_uses(const std::string& ns, const std::string& claim) {
  auto known = pods_.find(ns);
  if (known == pods_.end()) {
    Result<kube::ListPage> listed = kube::list_all(api_, kube::types::pods(), ns, {}, stop_);
    if (!listed) return "it cannot be told whether a pod uses it: " + listed.error().message();
    known = pods_.emplace(ns, std::move(listed->items)).first;
  }
  for (const json::value& pod : known->second) {
    if (has_ended(pod)) continue;
    for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
      if (velero::claim_of(pod, json::string_at(volume, {"name"})) != claim) continue;
      return fmt::format("pod {} uses it, whose volumes are not in this backup",
                         json::string_at(pod, {"metadata", "name"}));
    }
  }
  return {};
}

/// From any thread.
void Collector::take_results(std::vector<PodVolumeResult> results) {
  for (const PodVolumeResult& result : results) {
    if (result.error.empty()) continue;
    findings_.error(result.request.pod_namespace, fmt::format("claim {}: {}", result.request.pvc, result.error));
  }
  std::lock_guard lock(mutex_);
  std::move(results.begin(), results.end(), std::back_inserter(out_.volumes));
}

/// Its volumes have ended, or it has none: time for the post hooks. From any thread.
void Collector::end_of_pod(const json::value& pod, std::vector<PodVolumeResult> results) {
  for (const PodVolumeResult& result : results) {
    if (result.error.empty()) continue;
    findings_.error(result.request.pod_namespace,
                    fmt::format("volume {} of pod {}: {}", result.request.volume, result.request.pod, result.error));
  }
  const bool asynchronous = !results.empty();
  {
    std::lock_guard lock(mutex_);
    std::move(results.begin(), results.end(), std::back_inserter(out_.volumes));
  }
  if (!asynchronous) return thaw(pod);
  post_hooks_->add([this, pod](std::stop_token) -> Status {
    thaw(pod);
    return {};
  });
}

void Collector::note_unsaved_claims() {
  std::set<std::pair<std::string, std::string>> saved;
  for (const PodVolumeResult& result : out_.volumes) saved.emplace(result.request.pod_namespace, result.request.pvc);
  for (SkippedVolume& skipped : claims_.skipped()) {
    if (saved.contains({skipped.ns, skipped.pvc})) continue;
    const auto missed = missed_.find({skipped.ns, skipped.pvc});
    if (missed != missed_.end()) {
      skipped.failed = true;
      skipped.reason = missed->second;
      findings_.error(skipped.ns, fmt::format("claim {} is not saved: {}", skipped.pvc, skipped.reason));
    }
    out_.skipped_volumes.push_back(std::move(skipped));
  }
}

}  // namespace

Result<Collected> collect(kube::Api& api, const CollectOptions& options, TarballWriter& tarball, VolumeBackups* volumes,
                          Findings& findings, std::stop_token stop) {
  Collector collector(api, options, tarball, volumes, findings, stop);
  return collector.run();
}

}  // namespace holdfast::backup
