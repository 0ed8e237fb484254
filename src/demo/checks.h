// Judges a run of the demo: from what was seen to checks and figures. Pure.
//
// The recovery point of an application is the freeze whose manifest the restored volume held. `taken` of that freeze
// divides the acknowledged entries: those before it have to be there, those after it may be.
#pragma once

#include "demo/report.h"

namespace holdfast::demo {

/// The least number of completed backups that the story waits for.
inline constexpr size_t kBackupsWanted = 3;
/// What a ledger has to commit in its best second, or its load was none.
inline constexpr int64_t kCommitsWanted = 200;

[[nodiscard]] Report judge(const Facts& facts);

/// The freeze that the restored volume comes from; nullptr where no freeze that was seen has its manifest.
[[nodiscard]] const Freeze* recovery_point(const ApplicationSeen& application);

}  // namespace holdfast::demo
