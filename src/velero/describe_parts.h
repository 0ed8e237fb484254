// Inside velero/ only: pieces that the descriptions share. Text is tabbed; tab_text.h aligns it at the end.
#pragma once

#include "velero/resource_list.h"
#include "velero/results.h"
#include "velero/types.h"
#include "velero/volume_info.h"

namespace holdfast::velero::parts {

/// "2026-11-21 06:16:45 +0000 UTC", as Go prints a time.
[[nodiscard]] std::string time_text(Time time);
[[nodiscard]] std::string time_or(const std::optional<Time>& time, std::string_view other);
/// "auto" where unset.
[[nodiscard]] std::string tri_state(const std::optional<bool>& value);
[[nodiscard]] std::string list_or(const StringList& list, std::string_view other);
[[nodiscard]] std::string metadata(const ObjectMeta& metadata);
[[nodiscard]] std::string selectors(const std::optional<LabelSelector>& one, const std::vector<LabelSelector>& any);
/// A heading with one line per entry; `depth` tabs in front.
[[nodiscard]] std::string slice(size_t depth, std::string_view name, const StringList& list);
[[nodiscard]] std::string findings(std::string_view title, const Findings& findings);
[[nodiscard]] std::string resource_list(const ResourceList& list);
/// Name of a volume that a pod's files were taken of, with the sizes where its file is of a Velero that shows them.
/// `info.pvb_info` is there.
[[nodiscard]] std::string pod_volume_name(const BackupVolumeInfo& info);
[[nodiscard]] std::string backup_spec(const BackupSpec& spec);

}  // namespace holdfast::velero::parts
