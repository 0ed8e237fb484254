#include "location/backup_repository.h"

#include <fmt/format.h>

#include "crypto/sha256.h"
#include "velero/names.h"

namespace holdfast::location {

namespace {

constexpr std::string_view kRestic = "restic";
constexpr size_t kSuffix = 5;
/// What Kubernetes makes generated names of.
constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";

}  // namespace

std::string backup_repository_selector(const std::string& location, const std::string& volume_namespace) {
  return fmt::format("{}={},{}={},{}={}", velero::label::kVolumeNamespace, velero::label_value(volume_namespace),
                     velero::label::kStorageLocation, velero::label_value(location), velero::label::kRepositoryType,
                     kRestic);
}

std::string backup_repository_name(const std::string& location, const std::string& volume_namespace) {
  const crypto::Digest digest = crypto::sha256(volume_namespace + "/" + location);
  std::string suffix;
  for (size_t i = 0; i < kSuffix; ++i) suffix += kLetters[static_cast<size_t>(digest[i]) % kLetters.size()];
  return fmt::format("{}-{}-{}-{}", volume_namespace, location, kRestic, suffix);
}

Result<std::optional<velero::BackupRepository>> find_backup_repository(kube::Api& api, const std::string& ns,
                                                                       const std::string& location,
                                                                       const std::string& volume_namespace,
                                                                       std::stop_token stop) {
  kube::ListOptions options;
  options.label_selector = backup_repository_selector(location, volume_namespace);
  const kube::ListPage page =
      TRY(kube::list_all(api, kube::types::velero("backuprepositories"), ns, options, std::move(stop)));
  std::optional<velero::BackupRepository> found;
  for (const json::value& item : page.items) {
    velero::BackupRepository one = TRY(velero::decode<velero::BackupRepository>(item));
    // Labels are shortened; the spec tells.
    if (one.spec.volume_namespace != volume_namespace || one.spec.backup_storage_location != location) continue;
    if (found) {
      return Error(ErrorCode::conflict,
                   fmt::format("BackupRepositories {} and {} stand for one repository, that of namespace {} in backup "
                               "location {}",
                               found->metadata.name, one.metadata.name, volume_namespace, location),
                   "delete one of the two objects; no data goes with it");
    }
    found = std::move(one);
  }
  return found;
}

Status require_ready_repository(kube::Api& api, const std::string& ns, const std::string& location,
                                const std::string& volume_namespace, std::stop_token stop) {
  const std::optional<velero::BackupRepository> found =
      TRY(find_backup_repository(api, ns, location, volume_namespace, std::move(stop)));
  if (!found) {
    return Error(ErrorCode::not_found,
                 fmt::format("namespace {} has no BackupRepository for backup location {}", volume_namespace, location),
                 "the controller makes one when a backup or restore needs it; see whether it runs");
  }
  if (found->status.phase == velero::phase::kReady) return {};
  return Error(
      ErrorCode::unavailable,
      fmt::format("BackupRepository {} is {}: {}", found->metadata.name,
                  found->status.phase.empty() ? velero::phase::kNew : std::string_view(found->status.phase),
                  found->status.message.empty() ? "the controller has not looked yet" : found->status.message));
}

}  // namespace holdfast::location
