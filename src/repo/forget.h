// Which snapshots to keep: the policy as a pure decision, and the removal.
//
// Snapshots are grouped (host and paths, as restic); each group is judged by itself, newest first. A policy that keeps
// nothing of a group is refused: a typing error must not remove everything.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/progress.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// A span of calendar time: "2y5m7d3h".
struct CalendarSpan {
  int years = 0, months = 0, days = 0, hours = 0;
  [[nodiscard]] bool empty() const { return years == 0 && months == 0 && days == 0 && hours == 0; }
  friend bool operator==(const CalendarSpan&, const CalendarSpan&) = default;
};
/// invalid for other texts.
[[nodiscard]] Result<CalendarSpan> parse_calendar_span(std::string_view text);
[[nodiscard]] Time before(Time time, const CalendarSpan& span);

struct KeepPolicy {
  static constexpr int kAll = -1;                                            ///< for a count: no limit
  int last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;  ///< so many of each, the newest of each
  CalendarSpan within = {}, within_hourly = {}, within_daily = {}, within_weekly = {}, within_monthly = {},
               within_yearly = {};                  ///< counted back from the newest snapshot of the group
  std::vector<std::vector<std::string>> tags = {};  ///< snapshots that carry all tags of any of the lists
  [[nodiscard]] bool empty() const;
};

struct KeptSnapshot {
  Snapshot snapshot;
  std::vector<std::string> reasons;  ///< "daily snapshot", "within 2d", ...
};
struct ForgetDecision {
  std::vector<KeptSnapshot> keep;  ///< newest first
  std::vector<Snapshot> remove;    ///< newest first
};
/// Judges one group. Calendar units (day, ISO week, ...) are those of each snapshot's own zone, as it was written.
[[nodiscard]] ForgetDecision apply_policy(std::vector<Snapshot> group, const KeepPolicy& policy);

struct GroupBy {
  bool host = true, paths = true, tags = false;
};
struct SnapshotGroup {
  std::string host;
  std::vector<std::string> paths, tags;  ///< sorted; what is not grouped by is empty
  friend auto operator<=>(const SnapshotGroup&, const SnapshotGroup&) = default;
};
/// "host,paths,tags" in any order, or "" for one group of all; invalid otherwise.
[[nodiscard]] Result<GroupBy> parse_group_by(std::string_view text);
[[nodiscard]] std::map<SnapshotGroup, std::vector<Snapshot>> group_snapshots(std::vector<Snapshot> snapshots,
                                                                             const GroupBy& by);

enum class DryRun { no, yes };
struct ForgetOptions {
  KeepPolicy policy;
  GroupBy group_by;
  SnapshotFilter filter;
  DryRun dry_run = DryRun::no;
};
struct ForgetReport {
  std::map<SnapshotGroup, ForgetDecision> groups;
  size_t removed = 0;
};
/// Judges every group before anything is removed. invalid for an empty policy and where a group would lose all of its
/// snapshots. The lock is exclusive; it is read back before the removal.
[[nodiscard]] Result<ForgetReport> forget(Repository& repository, const Lock& lock, const ForgetOptions& options,
                                          std::stop_token stop = {}, Progress* progress = nullptr);

}  // namespace holdfast::repo
