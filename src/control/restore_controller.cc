#include "control/restore_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "backup/resource_modifiers.h"
#include "base/text.h"
#include "control/mover.h"
#include "control/pod_volumes.h"
#include "velero/layout.h"
#include "velero/names.h"
#include "velero/restore_options.h"
#include "velero/validate.h"

namespace holdfast::control {

namespace {

constexpr Duration kWaitLook = std::chrono::milliseconds(500);
/// On a Restore: how often a new leader went on with it. One that brings every controller down must end.
constexpr std::string_view kResumed = "holdfast.dev/resumed";
constexpr int64_t kLivesMax = 5;
constexpr Duration kWriteTry = std::chrono::milliseconds(500);
constexpr Duration kWriteTold = std::chrono::minutes(1);

/// ConfigMap data of the plugin settings that restores read (velero.md 1.11).
Result<backup::RestorePlugins> plugins_of(const Context& context, std::stop_token stop) {
  backup::RestorePlugins out;
  kube::ListOptions options;
  options.label_selector = std::string(velero::label::kPluginConfig);
  const kube::ListPage page =
      TRY(kube::list_all(context.api, kube::types::config_maps(), context.objects.ns(), options, std::move(stop)));
  for (const json::value& map : page.items) {
    const json::object& labels = json::object_at(map, {"metadata", "labels"});
    for (const auto& [key, value] : json::object_at(map, {"data"})) {
      const std::string text(value.is_string() ? std::string_view(value.get_string()) : std::string_view());
      if (labels.contains(velero::label::kChangeStorageClass)) out.storage_classes[key] = text;
      if (labels.contains(velero::label::kChangeImageName)) {
        const size_t comma = text.find(',');
        if (comma != std::string::npos) out.image_names.emplace_back(text.substr(0, comma), text.substr(comma + 1));
      }
    }
  }
  return out;
}

/// The rules of the ConfigMap that spec.resourceModifier names, proved to be rules.
Result<std::string> modifier_of(const Context& context, const std::string& name, std::stop_token stop) {
  const std::string& ns = context.objects.ns();
  const Result<json::value> map = context.api.get(kube::types::config_maps(), ns, name, std::move(stop));
  if (map.is(ErrorCode::not_found)) return Error(ErrorCode::not_found, velero::missing_modifier_text(ns, name));
  if (!map) return map.error();
  const json::object& data = json::object_at(*map, {"data"});
  if (data.size() != 1 || !data.begin()->value().is_string()) {
    return Error(
        ErrorCode::invalid,
        fmt::format("resource modifiers configmap {}/{} must have exactly one key, it has {}", ns, name, data.size()));
  }
  std::string text(data.begin()->value().get_string());
  TRY(backup::ResourceModifiers::parse(text).in(
      fmt::format("Error in parsing resource modifiers provided in configmap {}/{}", ns, name)));
  return text;
}

bool usable(const velero::Backup& backup, bool allow_partial) {
  return backup.status.phase == velero::phase::kCompleted ||
         (allow_partial && backup.status.phase == velero::phase::kPartiallyFailed);
}

}  // namespace

/// They are gone on with by reconcile(), one at a time, as new ones are.
Status RestoreController::take_over(std::stop_token stop) {
  for (const velero::Restore& restore : TRY(context_.objects.list<velero::Restore>({}, stop))) {
    if (restore.status.phase == velero::phase::kInProgress || restore.status.phase == velero::phase::kFinalizing)
      lost_.insert(restore.metadata.uid);
  }
  return {};
}

Result<kube::After> RestoreController::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::Restore> found = context_.objects.get<velero::Restore>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::Restore restore = TRY(std::move(found));
  if (restore.metadata.deletion_timestamp.has_value()) {
    if (lost_.contains(restore.metadata.uid)) {
      TRY(remove_movers_of(context_, restore.metadata.uid, stop));
      lost_.erase(restore.metadata.uid);
    }
    TRY(end_of(restore, stop));
    return kube::After::done();
  }
  if (lost_.contains(restore.metadata.uid)) return go_on(std::move(restore), stop);
  if (restore.status.phase == velero::phase::kInProgress) {
    // Set so by a write whose answer was lost: nobody else runs it.
    if (auto begun = begun_.extract(restore.metadata.uid)) TRY(run(std::move(restore), begun.mapped(), {}, stop));
    return kube::After::done();
  }
  if (!restore.status.phase.empty() && restore.status.phase != velero::phase::kNew) return kube::After::done();
  velero::StringList faults;
  const std::optional<Source> source = TRY(find_source(restore, faults, stop));
  if (!source.has_value() && faults.empty()) return kube::After::in(kWaitLook);
  {
    std::lock_guard lock(mutex_);
    first_seen_.erase(restore.metadata.uid);
  }
  auto& finalizers = restore.metadata.finalizers;
  const std::string own(velero::finalizer::kRestoreExternalResources);
  if (std::find(finalizers.begin(), finalizers.end(), own) == finalizers.end()) finalizers.push_back(own);
  restore.status.validation_errors = faults;
  restore.status.phase = faults.empty() ? velero::phase::kInProgress : velero::phase::kFailedValidation;
  restore.status.start_timestamp = context_.clock.now();
  if (!faults.empty()) restore.status.completion_timestamp = context_.clock.now();
  if (source.has_value() && faults.empty()) begun_.insert_or_assign(restore.metadata.uid, *source);
  TRY(context_.objects.write_status(restore, VeleroObjects::Also::metadata_and_spec, stop));
  context_.metrics.counter("velero_restore_attempt_total", "Restores begun", {{"schedule", restore.spec.schedule_name}})
      .add();
  if (!faults.empty()) {
    context_.log.error("restore is not valid", {{"restore", name}, {"error", faults.front()}});
    return kube::After::done();
  }
  begun_.erase(restore.metadata.uid);
  TRY(run(std::move(restore), *source, {}, stop));
  return kube::After::done();
}

Result<std::optional<RestoreController::Source>> RestoreController::find_source(velero::Restore& restore,
                                                                                velero::StringList& faults,
                                                                                std::stop_token stop) {
  velero::RestoreLookups lookups;
  std::optional<velero::Backup> chosen;
  const bool by_schedule = restore.spec.backup_name.empty() && !restore.spec.schedule_name.empty();
  if (by_schedule) {
    // Half a sync knows the oldest backups and not the newest.
    if (const Status synced = sync_all(true, stop); !synced) {
      if (may_still_come(restore)) return std::optional<Source>();
      faults.push_back(fmt::format("which backup of schedule {} is the newest is not known: {}; name one by backupName",
                                   restore.spec.schedule_name, synced.error().to_string()));
      return std::optional<Source>();
    }
    const bool partial = restore.metadata.annotation(velero::annotation::kAllowPartiallyFailed) == "true";
    const std::string label =
        fmt::format("{}={}", velero::label::kScheduleName, velero::label_value(restore.spec.schedule_name));
    for (velero::Backup& backup : TRY(context_.objects.list<velero::Backup>(label, stop))) {
      ++lookups.schedule_backups;
      if (!usable(backup, partial)) continue;
      ++lookups.schedule_backups_completed;
      if (!chosen.has_value() || chosen->status.start_timestamp < backup.status.start_timestamp)
        chosen = std::move(backup);
    }
  } else if (!restore.spec.backup_name.empty()) {
    Result<velero::Backup> backup = context_.objects.get<velero::Backup>(restore.spec.backup_name, stop);
    if (backup.ok()) {
      chosen = std::move(*backup);
    } else if (!backup.is(ErrorCode::not_found)) {
      return backup.error();
    }
  }
  if (!chosen.has_value() && (by_schedule || !restore.spec.backup_name.empty()) && may_still_come(restore)) {
    if (!by_schedule) TRY(sync_all(false, stop));
    return std::optional<Source>();
  }
  std::optional<velero::BackupStorageLocation> location;
  if (chosen.has_value()) {
    lookups.backup_exists = true;
    Result<velero::BackupStorageLocation> found =
        context_.objects.get<velero::BackupStorageLocation>(chosen->spec.storage_location, stop);
    if (found.ok()) {
      location = std::move(*found);
      lookups.location = &*location;
    } else if (!found.is(ErrorCode::not_found)) {
      return found.error();
    }
  }
  std::string modifier;
  if (restore.spec.resource_modifier.has_value()) {
    Result<std::string> text = modifier_of(context_, restore.spec.resource_modifier->name, stop);
    if (text.ok()) {
      modifier = std::move(*text);
    } else if (text.error().retryable()) {
      return text.error();
    } else {
      lookups.resource_modifier_fault = text.error().message();
    }
  }
  faults = velero::validate(restore, lookups);
  if (!faults.empty()) return std::optional<Source>();
  if (!chosen.has_value() || !location.has_value()) {
    faults.emplace_back("neither a backup nor a schedule with a usable backup was found");
    return std::optional<Source>();
  }
  if (chosen->status.phase == velero::phase::kDeleting) {
    faults.push_back(fmt::format("backup {} is being deleted", chosen->metadata.name));
    return std::optional<Source>();
  }
  restore.spec.backup_name = chosen->metadata.name;
  return std::optional(Source{std::move(*chosen), std::move(*location), std::move(modifier)});
}

bool RestoreController::may_still_come(const velero::Restore& restore) {
  const BootTime now = context_.clock.boottime();
  std::lock_guard lock(mutex_);
  return now - first_seen_.emplace(restore.metadata.uid, now).first->second < context_.options.restore_sync_wait;
}

Status RestoreController::sync_all(bool strictly, std::stop_token stop) {
  for (const velero::BackupStorageLocation& object :
       TRY(context_.objects.list<velero::BackupStorageLocation>({}, stop))) {
    const auto sync = [&]() -> Status {
      const location::Location location = TRY(context_.locations.get(object.metadata.name, stop));
      std::vector<Error> unread;
      TRY(sync_.sync(location, stop, &unread));
      // What is broken for good hides nothing: it is no backup.
      for (Error& error : unread) {
        if (error.retryable()) return std::move(error);
      }
      return {};
    };
    Status synced = sync();
    // Its own controller tells why a location is Unavailable.
    if (!synced && strictly) return std::move(synced).error().in("backup location " + object.metadata.name);
  }
  return {};
}

/// The phase is left as it is, because agents drop the work of a Restore that is not InProgress.
Result<kube::After> RestoreController::go_on(velero::Restore restore, std::stop_token stop) {
  const Result<int64_t> noted = parse_int(restore.metadata.annotation(kResumed));
  const int64_t lives = noted.ok() ? *noted + 1 : 1;
  velero::StringList faults;
  std::optional<Source> source;
  if (lives > kLivesMax) {
    faults.push_back(fmt::format("its controller was lost {} times", lives));
  } else {
    source = TRY(find_source(restore, faults, stop));
    if (!source.has_value() && faults.empty()) return kube::After::in(kWaitLook);
  }
  if (!source.has_value()) {
    TRY(remove_movers_of(context_, restore.metadata.uid, stop));
    lost_.erase(restore.metadata.uid);
    restore.status.phase = velero::phase::kFailed;
    restore.status.failure_reason = fmt::format(
        "controller lost, and it cannot be gone on with: {}. To restore again, scale the workloads to zero and delete "
        "the pods and claims that bear the label {}={} first",
        faults.front(), velero::label::kRestoreName, velero::label_value(restore.metadata.name));
    restore.status.completion_timestamp = context_.clock.now();
    TRY(finish(restore, stop));
    return kube::After::done();
  }
  restore.metadata.annotations[std::string(kResumed)] = std::to_string(lives);
  json::object patch;
  json::set(patch, {"metadata", "annotations", kResumed}, json::value(std::to_string(lives)));
  TRY(context_.objects.merge<velero::Restore>(restore.metadata.name, std::move(patch), stop));
  const backup::ResumedRestore resumed = TRY(what_was_begun(restore, stop));
  context_.log.info("restore goes on, as its controller was lost", {{"restore", restore.metadata.name}});
  lost_.erase(restore.metadata.uid);
  TRY(run(std::move(restore), *source, resumed, stop));
  return kube::After::done();
}

Result<backup::ResumedRestore> RestoreController::what_was_begun(const velero::Restore& restore,
                                                                 std::stop_token stop) const {
  backup::ResumedRestore out{.again = true, .begun_pods = {}, .full_claims = {}, .carriers = {}};
  const std::string own = fmt::format("{}={}", velero::label::kRestoreUid, restore.metadata.uid);
  for (const velero::PodVolumeRestore& pvr :
       TRY(context_.objects.list<velero::PodVolumeRestore>(own, std::move(stop)))) {
    out.begun_pods.insert({"pods", pvr.spec.pod.namespace_, pvr.spec.pod.name});
    const std::string claim = pvr.metadata.annotation(velero::annotation::kPvcName);
    if (claim.empty()) continue;
    const backup::ItemKey key{"persistentvolumeclaims", pvr.spec.pod.namespace_, claim};
    out.carriers.emplace(key, pvr.spec.pod.name);
    if (pvr.status.phase == velero::phase::kCompleted) out.full_claims.insert(key);
  }
  return out;
}

Status RestoreController::run(velero::Restore restore, const Source& source, const backup::ResumedRestore& resumed,
                              std::stop_token stop) {
  const log::Logger log = context_.log.with({{"restore", restore.metadata.name}});
  const auto work = [&]() -> Result<backup::RestoreOutcome> {
    // This Restore is InProgress by now: a deletion that begins later sees it and waits.
    const velero::Backup read = TRY(context_.objects.get<velero::Backup>(restore.spec.backup_name, stop));
    if (read.status.phase == velero::phase::kDeleting) {
      return Error(ErrorCode::conflict, fmt::format("backup {} is being deleted", restore.spec.backup_name));
    }
    const location::Location location = TRY(context_.locations.get(source.location.metadata.name, stop));
    PodVolumeRestores volumes(context_, restore, location, stop);
    backup::RestoreRun run{.layout = TRY(velero::Layout::at("")),
                           .restore = restore,
                           .plugins = {},
                           .restore_wait = {},
                           .priorities = {},
                           .tarball = {},
                           .on_progress = {},
                           .log = {}};
    run.tarball.spill_directory = context_.options.spill_directory;
    run.plugins = TRY(plugins_of(context_, stop));
    run.resumed = resumed;
    run.resource_modifier = source.resource_modifier;
    run.restore_wait = context_.options.restore_wait;
    run.parallel = context_.options.restore_parallel;
    // Many threads report: the one that moves the time on writes.
    std::atomic<BootTime> told = context_.clock.boottime();
    run.on_progress = [&](int total, int done) {
      const BootTime now = context_.clock.boottime();
      BootTime last = told.load();
      if (now - last < std::chrono::seconds(1) || !told.compare_exchange_strong(last, now)) return;
      json::object patch;
      json::set(patch, {"status", "progress"}, json::object{{"totalItems", total}, {"itemsRestored", done}});
      static_cast<void>(context_.objects.merge_in_phase(restore, velero::phase::kInProgress, std::move(patch), stop));
    };
    run.log = context_.log;  // the run names its restore itself
    run.clock = &context_.clock;
    return backup::run_restore(acting_, *location.store, run, &volumes, stop);
  };
  const Result<backup::RestoreOutcome> outcome = work();
  // The next leader goes on with it.
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "the controller stops");
  restore.status.completion_timestamp = context_.clock.now();
  if (outcome.ok()) {
    restore.status.phase = outcome->phase;
    restore.status.errors = static_cast<int64_t>(outcome->results.errors.count());
    restore.status.warnings = static_cast<int64_t>(outcome->results.warnings.count());
    restore.status.progress = velero::RestoreProgress{outcome->items, outcome->items, {}};
    restore.status.hook_status = velero::HookStatus{outcome->hooks_attempted, outcome->hooks_failed, {}};
    log.info("restore ended", {{"phase", outcome->phase},
                               {"errors", outcome->results.errors.count()},
                               {"warnings", outcome->results.warnings.count()}});
  } else {
    restore.status.phase = velero::phase::kFailed;
    restore.status.failure_reason = outcome.error().to_string();
    log.error("restore failed", {{"error", outcome.error()}});
  }
  return finish(restore, stop);
}

Status RestoreController::finish(const velero::Restore& restore, std::stop_token stop) {
  const std::string& phase = restore.status.phase;
  const char* name = "velero_restore_failed_total";
  if (phase == velero::phase::kCompleted) name = "velero_restore_success_total";
  if (phase == velero::phase::kPartiallyFailed) name = "velero_restore_partial_failure_total";
  context_.metrics.counter(name, "Restores by how they ended", {{"schedule", restore.spec.schedule_name}}).add();
  std::optional<BootTime> told;
  while (true) {
    const Result<velero::Restore> stored = context_.objects.get<velero::Restore>(restore.metadata.name, stop);
    if (stored.is(ErrorCode::not_found)) return {};
    // By us, where the answer was lost, or by a successor.
    if (stored.ok() && velero::is_final(stored->status.phase)) return {};
    Status status = stored.ok() ? context_.objects.write_status(restore, VeleroObjects::Also::metadata, stop)
                                : Status(stored.error());
    if (status.ok() || status.is(ErrorCode::not_found)) return {};
    const bool refused = status.is(ErrorCode::denied) || status.is(ErrorCode::invalid);
    const BootTime now = context_.clock.boottime();
    if (refused || !told.has_value() || now - *told >= kWriteTold) {
      context_.log.error(
          refused ? "the restore's end is refused by the API server" : "the restore's end is not written",
          {{"restore", restore.metadata.name}, {"phase", phase}, {"error", status.error()}});
      told = now;
    }
    if (refused || !context_.clock.sleep(stop, kWriteTry)) return status;
  }
}

/// A Restore is being deleted: its files go with it, then the finalizer.
Status RestoreController::end_of(const velero::Restore& restore, std::stop_token stop) {
  const std::string own(velero::finalizer::kRestoreExternalResources);
  auto finalizers = restore.metadata.finalizers;
  if (std::erase(finalizers, own) == 0) return {};
  const Result<velero::Backup> backup = context_.objects.get<velero::Backup>(restore.spec.backup_name, stop);
  if (backup.ok()) {
    const Result<location::Location> location = context_.locations.get(backup->spec.storage_location, stop);
    if (location.ok() && !location->object.read_only()) {
      const velero::Layout layout = TRY(velero::Layout::at(""));
      for (const objstore::ObjectMeta& object :
           TRY(objstore::list_all(*location->store, layout.restore_directory(restore.metadata.name), stop))) {
        TRY(location->store->remove(object.key, stop));
      }
    }
  } else if (!backup.is(ErrorCode::not_found)) {
    return backup.error();
  }
  json::object patch;
  json::set(patch, {"metadata", "finalizers"}, json::from_strings(finalizers));
  return context_.objects.merge<velero::Restore>(restore.metadata.name, std::move(patch), stop);
}

}  // namespace holdfast::control
