#include "control/backup_controller.h"

#include <fmt/format.h>

#include "backup/run_backup.h"
#include "base/random.h"
#include "base/text.h"
#include "control/pod_volumes.h"
#include "velero/layout.h"
#include "velero/metadata.h"
#include "velero/names.h"
#include "velero/resource_policy.h"
#include "velero/validate.h"

namespace holdfast::control {

namespace {

/// Before any epoch was claimed.
constexpr std::string_view kNoEpoch = "0";

std::string schedule_of(const velero::Backup& backup) {
  return backup.metadata.label(velero::label::kScheduleName);
}

/// The policies in the ConfigMap that spec.resourcePolicy names.
Result<velero::ResourcePolicy> policy_of(const Context& context, const velero::BackupSpec& spec, std::stop_token stop) {
  const std::string& ns = context.objects.ns();
  const std::string& name = spec.resource_policy->name;
  if (to_lower(spec.resource_policy->kind) != "configmap") {
    return Error(ErrorCode::unsupported, fmt::format("resource policies {}/{}: \"{}\" is no kind that can hold them",
                                                     ns, name, spec.resource_policy->kind));
  }
  const Result<json::value> map = context.api.get(kube::types::config_maps(), ns, name, std::move(stop));
  if (map.is(ErrorCode::not_found)) return Error(ErrorCode::not_found, velero::missing_policy_text(ns, name));
  if (!map) return map.error();
  return velero::resource_policy_of(*map, ns, name);
}

bool untouched(const std::string& phase) {
  return phase.empty() || phase == velero::phase::kNew || phase == velero::phase::kQueued ||
         phase == velero::phase::kReadyToStart;
}

/// Asked right before the metadata is put, which makes the files a backup: a process that was frozen meanwhile has lost
/// the lease without knowing it, and its successor has marked the backup Failed.
class StillInProgress final : public backup::EpochSource {
 public:
  StillInProgress(const Context& context, const velero::Backup& backup)
      : context_(context), name_(backup.metadata.name), uid_(backup.metadata.uid) {}

  Result<std::string> current(std::stop_token stop) override {
    for (int tries = 1;; ++tries) {
      const Result<velero::Backup> now = context_.objects.get<velero::Backup>(name_, stop);
      if (now.ok()) {
        const std::string& phase = now->status.phase;
        if (phase == velero::phase::kInProgress && now->metadata.uid == uid_) return std::string("0");
        return Error(ErrorCode::conflict, fmt::format("backup {} is no longer InProgress but {}", name_, phase));
      }
      if (!now.error().retryable() || tries == kAsked) return now.error();
      TRY(context_.clock.sleep(stop, kAskAgain));
    }
  }

 private:
  static constexpr int kAsked = 5;
  static constexpr Duration kAskAgain = std::chrono::milliseconds(500);
  const Context& context_;
  const std::string name_;
  const std::string uid_;
};

}  // namespace

Status BackupController::take_over(std::stop_token stop) {
  for (velero::Backup& backup : TRY(context_.objects.list<velero::Backup>({}, stop))) {
    if (backup.status.phase != velero::phase::kInProgress) continue;
    if (std::optional<velero::Backup> whole = stored(backup, stop)) {
      backup.status = std::move(whole->status);
      for (const auto& [key, value] : whole->metadata.annotations) backup.metadata.annotations[key] = value;
      TRY(finish(backup, stop));
      continue;
    }
    backup.status.phase = velero::phase::kFailed;
    backup.status.failure_reason = fmt::format(
        "{}: the process that ran this backup is gone; what it had written is not a backup", kControllerLost);
    backup.status.completion_timestamp = context_.clock.now();
    TRY(finish(backup, stop));
    context_.log.warning("backup of a lost controller marked failed", {{"backup", backup.metadata.name}});
  }
  return {};
}

/// The Backup as its location has it, where the lost process had put its last file. The object's uid in it tells it
/// from a namesake's.
std::optional<velero::Backup> BackupController::stored(const velero::Backup& backup, std::stop_token stop) {
  const Result<location::Location> location = context_.locations.get(backup.spec.storage_location, stop);
  const Result<velero::Layout> layout = velero::Layout::at("");
  if (!location || !layout || !velero::valid_object_name(backup.metadata.name)) return std::nullopt;
  const Result<std::string> text =
      location->store->get(layout->key(velero::BackupFile::metadata, backup.metadata.name), {}, stop);
  if (!text) return std::nullopt;
  Result<velero::Backup> whole = velero::decode_metadata(*text);
  if (!whole || whole->metadata.uid != backup.metadata.uid) return std::nullopt;
  return std::move(*whole);
}

Result<kube::After> BackupController::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::Backup> found = context_.objects.get<velero::Backup>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::Backup backup = TRY(std::move(found));
  // Set InProgress by a write whose answer was lost: nobody else runs it.
  if (backup.status.phase == velero::phase::kInProgress && begun_.erase(backup.metadata.uid) > 0) {
    TRY(run(std::move(backup), stop));
    return kube::After::done();
  }
  if (!untouched(backup.status.phase)) return kube::After::done();
  const bool valid = TRY(prepare(backup, stop));
  if (valid) begun_.insert(backup.metadata.uid);
  TRY(context_.objects.write_status(backup, VeleroObjects::Also::metadata_and_spec, stop));
  context_.metrics.counter("velero_backup_attempt_total", "Backups begun", {{"schedule", schedule_of(backup)}}).add();
  if (!valid) {
    count(backup);
    context_.log.error("backup is not valid",
                       {{"backup", name}, {"error", fmt::format("{}", backup.status.validation_errors.front())}});
    return kube::After::done();
  }
  begun_.erase(backup.metadata.uid);
  TRY(run(std::move(backup), stop));
  return kube::After::done();
}

/// Fills in defaults and the first status; false: FailedValidation.
Result<bool> BackupController::prepare(velero::Backup& backup, std::stop_token stop) {
  velero::BackupSpec& spec = backup.spec;
  if (spec.default_volumes_to_restic.has_value() && !spec.default_volumes_to_fs_backup.has_value()) {
    spec.default_volumes_to_fs_backup = spec.default_volumes_to_restic;
  }
  // What this server takes for granted must stand in the stored Backup: a restore elsewhere decides by it.
  if (!spec.default_volumes_to_fs_backup.has_value()) {
    spec.default_volumes_to_fs_backup = context_.options.default_volumes_to_fs_backup;
  }
  if (!spec.snapshot_move_data.has_value()) spec.snapshot_move_data = false;
  if (!spec.ttl.has_value() || *spec.ttl == Duration::zero()) spec.ttl = context_.options.default_backup_ttl;
  if (!spec.item_operation_timeout.has_value())
    spec.item_operation_timeout = context_.options.default_item_operation_timeout;
  const std::vector<velero::BackupStorageLocation> locations =
      TRY(context_.objects.list<velero::BackupStorageLocation>({}, stop));
  for (const velero::BackupStorageLocation& location : locations) {
    if (spec.storage_location.empty() && location.spec.is_default) spec.storage_location = location.metadata.name;
  }
  if (spec.storage_location.empty()) spec.storage_location = context_.options.default_location;
  velero::BackupLookups lookups;
  for (const velero::BackupStorageLocation& location : locations) {
    if (location.metadata.name == spec.storage_location) lookups.location = &location;
  }
  const kube::ListPage namespaces = TRY(kube::list_all(context_.api, kube::types::namespaces(), "", {}, stop));
  for (const json::value& ns : namespaces.items)
    lookups.namespaces.push_back(json::string_at(ns, {"metadata", "name"}));
  if (spec.resource_policy.has_value()) {
    const Result<velero::ResourcePolicy> policy = policy_of(context_, spec, stop);
    if (!policy && policy.error().retryable()) return policy.error();
    if (!policy) lookups.resource_policy_fault = policy.error().message();
  }
  backup.metadata.labels[std::string(velero::label::kStorageLocation)] = velero::label_value(spec.storage_location);
  backup.status.version = velero::kBackupVersion;
  backup.status.format_version = velero::kBackupFormatVersion;
  backup.status.validation_errors = velero::validate(backup, lookups);
  backup.status.phase = velero::phase::kFailedValidation;
  if (!backup.status.validation_errors.empty()) return false;
  // The agents' locks name site and epoch while the backup runs, and they read them here (safety.md 9).
  if (!context_.options.site.empty())
    backup.metadata.annotations[std::string(velero::annotation::kSite)] = context_.options.site;
  backup.metadata.annotations[std::string(velero::annotation::kEpoch)] = kNoEpoch;
  backup.metadata.annotations[std::string(velero::annotation::kAttempt)] = random_hex(16);
  backup.status.phase = velero::phase::kInProgress;
  backup.status.start_timestamp = context_.clock.now();
  backup.status.expiration = context_.clock.now() + *spec.ttl;
  return true;
}

Status BackupController::run(velero::Backup backup, std::stop_token stop) {
  const log::Logger log = context_.log.with({{"backup", backup.metadata.name}});
  const Result<location::Location> location = context_.locations.proven(backup.spec.storage_location, stop);
  Result<backup::BackupOutcome> outcome = Error(ErrorCode::internal, "");
  if (!location) {
    outcome = location.error();
  } else {
    PodVolumeBackups volumes(context_, backup, *location);
    backup::BackupRun run{.layout = TRY(velero::Layout::at("")),
                          .collect = {},
                          .site = {},
                          .attempt = {},
                          .spill_directory = {},
                          .log = {}};
    run.collect.backup = backup;
    run.collect.default_fs_backup = context_.options.default_volumes_to_fs_backup;
    run.collect.clock = &context_.clock;
    BootTime told = context_.clock.boottime();
    run.collect.on_progress = [&](int total, int done) {
      if (context_.clock.boottime() - told < std::chrono::seconds(1)) return;
      told = context_.clock.boottime();
      json::object patch;
      json::set(patch, {"status", "progress"}, json::object{{"totalItems", total}, {"itemsBackedUp", done}});
      // Progress is a courtesy: the next one comes within a second, and the final status tells all.
      static_cast<void>(context_.objects.merge_in_phase(backup, velero::phase::kInProgress, std::move(patch), stop));
    };
    StillInProgress epochs(context_, backup);
    run.epochs = &epochs;
    run.site = context_.options.site;
    run.attempt = backup.metadata.annotation(velero::annotation::kAttempt);
    run.spill_directory = context_.options.spill_directory;
    run.log = context_.log;  // the run names its backup itself
    run.clock = &context_.clock;
    Result<velero::ResourcePolicy> policy = velero::ResourcePolicy();
    if (backup.spec.resource_policy.has_value()) policy = policy_of(context_, backup.spec, stop);
    if (policy && backup.spec.resource_policy.has_value()) run.collect.policy = std::move(*policy);
    outcome = policy ? backup::run_backup(context_.api, *location->store, run, &volumes, stop)
                     : Result<backup::BackupOutcome>(policy.error());
  }
  // Asked to stop, we leave the phase: the next leader says that the controller was lost, and it was.
  if (!outcome && stop.stop_requested()) return std::move(outcome).error();
  if (outcome.ok()) {
    velero::ObjectMeta meta = std::move(backup.metadata);
    backup = std::move(outcome->backup);
    for (const auto& [key, value] : backup.metadata.annotations) meta.annotations[key] = value;
    backup.metadata = std::move(meta);
    context_.metrics
        .gauge("velero_backup_tarball_size_bytes", "Size of the last tarball", {{"schedule", schedule_of(backup)}})
        .set(static_cast<double>(outcome->tarball_bytes));
    log.info("backup ended",
             {{"phase", backup.status.phase}, {"errors", backup.status.errors}, {"warnings", backup.status.warnings}});
  } else {
    backup.status.phase = velero::phase::kFailed;
    backup.status.failure_reason = outcome.error().to_string();
    backup.status.completion_timestamp = context_.clock.now();
    log.error("backup failed", {{"error", outcome.error()}});
  }
  return finish(backup, stop);
}

/// The final status must arrive: it is tried until the lease is lost.
Status BackupController::finish(const velero::Backup& backup, std::stop_token stop) {
  count(backup);
  while (true) {
    const Result<velero::Backup> stored = context_.objects.get<velero::Backup>(backup.metadata.name, stop);
    if (stored.is(ErrorCode::not_found)) return {};
    // By us, where the answer was lost, or by a successor.
    if (stored.ok() && velero::is_final(stored->status.phase)) return {};
    Status status = stored.ok() ? context_.objects.write_status(backup, VeleroObjects::Also::metadata, stop)
                                : Status(stored.error());
    if (status.ok() || status.is(ErrorCode::not_found)) return {};
    if (!context_.clock.sleep(stop, std::chrono::milliseconds(500))) return status;
  }
}

void BackupController::count(const velero::Backup& backup) {
  const metrics::Labels labels{{"schedule", schedule_of(backup)}};
  const std::string& phase = backup.status.phase;
  const char* name = "velero_backup_failure_total";
  if (phase == velero::phase::kCompleted) name = "velero_backup_success_total";
  if (phase == velero::phase::kPartiallyFailed) name = "velero_backup_partial_failure_total";
  if (phase == velero::phase::kFailedValidation) name = "velero_backup_validation_failure_total";
  context_.metrics.counter(name, "Backups by how they ended", labels).add();
  if (phase == velero::phase::kCompleted) {
    context_.metrics.gauge("velero_backup_last_successful_timestamp", "Unix time of the last good backup", labels)
        .set(std::chrono::duration<double>(context_.clock.now().time_since_epoch()).count());
  }
  if (backup.status.start_timestamp.has_value() && backup.status.completion_timestamp.has_value()) {
    context_.metrics
        .histogram("velero_backup_duration_seconds", "Time of backups", labels,
                   {1, 5, 10, 30, 60, 300, 900, 3600, 14400})
        .observe(std::chrono::duration<double>(*backup.status.completion_timestamp - *backup.status.start_timestamp)
                     .count());
  }
}

}  // namespace holdfast::control
