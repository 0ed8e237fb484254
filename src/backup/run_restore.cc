#include "backup/run_restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>

#include "backup/finish_deployment_configs.h"
#include "backup/json_edit.h"
#include "backup/object_restorer.h"
#include "backup/resource_modifiers.h"
#include "backup/restore_files.h"
#include "backup/restore_hooks.h"
#include "backup/restored_data.h"
#include "backup/source_facts.h"
#include "sync/retry.h"
#include "sync/workers.h"
#include "velero/filter.h"
#include "velero/hooks.h"
#include "velero/names.h"
#include "velero/restore_options.h"

namespace holdfast::backup {
namespace {

const std::string kCrds = "customresourcedefinitions.apiextensions.k8s.io";

class Restorer {
 public:
  Restorer(kube::Api& api, objstore::Store& store, const RestoreRun& run, VolumeRestores* volumes, std::stop_token stop)
      : api_(api),
        store_(store),
        run_(run),
        spec_(run.restore.spec),
        volumes_(volumes),
        stop_(std::move(stop)),
        lines_(std::make_shared<log::MemorySink>()),
        findings_(run.log.also_to(lines_).with({{"restore", run.restore.metadata.name}})),
        hooks_(api, spec_.hooks, findings_, *run.clock, stop_),
        data_(facts_, run.restore.metadata.annotation(velero::annotation::kStartWithoutData), findings_) {}

  Result<RestoreOutcome> go();

 private:
  Status check_spec() const;
  void gather_facts(const BackupContents& contents);
  std::string lost_data(const std::string& ns, const std::string& claim);
  ObjectRules rules(ObjectRestorer*& restorer);
  std::vector<const Tarball::Entry*> select(const TypeIndex& types) const;
  bool selects(const Tarball::Entry& entry, const TypeIndex& types) const;
  bool allows_additional(const ItemKey& key, const TypeIndex& types) const;
  Status restore_crds(ObjectRestorer& restorer);
  Status wait_established(const std::string& name);
  Status restore_rest(ObjectRestorer& restorer);
  Status restore_type(ObjectRestorer& restorer, const std::vector<const Tarball::Entry*>& entries);
  void start_volumes(const json::object& source, const json::object& created);
  void take_volume_result(const PodVolumeRestoreResult& result);
  Status fill_claims(const ObjectRestorer& restorer);
  void finish_claims(const std::vector<ObjectRestorer::FreshClaim>& claims);
  void finish_configs(const ObjectRestorer& restorer, std::map<ItemKey, std::string> missing_data);
  Status adopt(const ObjectRestorer::FreshClaim& claim);
  RestoreOutcome outcome(const ObjectRestorer& restorer);

  kube::Api& api_;
  objstore::Store& store_;
  const RestoreRun& run_;
  const velero::RestoreSpec& spec_;
  VolumeRestores* volumes_;
  std::stop_token stop_;
  std::shared_ptr<log::MemorySink> lines_;
  Findings findings_;
  RestoreHooks hooks_;
  RestoreFacts facts_;
  RestoredData data_;
  velero::ResourceFilter filter_;
  velero::ResourceFilter status_filter_;
  std::optional<ResourceModifiers> modifiers_;
  std::optional<BackupContents> contents_;
  std::optional<VolumeFacts> volume_facts_;
  std::vector<velero::RestoreVolumeInfo> infos_;
  std::mutex mutex_;  ///< guards infos_
  std::atomic<int> done_ = 0;
  int total_ = 0;
};

Status Restorer::check_spec() const {
  if (!velero::valid_object_name(run_.restore.metadata.name)) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no name of a restore", run_.restore.metadata.name));
  }
  if (spec_.resource_modifier && run_.resource_modifier.empty()) {
    return Error(ErrorCode::invalid,
                 fmt::format("resource modifier {}: no such ConfigMap", spec_.resource_modifier->name));
  }
  const std::string& policy = spec_.existing_resource_policy;
  if (!policy.empty() && policy != "none" && policy != "update") {
    return Error(ErrorCode::invalid, fmt::format("existingResourcePolicy: \"{}\" is neither none nor update", policy));
  }
  return {};
}

Result<RestoreOutcome> Restorer::go() {
  TRY(check_spec());
  if (!run_.resource_modifier.empty()) {
    modifiers_ = TRY(ResourceModifiers::parse(run_.resource_modifier).in("resource modifier"));
  }
  contents_ = TRY(read_backup(store_, run_.layout, spec_.backup_name, run_.tarball, stop_));
  volume_facts_.emplace(contents_->volume_infos, contents_->pod_volume_backups);
  TypeIndex types(TRY(api_.discover(stop_).in("discover the types of the cluster")));
  facts_.openshift_version = openshift_version(api_, types, stop_);
  facts_.registry_hostname = registry_hostname(api_, types, stop_);
  gather_facts(*contents_);
  for (const ItemKey& claim : run_.resumed.full_claims) data_.note_full(claim);
  data_.set_carriers(run_.resumed.carriers);

  ObjectRestorer* self = nullptr;
  ObjectRestorer restorer(api_, contents_->tarball, facts_, *volume_facts_, rules(self), findings_, *run_.clock);
  self = &restorer;
  filter_ = velero::ResourceFilter::of(spec_, types.velero_types());
  restorer.set_types(std::move(types));
  Status status = restore_crds(restorer);
  if (status) status = restore_rest(restorer);
  std::stop_source given_up;
  if (!status) given_up.request_stop();
  if (volumes_ != nullptr) volumes_->wait(status ? stop_ : given_up.get_token());
  if (!status) return std::move(status).error();
  // What the volumes' wait says of a stop is no judgement.
  if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped before the restore was complete");
  hooks_.finish();
  const std::vector<ObjectRestorer::FreshClaim> claims = restorer.fresh_claims();
  finish_claims(claims);
  finish_configs(restorer, data_.judge(claims));
  RestoreOutcome result = outcome(restorer);
  write_restore_files(store_, run_.layout, run_.restore.metadata.name, result, lines_->text(), run_.log, stop_);
  return result;
}

/// Why the claim of the source comes back without its data. One that somebody else made in the target has its own.
std::string Restorer::lost_data(const std::string& ns, const std::string& claim) {
  std::string reason = data_.lost(ns, claim);
  if (reason.empty()) return reason;
  const auto live = api_.get(kube::types::persistent_volume_claims(), facts_.mapped(ns), claim, stop_);
  const bool foreign = live.ok() && json::string_at(*live, {"metadata", "labels", velero::label::kRestoreName}) !=
                                        velero::label_value(facts_.restore_name);
  return foreign ? std::string() : reason;
}

void Restorer::gather_facts(const BackupContents& contents) {
  facts_.restore_name = run_.restore.metadata.name;
  facts_.restore_uid = run_.restore.metadata.uid;
  facts_.backup_name = spec_.backup_name;
  facts_.namespace_mapping = spec_.namespace_mapping;
  facts_.preserve_node_ports = spec_.preserve_node_ports.value_or(false);
  const velero::BackupSpec& source = contents.backup.spec;
  facts_.default_fs_backup =
      source.default_volumes_to_fs_backup.value_or(source.default_volumes_to_restic.value_or(false));
  facts_.storage_class_map = run_.plugins.storage_classes;
  facts_.image_names = run_.plugins.image_names;
  facts_.restore_wait = run_.restore_wait;
  if (spec_.restore_pvs.value_or(true)) {
    data_.set_record(record_of_claims(contents));
    facts_.shared_claims = data_.record().shared;
    facts_.lost_data = [this](const std::string& ns, const std::string& claim) { return lost_data(ns, claim); };
    if (volumes_ != nullptr) {
      facts_.volumes = volume_facts_->volumes();
    } else if (const size_t all = volume_facts_->volumes().size() + volume_facts_->mover_volumes().size(); all > 0) {
      findings_.run_error(fmt::format("the data of {} volumes is not restored: nobody here moves volume data", all));
    }
  }
  facts_.init_hooks = [this](const json::object& pod) {
    std::vector<json::object> containers;
    const auto plan = velero::restore_init_hooks(pod, spec_.hooks);
    if (!plan) {
      findings_.error(object_namespace(pod), fmt::format("pod {}: {}", object_name(pod), plan.error().to_string()));
      return containers;
    }
    for (const json::value& container : plan->init_containers) {
      if (container.is_object()) containers.push_back(container.get_object());
    }
    return containers;
  };
  facts_.has_hooks = [this](const json::object& pod) {
    const auto exec = velero::restore_exec_hooks(pod, spec_.hooks);
    const auto init = velero::restore_init_hooks(pod, spec_.hooks);
    return !exec || !init || !exec->empty() || !init->init_containers.empty();
  };
  if (!facts_.storage_class_map.empty()) {
    const kube::ResourceType classes{.group = "storage.k8s.io",
                                     .version = "v1",
                                     .plural = "storageclasses",
                                     .kind = "StorageClass",
                                     .namespaced = false,
                                     .singular = "storageclass",
                                     .short_names = {"sc"},
                                     .verbs = {"get", "list"},
                                     .preferred = true};
    const auto all = kube::list_all(api_, classes, "", {}, stop_);
    if (!all) findings_.run_warning("list storage classes: " + all.error().to_string());
    const std::vector<json::value> found = all ? all->items : std::vector<json::value>();
    for (const json::value& one : found) facts_.storage_classes.insert(json::string_at(one, {"metadata", "name"}));
  }
  for (const Tarball::Entry& entry : contents.tarball.entries()) {
    if (entry.item.key.group_resource != "deploymentconfigs.apps.openshift.io") continue;
    const auto config = contents.tarball.object(entry);
    if (config && json::bool_at(*config, {"spec", "paused"})) facts_.paused_deployment_configs.insert(entry.item.key);
  }
}

ObjectRules Restorer::rules(ObjectRestorer*& restorer) {
  ObjectRules rules;
  rules.update_existing = spec_.existing_resource_policy == "update";
  rules.restore_volumes = spec_.restore_pvs.value_or(true);
  rules.resumed = run_.resumed.again;
  rules.begun_pods = run_.resumed.begun_pods;
  rules.terminating_wait = run_.terminating_wait;
  rules.pull_secret_wait = run_.pull_secret_wait;
  rules.allows_additional = [this, &restorer](const ItemKey& key) { return allows_additional(key, restorer->types()); };
  rules.on_pod = [this](const json::object& source, const json::object& created) {
    hooks_.add(created);
    start_volumes(source, created);
  };
  if (modifiers_) {
    rules.modify = [this](const std::string& type, json::object object) {
      return modifiers_->apply(type, std::move(object));
    };
  }
  rules.wants_status = [this, &restorer](const std::string& type, const json::object& object) {
    const std::string asked = annotation(object, velero::annotation::kRestoreStatus);
    if (!asked.empty()) return asked == "true";
    if (!spec_.restore_status) return false;
    const std::vector<velero::ResourceType> types = restorer->types().velero_types();
    const velero::IncludesExcludes lists{velero::resolve_resources(spec_.restore_status->included_resources, types),
                                         velero::resolve_resources(spec_.restore_status->excluded_resources, types)};
    return !lists.includes.empty() && lists.includes_name(type);
  };
  return rules;
}

bool Restorer::selects(const Tarball::Entry& entry, const TypeIndex& types) const {
  const ItemKey& key = entry.item.key;
  if (!restorable_type(key.group_resource) || key.group_resource == "namespaces") return false;
  if (!key.ns.empty() && !filter_.takes_namespace(key.ns)) return false;
  const kube::ResourceType* type = types.preferred(key.group_resource);
  if (type != nullptr && filter_.reach(TypeIndex::to_velero(*type)) != velero::Reach::swept) return false;
  if (!spec_.label_selector && spec_.or_label_selectors.empty()) return true;
  const auto object = contents_->tarball.object(entry);
  return !object || filter_.selects(velero::labels_of(*object));  // a broken one is reported when it is restored
}

bool Restorer::allows_additional(const ItemKey& key, const TypeIndex& types) const {
  if (!restorable_type(key.group_resource)) return false;
  if (!key.ns.empty() && !filter_.takes_namespace(key.ns)) return false;
  const kube::ResourceType* type = types.preferred(key.group_resource);
  return type != nullptr && filter_.reach(TypeIndex::to_velero(*type)) != velero::Reach::none;
}

/// One entry for each object: the preferred version where the target serves it, else another that it serves.
std::vector<const Tarball::Entry*> Restorer::select(const TypeIndex& types) const {
  std::vector<const Tarball::Entry*> chosen;
  for (const Tarball::Entry& entry : contents_->tarball.entries()) {
    const ItemKey& key = entry.item.key;
    const bool again = !chosen.empty() && chosen.back()->item.key == key;
    if (again) {
      const std::string group =
          key.group_resource.substr(std::min(key.group_resource.find('.'), key.group_resource.size()));
      const auto served = [&](const Tarball::Entry& one) {
        return types.in_version(key.group_resource,
                                group.empty() ? one.item.version : group.substr(1) + "/" + one.item.version) != nullptr;
      };
      if (!served(*chosen.back()) && served(entry)) chosen.back() = &entry;
    } else if (selects(entry, types)) {
      chosen.push_back(&entry);
    }
  }
  return chosen;
}

Status Restorer::restore_type(ObjectRestorer& restorer, const std::vector<const Tarball::Entry*>& entries) {
  sync::WorkerGroup group(std::max<size_t>(1, std::min(run_.parallel, entries.size())), stop_);
  for (const Tarball::Entry* entry : entries) {
    group.add([this, &restorer, entry](std::stop_token stop) -> Status {
      restorer.restore(*entry, stop);
      const int done = ++done_;
      if (run_.on_progress) run_.on_progress(total_, done);
      return {};
    });
  }
  TRY(group.finish());
  if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped while restoring");
  return {};
}

Status Restorer::wait_established(const std::string& name) {
  const BootTime deadline = run_.clock->boottime() + run_.crd_wait;
  while (true) {
    const auto live = api_.get(kube::types::custom_resource_definitions(), "", name, stop_);
    if (live.is(ErrorCode::not_found)) return {};  // it was not restored: that is said already
    const json::value definition = live ? *live : json::value();
    for (const json::value& condition : json::array_at(definition, {"status", "conditions"})) {
      if (json::string_at(condition, {"type"}) == "Established" && json::string_at(condition, {"status"}) == "True") {
        return {};
      }
    }
    if (run_.clock->boottime() >= deadline) {
      findings_.warning({}, fmt::format("CustomResourceDefinition {} is not established after {}", name,
                                        format_go_duration(run_.crd_wait)));
      return {};
    }
    TRY(run_.clock->sleep(stop_, std::chrono::milliseconds(250)));
  }
}

Status Restorer::restore_crds(ObjectRestorer& restorer) {
  std::vector<const Tarball::Entry*> definitions;
  for (const Tarball::Entry* entry : select(restorer.types())) {
    if (entry->item.key.group_resource == kCrds) definitions.push_back(entry);
  }
  // A definition that is merely related comes too: without it the restored objects of its type have no home.
  for (const Tarball::Entry& entry : contents_->tarball.entries()) {
    if (entry.item.key.group_resource == kCrds && allows_additional(entry.item.key, restorer.types()) &&
        std::find(definitions.begin(), definitions.end(), &entry) == definitions.end()) {
      definitions.push_back(&entry);
    }
  }
  if (definitions.empty()) return {};
  TRY(restore_type(restorer, definitions));
  for (const Tarball::Entry* entry : definitions) TRY(wait_established(entry->item.key.name));
  TypeIndex types(TRY(api_.discover(stop_).in("discover the types after the CustomResourceDefinitions")));
  filter_ = velero::ResourceFilter::of(spec_, types.velero_types());
  restorer.set_types(std::move(types));
  return {};
}

Status Restorer::restore_rest(ObjectRestorer& restorer) {
  std::map<std::string, std::vector<const Tarball::Entry*>> by_type;
  std::set<std::string> names;
  std::set<std::string> namespaces;
  for (const Tarball::Entry* entry : select(restorer.types())) {
    const ItemKey& key = entry->item.key;
    by_type[key.group_resource].push_back(entry);
    names.insert(key.group_resource);
    if (!key.ns.empty()) namespaces.insert(key.ns);
    ++total_;
  }
  // An empty namespace comes back too, unless only labelled objects are wanted.
  const bool labelled = spec_.label_selector.has_value() || !spec_.or_label_selectors.empty();
  for (const Tarball::Entry& entry : contents_->tarball.entries()) {
    const ItemKey& key = entry.item.key;
    if (key.group_resource == "namespaces" && !labelled && filter_.takes_namespace(key.name) &&
        allows_additional({"namespaces", "", key.name}, restorer.types())) {
      namespaces.insert(key.name);
    }
  }
  for (const std::string& ns : namespaces) restorer.ensure_namespace(ns, stop_);
  const std::vector<std::string>& priorities = run_.priorities.empty() ? default_priorities() : run_.priorities;
  for (const std::string& type : restore_order(names, priorities)) {
    TRY(restore_type(restorer, by_type[type]));
    if (type == "persistentvolumeclaims") TRY(fill_claims(restorer));
  }
  return {};
}

void Restorer::start_volumes(const json::object& source, const json::object& created) {
  if (volumes_ == nullptr) return;
  PodVolumeRestoreRequest request{object_namespace(created), object_name(created),
                                  json::string_at(created, {"metadata", "uid"}), data_.take(source, created)};
  if (request.volumes.empty()) return;
  volumes_->start(std::move(request), [this](const PodVolumeRestoreResult& result) { take_volume_result(result); });
}

/// The claims whose files were saved by a mover get them back by one, before anything is restored that could use them:
/// a workload's controller may make pods at any time, and those wait for nobody.
Status Restorer::fill_claims(const ObjectRestorer& restorer) {
  if (volumes_ == nullptr || !spec_.restore_pvs.value_or(true)) return {};
  std::mutex mutex;
  std::condition_variable_any changed;
  size_t open = 0;
  for (const RestoredVolume& volume : volume_facts_->mover_volumes()) {
    const std::string ns = facts_.mapped(volume.pod_namespace);
    // What was there before keeps its files, and what an earlier life filled may have been written to since.
    if (!restorer.created_claim(ns, volume.pvc) || data_.full(ns, volume.pvc)) continue;
    {
      std::lock_guard lock(mutex);
      ++open;
    }
    volumes_->start_claim({ns, {}, {}, {volume}, true}, [&](const PodVolumeRestoreResult& result) {
      take_volume_result(result);
      std::lock_guard lock(mutex);
      --open;
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  // Each ends within a limit of its own, also when the restore is stopped: what they refer to lives here.
  while (open > 0) {
    changed.wait_for(lock, std::chrono::milliseconds(200));
    if (!stop_.stop_requested()) continue;
    lock.unlock();
    std::stop_source given_up;
    given_up.request_stop();
    volumes_->wait(given_up.get_token());
    lock.lock();
  }
  if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped while restoring");
  return {};
}

void Restorer::take_volume_result(const PodVolumeRestoreResult& result) {
  const PodVolumeRestoreRequest& request = result.request;
  data_.ended(result);
  std::lock_guard lock(mutex_);
  for (const RestoredVolume& volume : request.volumes) {
    if (volume.pvc.empty()) continue;  // volumes without a claim are not listed
    velero::RestoreVolumeInfo info;
    info.pvc_name = volume.pvc;
    info.pvc_namespace = request.pod_namespace;
    info.restore_method = "PodVolumeRestore";
    velero::PodVolumeInfo pod;
    pod.snapshot_handle = volume.snapshot_id;
    pod.size = volume.size;
    pod.uploader_type = volume.uploader;
    pod.volume_name = volume.volume;
    pod.pod_name = request.pod;
    pod.pod_namespace = request.pod_namespace;
    info.pvr_info = std::move(pod);
    infos_.push_back(std::move(info));
  }
}

/// A volume that was provisioned anew gets the reclaim policy and the labels of the old one. Every Done has returned by
/// now: infos_ has no other user left.
Status Restorer::adopt(const ObjectRestorer::FreshClaim& claim) {
  const auto live = api_.get(kube::types::persistent_volume_claims(), claim.ns, claim.name, stop_);
  if (live.is(ErrorCode::not_found)) return {};
  if (!live) return live.error();
  const std::string pv = json::string_at(*live, {"spec", "volumeName"});
  for (velero::RestoreVolumeInfo& info : infos_) {
    if (info.pvc_namespace == claim.ns && info.pvc_name == claim.name) info.pv_name = pv;
  }
  const velero::PvInfo* old = volume_facts_->pv(claim.old_pv);
  if (pv.empty() || old == nullptr || pv == claim.old_pv) return {};
  json::object body;
  if (!old->reclaim_policy.empty()) {
    json::set(body, {"spec", "persistentVolumeReclaimPolicy"}, json::value(old->reclaim_policy));
  }
  for (const auto& [name, value] : old->labels) json::set(body, {"metadata", "labels", name}, json::value(value));
  if (body.empty()) return {};
  const auto patched = api_.patch(kube::types::persistent_volumes(), "", pv, kube::PatchKind::merge, body, {}, stop_);
  return patched ? Status() : Status(patched.error());
}

void Restorer::finish_claims(const std::vector<ObjectRestorer::FreshClaim>& claims) {
  for (const ObjectRestorer::FreshClaim& claim : claims) {
    const Status adopted = adopt(claim);
    if (!adopted) {
      findings_.warning(claim.ns, fmt::format("volume of claim {}: reclaim policy and labels: {}", claim.name,
                                              adopted.error().to_string()));
    }
  }
}

void Restorer::finish_configs(const ObjectRestorer& restorer, std::map<ItemKey, std::string> missing_data) {
  if (!restorer.held_deployment_configs()) return;
  const velero::ObjectMeta& meta = run_.restore.metadata;
  const HeldDeploymentConfigs held{meta.name, meta.uid, restorer.namespaces(), std::move(missing_data)};
  const Result<FinishedDeploymentConfigs> done =
      finish_deployment_configs(api_, held, *run_.clock, run_.pods_gone_wait, stop_);
  if (!done) return findings_.run_error("DeploymentConfigs stay at zero replicas: " + done.error().to_string());
  for (const auto& [ns, why] : done->left) findings_.error(ns, why);
  findings_.log().info("deployment configs finished", {{"configs", done->configs}, {"pods", done->pods}});
}

RestoreOutcome Restorer::outcome(const ObjectRestorer& restorer) {
  RestoreOutcome result;
  result.results = findings_.results();
  result.phase = findings_.errors() > 0 ? velero::phase::kPartiallyFailed : velero::phase::kCompleted;
  result.items = restorer.items();
  result.hooks_attempted = hooks_.attempted();
  result.hooks_failed = hooks_.failed();
  result.resource_list = restorer.resource_list();
  result.volume_infos = infos_;
  return result;
}

}  // namespace

Result<RestoreOutcome> run_restore(kube::Api& api, objstore::Store& store, const RestoreRun& run,
                                   VolumeRestores* volumes, std::stop_token stop) {
  Restorer restorer(api, store, run, volumes, std::move(stop));
  return restorer.go().in("restore " + run.restore.metadata.name);
}

}  // namespace holdfast::backup
