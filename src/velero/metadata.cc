#include "velero/metadata.h"

#include <fmt/format.h>

#include "velero/types/codec.h"

namespace holdfast::velero {

Result<Backup> decode_metadata(std::string_view text) {
  const json::value v = TRY(json::parse(text));
  Backup backup = TRY(decode<Backup>(v));
  if (backup.metadata.name.empty()) return Error(ErrorCode::invalid, "metadata.name: missing");
  if (backup.kind.empty()) return Error(ErrorCode::invalid, "kind: missing");
  return backup;
}

std::string encode_metadata(const Backup& backup) {
  return codec::go_escaped(json::pretty(encode(backup)));
}

Result<std::vector<PodVolumeBackup>> decode_pod_volume_backups(std::string_view text) {
  const json::value v = TRY(json::parse(text));
  std::vector<PodVolumeBackup> out;
  if (v.is_null()) return out;
  if (!v.is_array()) return Error(ErrorCode::invalid, "the list of PodVolumeBackups is not a list");
  for (const json::value& item : v.get_array()) {
    Result<PodVolumeBackup> entry = decode<PodVolumeBackup>(item);
    if (!entry) return std::move(entry).error().in(fmt::format("[{}]", out.size()));
    out.push_back(*std::move(entry));
  }
  return out;
}

std::string encode_pod_volume_backups(std::vector<PodVolumeBackup> list) {
  if (list.empty()) return "null\n";
  json::array out;
  for (PodVolumeBackup& entry : list) {
    entry.kind.clear();
    entry.api_version.clear();
    out.push_back(encode(entry));
  }
  return codec::file_text(out);
}

}  // namespace holdfast::velero
