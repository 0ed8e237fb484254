#include "demo/backup_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "velero/names.h"

namespace holdfast::demo {

namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

bool ended(const std::string& phase) {
  return phase == velero::phase::kCompleted || phase == velero::phase::kPartiallyFailed ||
         phase == velero::phase::kFailed || phase == velero::phase::kFailedValidation;
}

Status BackupWatch::look(SiteView site, const std::vector<std::string>& urls, const std::stop_token& stop) {
  facts_.backups = TRY(site.backups(schedule_, stop));
  for (size_t i = 0; i < urls.size(); ++i) TRY(look_at_freeze(urls[i], facts_.applications[i], stop));
  tell();
  return {};
}

Status BackupWatch::look_at_freeze(const std::string& url, ApplicationSeen& seen, const std::stop_token& stop) {
  const std::optional<Freeze> freeze = TRY(ledgers_.last_freeze(url, stop));
  if (!freeze) return {};
  if (!seen.freezes.empty() && seen.freezes.back().manifest_sha256 == freeze->manifest_sha256) {
    seen.freezes.back() = *freeze;
    return {};
  }
  TRY(write_file_atomically(fmt::format("{}/{}-manifest-{}.json", directory_, seen.name, seen.freezes.size() + 1),
                            freeze->manifest));
  seen.freezes.push_back(*freeze);
  return {};
}

void BackupWatch::tell() {
  for (const BackupSeen& backup : facts_.backups) {
    if (!ended(backup.phase) || !told_.insert(backup.name).second) continue;
    progress_.note(fmt::format("{} {}", backup.name, backup.phase));
    for (const VolumeCopy& copy : backup.volumes) {
      progress_.note(fmt::format("  {}: read {}, stored {}, took {:.0f} s{}", copy.application,
                                 format_bytes(copy.bytes_read), format_bytes(copy.bytes_stored),
                                 seconds(copy.ended - copy.started), freeze_text(backup, copy.application)));
    }
  }
}

bool BackupWatch::within(const BackupSeen& backup, const Freeze& freeze) {
  return freeze.taken >= backup.created &&
         (!backup.completed || freeze.taken <= *backup.completed + std::chrono::seconds(1));
}

bool BackupWatch::saw_newest_freezes() const {
  const auto newest = std::find_if(facts_.backups.rbegin(), facts_.backups.rend(),
                                   [](const BackupSeen& backup) { return backup.phase == velero::phase::kCompleted; });
  if (newest == facts_.backups.rend()) return false;
  return std::all_of(facts_.applications.begin(), facts_.applications.end(), [&](const ApplicationSeen& application) {
    return std::any_of(application.freezes.begin(), application.freezes.end(),
                       [&](const Freeze& freeze) { return within(*newest, freeze); });
  });
}

/// The freeze that fell into the backup.
std::string BackupWatch::freeze_text(const BackupSeen& backup, const std::string& name) const {
  for (const ApplicationSeen& application : facts_.applications) {
    if (application.name != name) continue;
    for (const Freeze& freeze : application.freezes) {
      if (!within(backup, freeze)) continue;
      return fmt::format(", frozen {:.0f} ms (manifest {:.0f} ms)", freeze.frozen_ms, freeze.manifest_ms);
    }
  }
  return {};
}

}  // namespace holdfast::demo
