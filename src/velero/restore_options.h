// What a Restore asks of this program beyond Velero's spec: annotations on it.
#pragma once

#include <string_view>

namespace holdfast::velero::annotation {

/// "*", or a comma-separated list of NAMESPACE/CLAIM of the source: these claims may come back without the data that
/// the backup should hold and does not; nothing is held back for them.
inline constexpr std::string_view kStartWithoutData = "holdfast.dev/start-without-data";
/// "true": of a schedule's backups a PartiallyFailed one may be chosen as well.
inline constexpr std::string_view kAllowPartiallyFailed = "holdfast.dev/allow-partially-failed";

}  // namespace holdfast::velero::annotation
