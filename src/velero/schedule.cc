#include "velero/schedule.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "velero/names.h"

namespace holdfast::velero {

namespace {
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
}

Result<Cron> schedule_cron(const Schedule& schedule) {
  if (schedule.spec.schedule.empty())
    return Error(ErrorCode::invalid, "Schedule must be a non-empty valid Cron expression");
  Result<Cron> cron = Cron::parse(schedule.spec.schedule);
  if (!cron) return std::move(cron).error().in("invalid schedule");
  if (cron->interval() && *cron->interval() < std::chrono::seconds(2))
    return Error(ErrorCode::invalid, "invalid schedule: interval below 2s",
                 "names of backups have a resolution of one second; use @every 2s or more");
  return cron;
}

ScheduleDecision decide(const Schedule& schedule, const Cron& cron, const ScheduleState& state) {
  using Act = ScheduleDecision::Act;
  if (schedule.spec.skip_immediately.value_or(state.skip_immediately_default &&
                                              !schedule.status.last_skipped.has_value()))
    return {Act::skip, std::nullopt};
  if (schedule.spec.paused) return {Act::wait, std::nullopt};
  Time base = schedule.status.last_backup.value_or(schedule.metadata.creation_timestamp.value_or(state.now));
  if (schedule.status.last_skipped) base = std::max(base, *schedule.status.last_skipped);
  const std::optional<Time> next = cron.next(base);
  if (!next || *next > state.now) return {Act::wait, next};
  return {state.backup_running ? Act::overlap : Act::make_backup, next};
}

std::string scheduled_backup_name(std::string_view schedule, Time now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{}-{:%Y%m%d%H%M%S}", schedule,
                     fmt::gmtime(static_cast<std::time_t>(seconds.time_since_epoch().count())));
}

Backup backup_from(const Schedule& schedule, Time now) {
  Backup out;
  out.metadata.name = scheduled_backup_name(schedule.metadata.name, now);
  out.metadata.namespace_ = schedule.metadata.namespace_;
  out.metadata.labels = schedule.spec.template_.metadata.labels.empty() ? schedule.metadata.labels
                                                                        : schedule.spec.template_.metadata.labels;
  out.metadata.labels[std::string(label::kScheduleName)] = label_value(schedule.metadata.name);
  out.metadata.annotations = schedule.metadata.annotations;
  out.metadata.annotations.erase(std::string(kLastApplied));
  if (schedule.spec.use_owner_references_in_backup.value_or(false)) {
    OwnerReference owner;
    owner.api_version = kApiVersion;
    owner.kind = Schedule::kKind;
    owner.name = schedule.metadata.name;
    owner.uid = schedule.metadata.uid;
    owner.controller = true;
    out.metadata.owner_references.push_back(std::move(owner));
  }
  out.spec = schedule.spec.template_;
  out.spec.metadata = {};
  return out;
}

}  // namespace holdfast::velero
