// When a Schedule makes its next Backup, and which. Pure: time and the state of its Backups come from outside.
//
// Unlike Velero, which looks at each minute, our scheduler sleeps until the due time, so "@every 5s" works; an interval
// below 2 s is refused, since names have one-second resolution.
#pragma once

#include "velero/cron.h"
#include "velero/types.h"

namespace holdfast::velero {

/// spec.schedule as a Cron. invalid with Velero's texts ("invalid schedule: ...").
[[nodiscard]] Result<Cron> schedule_cron(const Schedule& schedule);

struct ScheduleState {
  Time now;
  /// A Backup of this schedule is New, Queued, ReadyToStart, InProgress, Waiting... or Finalizing...
  bool backup_running = false;
  /// The server's --schedule-skip-immediately, for schedules that do not say.
  bool skip_immediately_default = false;
};

struct ScheduleDecision {
  enum class Act {
    make_backup,  ///< now
    skip,         ///< write status.lastSkipped = now and spec.skipImmediately = false, then decide again
    wait,         ///< until `next`; for ever where it is empty (paused, or no such date)
    overlap,      ///< due, but the previous Backup still runs: look again when it ends
  };
  Act act = Act::wait;
  /// The time the schedule is due, or was: any number of missed runs gives one Backup.
  std::optional<Time> next;
};

[[nodiscard]] ScheduleDecision decide(const Schedule& schedule, const Cron& cron, const ScheduleState& state);

/// "SCHEDULE-20261121061856", UTC.
[[nodiscard]] std::string scheduled_backup_name(std::string_view schedule, Time now);
/// The Backup that the schedule's template describes: name, labels, annotations, owner, spec; not yet created.
[[nodiscard]] Backup backup_from(const Schedule& schedule, Time now);

}  // namespace holdfast::velero
