#include "control/location_controller.h"

#include <fmt/format.h>

#include "velero/layout.h"
#include "velero/names.h"
#include "velero/validate.h"

namespace holdfast::control {

namespace {

std::string spec_text(const velero::BackupStorageLocation& object) {
  return json::compact(json::object_at(velero::encode(object), {"spec"}));
}

kube::After next_look(Duration period) {
  return period > Duration::zero() ? kube::After::in(period) : kube::After::done();
}

}  // namespace

Result<kube::After> LocationController::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::BackupStorageLocation> found = context_.objects.get<velero::BackupStorageLocation>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::BackupStorageLocation object = TRY(std::move(found));
  const Duration period = object.spec.validation_frequency.value_or(context_.options.default_validation_frequency);
  // Every status that is written to the location, here and by the sync, comes back as a change of it.
  if (const std::optional<Duration> rest = holds_for(object, period)) return next_look(*rest);
  const velero::StringList faults = velero::validate(object);
  const Result<std::string> verdict =
      faults.empty() ? check(name, stop) : Result<std::string>(Error(ErrorCode::invalid, faults.front()));
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
  const std::string phase_before = object.status.phase;
  const std::string message_before = object.status.message;
  object.status.phase = verdict.ok() ? velero::phase::kAvailable : velero::phase::kUnavailable;
  object.status.message = verdict.ok() ? *verdict : velero::unavailable_message(name, verdict.error().to_string());
  object.status.last_validation_time = context_.clock.now();
  TRY(context_.objects.write_status(object, VeleroObjects::Also::nothing, stop));
  {
    std::lock_guard lock(mutex_);
    looks_[name] = {spec_text(object), object.status.phase, context_.clock.boottime()};
  }
  context_.metrics.gauge("velero_backup_location_status_gauge", "1: available", {{"backup_location_name", name}})
      .set(verdict.ok() ? 1 : 0);
  if (phase_before != object.status.phase || message_before != object.status.message) {
    const log::Level level = object.status.message.empty() ? log::Level::info : log::Level::warning;
    context_.log.write(level, "backup location validated",
                       {{"location", name}, {"phase", object.status.phase}, {"message", object.status.message}});
  }
  return next_look(period);
}

std::optional<Duration> LocationController::holds_for(const velero::BackupStorageLocation& object, Duration period) {
  std::lock_guard lock(mutex_);
  const auto last = looks_.find(object.metadata.name);
  if (last == looks_.end() || last->second.spec != spec_text(object) || last->second.phase != object.status.phase)
    return std::nullopt;
  if (period <= Duration::zero()) return Duration::zero();
  const Duration rest = last->second.at + period - context_.clock.boottime();
  if (rest <= Duration::zero()) return std::nullopt;
  return rest;
}

Result<std::string> LocationController::check(const std::string& name, std::stop_token stop) {
  const location::Location location = TRY(context_.locations.get(name, stop));
  std::vector<std::string> directories;
  objstore::ListRequest request;
  request.delimiter = "/";
  do {
    objstore::ListPage page = TRY(location.store->list(request, stop));
    directories.insert(directories.end(), page.prefixes.begin(), page.prefixes.end());
    request.after = page.next;
  } while (!request.after.empty());
  // The store begins below the location's prefix, so the layout has none.
  const velero::Layout layout = TRY(velero::Layout::at(""));
  TRY(velero::check_top_level(layout, directories));
  const location::Location proven = TRY(context_.locations.proven(name, std::move(stop)));
  if (proven.without_conditional_put.empty()) return std::string();
  return fmt::format(
      "no atomic conditional put: {}; velero-backup.json is put after a fresh look instead, which does not tell two "
      "writers of one name apart",
      proven.without_conditional_put);
}

}  // namespace holdfast::control
