#include "demo/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::demo {

namespace {

json::value number_or_null(const std::optional<double>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string seconds_text(const std::optional<double>& number) {
  return number ? fmt::format("{:.1f} s", *number) : "unknown";
}

json::object step_json(const Step& step) {
  return {{"name", step.name},
          {"begin", format_rfc3339_nano(step.begin)},
          {"end", format_rfc3339_nano(step.end)},
          {"seconds", seconds(step.end - step.begin)}};
}

json::object application_json(const ApplicationReport& application) {
  json::array steps;
  for (const Step& step : application.steps) steps.push_back(step_json(step));
  return {{"name", application.name},
          {"rpo_seconds", number_or_null(application.rpo_seconds)},
          {"lost_entries", application.lost_entries},
          {"in_doubt", application.in_doubt},
          {"restore_seconds", application.restore_seconds},
          {"outage_seconds", number_or_null(application.outage_seconds)},
          {"freeze_ms_max", application.freeze_ms_max},
          {"freeze_manifest_ms", application.freeze_manifest_ms},
          {"bytes_restored", application.bytes_restored},
          {"acknowledged", application.acknowledged},
          {"commits_per_second", application.commits_per_second},
          {"steps", std::move(steps)}};
}

json::object backup_json(const BackupSeen& backup) {
  json::array volumes;
  for (const VolumeCopy& copy : backup.volumes) {
    volumes.push_back(json::object{{"application", copy.application},
                                   {"bytes_read", copy.bytes_read},
                                   {"bytes_stored", copy.bytes_stored},
                                   {"seconds", seconds(copy.ended - copy.started)}});
  }
  return {{"name", backup.name}, {"phase", backup.phase}, {"volumes", std::move(volumes)}};
}

}  // namespace

bool Report::passed() const {
  return !checks.empty() && std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

json::object to_json(const Report& report) {
  json::array applications;
  for (const ApplicationReport& application : report.applications)
    applications.push_back(application_json(application));
  json::array checks;
  for (const Check& check : report.checks)
    checks.push_back(json::object{{"name", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  json::array backups;
  for (const BackupSeen& backup : report.backups) backups.push_back(backup_json(backup));
  return {{"clusters", report.clusters},
          {"store", report.store},
          {"applications", std::move(applications)},
          {"checks", std::move(checks)},
          {"passed", report.passed()},
          {"lost_at", format_rfc3339_nano(report.lost)},
          {"backups", std::move(backups)},
          {"restore", json::object{{"name", report.restore.name},
                                   {"backup", report.restore.backup},
                                   {"phase", report.restore.phase},
                                   {"seconds", seconds(report.restore.completed - report.restore.created)}}}};
}

std::string to_text(const Report& report) {
  std::string out = fmt::format("clusters: {}, store: {}\n", report.clusters, report.store);
  for (const ApplicationReport& application : report.applications) {
    out += fmt::format("{}\n", application.name);
    const std::pair<const char*, std::string> lines[] = {
        {"data lost since", seconds_text(application.rpo_seconds) + " before the loss"},
        {"entries lost", fmt::format("{} of {} acknowledged, {} in doubt", application.lost_entries,
                                     application.acknowledged, application.in_doubt)},
        {"restore took",
         fmt::format("{:.1f} s, {}", application.restore_seconds, format_bytes(application.bytes_restored))},
        {"outage", seconds_text(application.outage_seconds)},
        {"longest freeze", fmt::format("{:.0f} ms, of which the manifest {:.0f} ms", application.freeze_ms_max,
                                       application.freeze_manifest_ms)},
    };
    for (const auto& [what, value] : lines) out += fmt::format("  {:<16} {}\n", what, value);
  }
  out += "checks\n";
  for (const Check& check : report.checks)
    out += fmt::format("  {:<6} {:<22} {}\n", check.passed ? "ok" : "FAILED", check.name, check.detail);
  const auto failed =
      std::count_if(report.checks.begin(), report.checks.end(), [](const Check& check) { return !check.passed; });
  out += report.passed() ? fmt::format("passed: {} checks\n", report.checks.size())
                         : fmt::format("FAILED: {} of {} checks\n", failed, report.checks.size());
  return out;
}

}  // namespace holdfast::demo
