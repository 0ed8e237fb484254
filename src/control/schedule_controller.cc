#include "control/schedule_controller.h"

#include <fmt/format.h>

#include "control/backup_controller.h"
#include "velero/names.h"
#include "velero/schedule.h"
#include "velero/validate.h"

namespace holdfast::control {

namespace {

/// A Backup that is running is looked at again this often; the informer usually tells sooner.
constexpr Duration kOverlapLook = std::chrono::milliseconds(500);

}  // namespace

Result<kube::After> ScheduleController::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::Schedule> found = context_.objects.get<velero::Schedule>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::Schedule schedule = TRY(std::move(found));
  const velero::StringList faults = velero::validate(schedule);
  const std::string phase(faults.empty() ? velero::phase::kEnabled : velero::phase::kFailedValidation);
  if (schedule.status.phase != phase || schedule.status.validation_errors != faults) {
    schedule.status.phase = phase;
    schedule.status.validation_errors = faults;
    TRY(context_.objects.write_status(schedule, VeleroObjects::Also::nothing, stop));
  }
  if (!faults.empty()) return kube::After::done();
  const velero::Cron cron = TRY(velero::schedule_cron(schedule));
  velero::ScheduleState state;
  state.now = context_.clock.now();
  const Past before = TRY(past(schedule, stop));
  state.backup_running = before.running;
  velero::ScheduleDecision decision = velero::decide(schedule, cron, state);
  using Act = velero::ScheduleDecision::Act;
  if (decision.act == Act::wait && before.lost && !before.running && !schedule.spec.paused) {
    // Its name has the resolution of a second.
    const bool same_second = velero::scheduled_backup_name(name, state.now) ==
                             velero::scheduled_backup_name(name, *schedule.status.last_backup);
    if (same_second) return kube::After::in(kOverlapLook);
    decision.act = Act::make_backup;
  }
  switch (decision.act) {
    case Act::make_backup:
      TRY(make_backup(schedule, state.now, stop));
      return kube::After::in(Duration::zero());
    case Act::skip: {
      json::object patch;
      json::set(patch, {"spec", "skipImmediately"}, false);
      json::set(patch, {"status", "lastSkipped"}, format_rfc3339(state.now));
      TRY(context_.objects.merge<velero::Schedule>(name, std::move(patch), stop));
      return kube::After::in(Duration::zero());
    }
    case Act::overlap:
      return kube::After::in(kOverlapLook);
    case Act::wait:
      break;
  }
  if (!decision.next.has_value()) return kube::After::done();
  return kube::After::in(std::max<Duration>(*decision.next - state.now, std::chrono::milliseconds(10)));
}

Result<ScheduleController::Past> ScheduleController::past(const velero::Schedule& schedule,
                                                          std::stop_token stop) const {
  const std::string& name = schedule.metadata.name;
  const std::string label = fmt::format("{}={}", velero::label::kScheduleName, velero::label_value(name));
  std::string last;
  if (schedule.status.last_backup.has_value()) {
    last = velero::scheduled_backup_name(name, *schedule.status.last_backup);
  }
  Past out;
  for (const velero::Backup& backup : TRY(context_.objects.list<velero::Backup>(label, stop))) {
    const velero::BackupStatus& status = backup.status;
    if (!velero::is_final(status.phase) && status.phase != velero::phase::kDeleting) out.running = true;
    if (backup.metadata.name == last && status.phase == velero::phase::kFailed &&
        status.failure_reason.starts_with(kControllerLost)) {
      out.lost = true;
    }
  }
  return out;
}

Status ScheduleController::make_backup(const velero::Schedule& schedule, Time now, std::stop_token stop) {
  velero::Backup backup = velero::backup_from(schedule, now);
  backup.metadata.namespace_ = context_.objects.ns();
  const Result<velero::Backup> made = context_.objects.create(backup, stop);
  // Made a moment ago, by us or the former leader: its time still has to be noted.
  if (!made && !made.is(ErrorCode::exists)) return made.error();
  json::object patch;
  json::set(patch, {"status", "lastBackup"}, format_rfc3339(now));
  TRY(context_.objects.merge<velero::Schedule>(schedule.metadata.name, std::move(patch), stop));
  if (made.ok()) {
    context_.log.info("schedule is due", {{"schedule", schedule.metadata.name}, {"backup", backup.metadata.name}});
  }
  return {};
}

}  // namespace holdfast::control
