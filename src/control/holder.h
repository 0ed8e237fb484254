// Who may delete, expire or clear away what a site wrote into a location (safety.md 4): the holder.
//
// As long as no epoch has been claimed, that is the site that wrote it. What names no site (plain Velero's backups) is
// anybody's who can write the location, as with Velero. A site takes over from one that is gone for good by the
// annotation holdfast.dev/take-over of its own BackupStorageLocation, a comma list of sites, which
// `holdfast backup-location set NAME --take-over SITE` writes. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "velero/types.h"

namespace holdfast::control {

/// Denied where this site does not hold what `site` wrote in `epoch`; the error says who does and what can be done.
[[nodiscard]] Status check_holder(std::string_view own_site, const velero::BackupStorageLocation& location,
                                  std::string_view site, std::string_view epoch);
/// By the annotations of a backup.
[[nodiscard]] Status check_holder(std::string_view own_site, const velero::BackupStorageLocation& location,
                                  const velero::Backup& backup);

}  // namespace holdfast::control
