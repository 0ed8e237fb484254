#include "repo/forget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "base/text.h"

namespace holdfast::repo {

namespace {

using std::chrono::days;
using std::chrono::hours;

// The zone offset that an RFC 3339 text ends with.
Duration zone_of(const RecordTime& time) {
  const std::string& text = time.text;
  if (text.size() < 6 || text.back() == 'Z' || text.back() == 'z') return Duration::zero();
  const std::string_view zone = std::string_view(text).substr(text.size() - 6);
  const Result<int64_t> hour = parse_int(zone.substr(1, 2)), minute = parse_int(zone.substr(4, 2));
  if (!hour || !minute) return Duration::zero();
  const Duration offset = hours(*hour) + std::chrono::minutes(*minute);
  return zone[0] == '-' ? -offset : offset;
}

struct CalendarTime {
  std::chrono::year_month_day date;
  std::chrono::sys_days day;
  int64_t hour = 0;
};

CalendarTime calendar(const RecordTime& time) {
  const Time local = time.instant + zone_of(time);
  const auto day = std::chrono::floor<days>(local);
  return {std::chrono::year_month_day(day), day, std::chrono::floor<hours>(local - day).count()};
}

// Weeks begin on Monday; the number only has to tell one week from another.
int64_t week_of(const CalendarTime& time) {
  const auto since_monday = (time.day - std::chrono::sys_days()).count() + 3;
  return since_monday >= 0 ? since_monday / 7 : (since_monday - 6) / 7;
}

int64_t bucket_hour(const CalendarTime& t) {
  return (t.day - std::chrono::sys_days()).count() * 24 + t.hour;
}
int64_t bucket_day(const CalendarTime& t) {
  return (t.day - std::chrono::sys_days()).count();
}
int64_t bucket_month(const CalendarTime& t) {
  return int64_t{static_cast<int>(t.date.year())} * 12 + static_cast<unsigned>(t.date.month());
}
int64_t bucket_year(const CalendarTime& t) {
  return static_cast<int>(t.date.year());
}

// One counted rule or one rule of a span: keeps a snapshot whose bucket differs from the last one kept.
struct Rule {
  std::string_view name;
  std::function<int64_t(const CalendarTime&)> bucket;  // empty: every snapshot is a bucket of its own
  int count = 0;
  CalendarSpan within = {};
  std::string reason;
  std::optional<int64_t> last = {};

  bool keeps(const Snapshot& snapshot, Time newest, bool oldest_of_group) {
    if (!within.empty()) {
      if (snapshot.time.instant <= before(newest, within)) return false;
    } else if (count == 0) {
      return false;
    }
    if (bucket) {
      const int64_t now = bucket(calendar(snapshot.time));
      // The oldest of all is kept beside a newer one of its bucket, while counts remain: as restic does.
      if (last == now && !oldest_of_group) return false;
      last = now;
    }
    if (within.empty() && count > 0) --count;
    return true;
  }
};

std::string span_text(const CalendarSpan& span) {
  std::string text;
  for (const auto& [number, unit] : {std::pair(span.years, 'y'), std::pair(span.months, 'm'), std::pair(span.days, 'd'),
                                     std::pair(span.hours, 'h')}) {
    if (number != 0) text += fmt::format("{}{}", number, unit);
  }
  return text;
}

std::vector<Rule> rules_of(const KeepPolicy& policy) {
  std::vector<Rule> rules;
  const auto add = [&](std::string_view name, std::function<int64_t(const CalendarTime&)> bucket, int count,
                       const CalendarSpan& within) {
    if (count != 0) rules.push_back({name, bucket, count, {}, fmt::format("{} snapshot", name)});
    if (!within.empty()) {
      rules.push_back({name, bucket, 0, within,
                       bucket ? fmt::format("{} within {}", name, span_text(within))
                              : fmt::format("within {}", span_text(within))});
    }
  };
  add("last", {}, policy.last, policy.within);
  add("hourly", bucket_hour, policy.hourly, policy.within_hourly);
  add("daily", bucket_day, policy.daily, policy.within_daily);
  add("weekly", week_of, policy.weekly, policy.within_weekly);
  add("monthly", bucket_month, policy.monthly, policy.within_monthly);
  add("yearly", bucket_year, policy.yearly, policy.within_yearly);
  return rules;
}

bool has_all(const std::vector<std::string>& have, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& one) { return std::find(have.begin(), have.end(), one) != have.end(); });
}

std::string name_of(const SnapshotGroup& group) {
  return fmt::format("host \"{}\", paths [{}]{}", group.host, fmt::join(group.paths, ", "),
                     group.tags.empty() ? "" : fmt::format(", tags [{}]", fmt::join(group.tags, ", ")));
}

}  // namespace

Result<CalendarSpan> parse_calendar_span(std::string_view text) {
  CalendarSpan span;
  const auto wrong = [&] {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no span of time", text), "write it as 1y5m7d2h");
  };
  std::string_view rest = text;
  if (rest.empty()) return wrong();
  while (!rest.empty()) {
    int number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || number < 0 || number > 100'000 || end == rest.data() + rest.size()) return wrong();
    int* const field = *end == 'y'   ? &span.years
                       : *end == 'm' ? &span.months
                       : *end == 'd' ? &span.days
                       : *end == 'h' ? &span.hours
                                     : nullptr;
    if (field == nullptr) return wrong();
    *field = number;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()) + 1);
  }
  return span;
}

// Days that a month lacks roll over into the next one, as Go's AddDate has it.
Time before(Time time, const CalendarSpan& span) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::year_month month =
      date.year() / date.month() - std::chrono::years(span.years) - std::chrono::months(span.months);
  const std::chrono::sys_days moved =
      std::chrono::sys_days(month / 1) + days(static_cast<unsigned>(date.day()) - 1) - days(span.days);
  return moved + (time - day) - hours(span.hours);
}

bool KeepPolicy::empty() const {
  return last == 0 && hourly == 0 && daily == 0 && weekly == 0 && monthly == 0 && yearly == 0 && within.empty() &&
         within_hourly.empty() && within_daily.empty() && within_weekly.empty() && within_monthly.empty() &&
         within_yearly.empty() && tags.empty();
}

ForgetDecision apply_policy(std::vector<Snapshot> group, const KeepPolicy& policy) {
  ForgetDecision decision;
  group = select(std::move(group), {});
  std::reverse(group.begin(), group.end());
  std::vector<Rule> rules = rules_of(policy);
  for (size_t i = 0; i < group.size(); ++i) {
    Snapshot& snapshot = group[i];
    std::vector<std::string> reasons;
    for (const std::vector<std::string>& tags : policy.tags) {
      if (has_all(snapshot.tags, tags)) reasons.push_back(fmt::format("has tags [{}]", fmt::join(tags, ", ")));
    }
    for (Rule& rule : rules) {
      if (rule.keeps(snapshot, group.front().time.instant, i + 1 == group.size())) reasons.push_back(rule.reason);
    }
    if (reasons.empty()) {
      decision.remove.push_back(std::move(snapshot));
    } else {
      decision.keep.push_back({snapshot, std::move(reasons)});
    }
  }
  return decision;
}

Result<GroupBy> parse_group_by(std::string_view text) {
  GroupBy by{false, false, false};
  if (text.empty()) return by;
  for (const std::string& name : split(text, ',')) {
    if (name == "host") {
      by.host = true;
    } else if (name == "path" || name == "paths") {
      by.paths = true;
    } else if (name == "tag" || name == "tags") {
      by.tags = true;
    } else {
      return Error(ErrorCode::invalid, fmt::format("\"{}\" is nothing to group by", name), "use host, paths, tags");
    }
  }
  return by;
}

std::map<SnapshotGroup, std::vector<Snapshot>> group_snapshots(std::vector<Snapshot> snapshots, const GroupBy& by) {
  std::map<SnapshotGroup, std::vector<Snapshot>> groups;
  for (Snapshot& snapshot : snapshots) {
    SnapshotGroup group;
    if (by.host) group.host = snapshot.hostname;
    if (by.paths) group.paths = snapshot.paths;
    if (by.tags) group.tags = snapshot.tags;
    std::sort(group.paths.begin(), group.paths.end());
    std::sort(group.tags.begin(), group.tags.end());
    groups[std::move(group)].push_back(std::move(snapshot));
  }
  return groups;
}

Result<ForgetReport> forget(Repository& repository, const Lock& lock, const ForgetOptions& options,
                            std::stop_token stop, Progress* progress) {
  if (options.policy.empty()) {
    return Error(ErrorCode::invalid, "no rule says what to keep: nothing is forgotten", "give at least one keep rule");
  }
  ForgetReport report;
  const std::vector<Snapshot> chosen = select(TRY(repository.snapshots(stop)), options.filter);
  for (auto& [group, snapshots] : group_snapshots(chosen, options.group_by)) {
    ForgetDecision decision = apply_policy(std::move(snapshots), options.policy);
    if (decision.keep.empty() && !decision.remove.empty()) {
      return Error(ErrorCode::invalid,
                   fmt::format("the policy keeps none of {} snapshots of {}: nothing is forgotten",
                               decision.remove.size(), name_of(group)),
                   "check the policy; single snapshots are removed by id");
    }
    report.groups.emplace(group, std::move(decision));
  }
  if (options.dry_run == DryRun::yes) return report;

  TRY(lock.verify(stop));
  for (const auto& [group, decision] : report.groups) {
    if (progress != nullptr) progress->stage("forget", decision.remove.size(), 0);
    for (const Snapshot& snapshot : decision.remove) {
      if (stop.stop_requested() || lock.lost().stop_requested()) {
        return Error(ErrorCode::cancelled, fmt::format("stopped after {} snapshots were forgotten", report.removed));
      }
      TRY(repository.remove_snapshot(snapshot.id, stop));
      ++report.removed;
      if (progress != nullptr) progress->done(1, 0);
    }
  }
  return report;
}

}  // namespace holdfast::repo
