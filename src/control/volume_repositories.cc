#include "control/volume_repositories.h"

#include <fmt/format.h>

#include "location/backup_repository.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

constexpr Duration kMaintenanceFrequency = std::chrono::hours(168);
constexpr std::string_view kRestic = "restic";
/// Who made a New object judges it, too; only where that died is it the loop's.
constexpr Duration kMakersTurn = std::chrono::seconds(10);

velero::BackupRepository fresh_object(const Context& context, const velero::BackupStorageLocation& location,
                                      const std::string& volume_namespace) {
  velero::BackupRepository out;
  out.metadata.name = location::backup_repository_name(location.metadata.name, volume_namespace);
  out.metadata.namespace_ = context.objects.ns();
  out.metadata.labels = {{std::string(velero::label::kVolumeNamespace), velero::label_value(volume_namespace)},
                         {std::string(velero::label::kStorageLocation), velero::label_value(location.metadata.name)},
                         {std::string(velero::label::kRepositoryType), std::string(kRestic)}};
  out.spec.volume_namespace = volume_namespace;
  out.spec.backup_storage_location = location.metadata.name;
  out.spec.repository_type = kRestic;
  out.spec.restic_identifier = location::repository_identifier(location, volume_namespace);
  out.spec.maintenance_frequency = kMaintenanceFrequency;
  out.status.phase = velero::phase::kNew;
  return out;
}

Result<velero::BackupRepository> find_or_make(const Context& context, const velero::BackupStorageLocation& location,
                                              const std::string& volume_namespace, const std::stop_token& stop) {
  std::optional<velero::BackupRepository> found = TRY(location::find_backup_repository(
      context.api, context.objects.ns(), location.metadata.name, volume_namespace, stop));
  if (found) return *std::move(found);
  Result<velero::BackupRepository> made =
      context.objects.create(fresh_object(context, location, volume_namespace), stop);
  // Somebody else was faster, or the answer of an earlier try was lost: it is the same object.
  if (made.is(ErrorCode::exists)) {
    return context.objects.get<velero::BackupRepository>(
        location::backup_repository_name(location.metadata.name, volume_namespace), stop);
  }
  return made;
}

Status open_once(const Context& context, const location::Location& location, const std::string& volume_namespace,
                 location::Missing missing, const std::stop_token& stop) {
  const crypto::Secret password = TRY(location::repository_password(context.api, context.objects.ns(), missing, stop));
  repo::RepositoryOptions options;
  options.clock = &context.clock;
  TRY(location::open_volume_repository(location, volume_namespace, password, missing, options, stop));
  return {};
}

/// That it can be used is true whoever found it out; that it cannot may be overtaken by whoever has just made it.
Status write_verdict(const Context& context, const velero::BackupRepository& seen,
                     const velero::BackupRepositoryStatus& next, const std::stop_token& stop) {
  const auto mutate = [&](json::value& stored) -> Status {
    velero::BackupRepository object = TRY(velero::decode<velero::BackupRepository>(stored));
    if (next.phase != velero::phase::kReady && object.status.phase != seen.status.phase) return {};
    object.status = next;
    stored = velero::encode(object);
    return {};
  };
  TRY(kube::update_with_retry(context.api, kube::types::velero(kPlural<velero::BackupRepository>), context.objects.ns(),
                              seen.metadata.name, mutate, {}, stop));
  return {};
}

/// Opens the repository and writes the verdict; the object comes back with it.
Status judge(const Context& context, velero::BackupRepository& object, const Result<location::Location>& location,
             location::Missing missing, const std::stop_token& stop) {
  const bool was_ready = object.status.last_maintenance_time.has_value();
  const auto verdict = [&]() -> Status {
    if (!location) return location.error();
    Status status = open_once(context, *location, object.spec.volume_namespace,
                              was_ready ? location::Missing::refuse : missing, stop);
    if (!status.is(ErrorCode::not_found) || !was_ready) return status;
    return Error(ErrorCode::corrupt, fmt::format("the repository was there and is gone: {}", status.error().message()),
                 "bring its files back; or delete this BackupRepository, and the next backup begins an empty one");
  };
  const Status status = verdict();
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
  velero::BackupRepositoryStatus next = object.status;
  next.phase = status.ok() ? velero::phase::kReady : velero::phase::kNotReady;
  next.message = status.ok() ? "" : status.error().to_string();
  if (status.ok() && !was_ready) next.last_maintenance_time = context.clock.now();
  if (next.phase != object.status.phase || next.message != object.status.message) {
    TRY(write_verdict(context, object, next, stop));
    object.status = std::move(next);
    context.log.info(
        "volume repository judged",
        {{"repository", object.metadata.name}, {"phase", object.status.phase}, {"message", object.status.message}});
  }
  return status;
}

}  // namespace

Result<velero::BackupRepository> ensure_repository(const Context& context, const location::Location& location,
                                                   const std::string& volume_namespace, location::Missing missing,
                                                   std::stop_token stop) {
  velero::BackupRepository object = TRY(find_or_make(context, location.object, volume_namespace, stop));
  if (object.status.phase == velero::phase::kReady) return object;
  TRY(judge(context, object, location, missing, stop).in("BackupRepository " + object.metadata.name));
  return object;
}

Result<kube::After> RepositoryController::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::BackupRepository> found = context_.objects.get<velero::BackupRepository>(name, stop);
  if (found.is(ErrorCode::not_found)) {
    std::lock_guard lock(mutex_);
    looks_.erase(name);
    return kube::After::done();
  }
  velero::BackupRepository object = TRY(std::move(found));
  // Another uploader's repositories are not ours to judge.
  if (!object.spec.repository_type.empty() && object.spec.repository_type != kRestic) return kube::After::done();
  if (const std::optional<Duration> rest = holds_for(object)) return kube::After::in(*rest);
  const Result<location::Location> location = context_.locations.get(object.spec.backup_storage_location, stop);
  const Status status = judge(context_, object, location, location::Missing::refuse, stop);
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
  // The verdict is in the object; a failure to write it is told by the queue.
  if (!status && object.status.message != status.error().to_string()) return status.error();
  return kube::After::in(noted(name, object.status.phase));
}

std::optional<Duration> RepositoryController::holds_for(const velero::BackupRepository& object) {
  const BootTime now = context_.clock.boottime();
  std::lock_guard lock(mutex_);
  const auto last = looks_.find(object.metadata.name);
  const std::string& phase = object.status.phase;
  if (last == looks_.end() || last->second.phase != phase) {
    if (phase == velero::phase::kNotReady) return std::nullopt;
    const Duration rest = phase == velero::phase::kReady ? context_.options.repository_check : kMakersTurn;
    looks_[object.metadata.name] = {phase, now + rest};
    return rest;
  }
  if (last->second.due > now) return last->second.due - now;
  return std::nullopt;
}

Duration RepositoryController::noted(const std::string& name, const std::string& phase) {
  const Duration rest =
      phase == velero::phase::kReady ? context_.options.repository_check : context_.options.repository_retry;
  std::lock_guard lock(mutex_);
  looks_[name] = {phase, context_.clock.boottime() + rest};
  return rest;
}

}  // namespace holdfast::control
