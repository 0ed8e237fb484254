#include "control/holder.h"

#include <fmt/format.h>

#include "base/text.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

bool taken_over(const velero::BackupStorageLocation& location, std::string_view site) {
  for (const std::string& one : split(location.metadata.annotation(velero::annotation::kTakeOver), ','))
    if (trim(one) == site) return true;
  return false;
}

}  // namespace

Status check_holder(std::string_view own_site, const velero::BackupStorageLocation& location, std::string_view site,
                    std::string_view epoch) {
  if (!epoch.empty() && epoch != "0") {
    return Error(ErrorCode::denied,
                 fmt::format("it was written in epoch {}, and this release cannot tell who holds that", epoch),
                 "use the release that made it");
  }
  if (site.empty() || site == own_site || taken_over(location, site)) return {};
  return Error(ErrorCode::denied, fmt::format("it was written by site {} and this is site {}", site, own_site),
               fmt::format("do it there; where that site is gone for good: holdfast backup-location set {} --take-over "
                           "{}",
                           location.metadata.name, site));
}

Status check_holder(std::string_view own_site, const velero::BackupStorageLocation& location,
                    const velero::Backup& backup) {
  return check_holder(own_site, location, backup.metadata.annotation(velero::annotation::kSite),
                      backup.metadata.annotation(velero::annotation::kEpoch));
}

}  // namespace holdfast::control
