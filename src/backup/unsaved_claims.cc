#include "backup/unsaved_claims.h"

#include <fmt/format.h>

#include "backup/json_edit.h"
#include "velero/names.h"
#include "velero/volume_rules.h"

namespace holdfast::backup {
namespace {

const std::string kClaims = "persistentvolumeclaims";

/// A volume without files has no snapshot, and is saved all the same.
bool saved(const velero::PodVolumeBackup& backup) {
  const std::string& phase = backup.status.phase;
  return phase == velero::phase::kCompleted || (phase.empty() && !backup.status.snapshot_id.empty());
}

bool host_path(const Tarball& tarball, const std::string& ns, const std::string& claim) {
  const Tarball::Entry* entry = tarball.find({kClaims, ns, claim});
  if (entry == nullptr) return false;
  const Result<json::object> object = tarball.object(*entry);
  if (!object) return false;
  entry = tarball.find({"persistentvolumes", "", json::string_at(*object, {"spec", "volumeName"})});
  if (entry == nullptr) return false;
  const Result<json::object> volume = tarball.object(*entry);
  return volume && json::find(*volume, {"spec", "hostPath"}) != nullptr;
}

/// What the volumeinfo file says of claims whose data is not in the repositories.
void read_infos(const std::vector<velero::BackupVolumeInfo>& infos, ClaimRecord& record) {
  for (const velero::BackupVolumeInfo& info : infos) {
    if (info.pvc_name.empty()) continue;
    std::string reason;
    if (info.backup_method == "CSISnapshot") {
      reason = info.snapshot_data_moved ? "its data was moved by a data mover, which cannot be read here"
                                        : "its data lies in a CSI snapshot, which cannot be restored here";
    } else if (info.backup_method == "NativeSnapshot") {
      reason = "its data lies in a native volume snapshot, which cannot be restored here";
    } else if (info.result == "failed") {
      reason = info.skipped_reason.empty() ? "its backup failed" : "its backup failed: " + info.skipped_reason;
    } else {
      continue;
    }
    record.unsaved.emplace(ItemKey{kClaims, info.pvc_namespace, info.pvc_name}, std::move(reason));
  }
}

/// Volumes of pods: "NAMESPACE/POD/VOLUME".
using PodVolumes = std::set<std::string>;

void read_pod(const json::object& pod, const velero::PodVolumeRules& rules, const PodVolumes& saved_volumes,
              std::set<ItemKey>& mounted, ClaimRecord& record) {
  const std::string ns = object_namespace(pod);
  const std::string name = object_name(pod);
  const json::value value(pod);
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string claim = velero::claim_of(value, json::string_at(volume, {"name"}));
    if (claim.empty()) continue;
    if (!mounted.insert({kClaims, ns, claim}).second) record.shared.insert({kClaims, ns, claim});
  }
  const auto note = [&](const std::string& volume, const std::string& reason) {
    const std::string claim = velero::claim_of(value, volume);
    // Without the annotation that names the claim, the PodVolumeBackup is known by its pod only.
    if (saved_volumes.contains(fmt::format("{}/{}/{}", ns, name, volume))) return;
    if (!claim.empty()) record.unsaved.emplace(ItemKey{kClaims, ns, claim}, reason);
  };
  const velero::PodVolumeChoice choice = velero::choose_pod_volumes(value, rules);
  const bool ran = json::string_at(pod, {"status", "phase"}) == "Running";
  for (const std::string& volume : choice.volumes) {
    note(volume, ran ? fmt::format("the backup has no data of volume {} of pod {}", volume, name)
                     : fmt::format("pod {} did not run when the backup was made", name));
  }
  for (const velero::PodVolumeChoice::Skipped& skipped : choice.skipped) {
    if (skipped.warning)
      note(skipped.volume, fmt::format("volume {} of pod {}: {}", skipped.volume, name, skipped.reason));
  }
}

}  // namespace

ClaimRecord record_of_claims(const BackupContents& contents) {
  ClaimRecord record;
  std::set<ItemKey> saved_claims;
  PodVolumes saved_volumes;
  for (const velero::PodVolumeBackup& backup : contents.pod_volume_backups) {
    const velero::ObjectReference& pod = backup.spec.pod;
    if (saved(backup)) saved_volumes.insert(fmt::format("{}/{}/{}", pod.namespace_, pod.name, backup.spec.volume));
    ItemKey claim{kClaims, pod.namespace_, backup.metadata.annotation(velero::annotation::kPvcName)};
    if (claim.name.empty()) continue;
    if (saved(backup)) {
      saved_claims.insert(std::move(claim));
    } else {
      const std::string& phase = backup.status.phase;
      record.unsaved.emplace(std::move(claim),
                             fmt::format("the backup of its volume {} through pod {} ended {}{}{}", backup.spec.volume,
                                         pod.name, phase.empty() ? "without a result" : phase,
                                         backup.status.message.empty() ? "" : ": ", backup.status.message));
    }
  }
  read_infos(contents.volume_infos, record);
  const velero::BackupSpec& spec = contents.backup.spec;
  velero::PodVolumeRules rules;
  rules.default_volumes_to_fs_backup =
      spec.default_volumes_to_fs_backup.value_or(spec.default_volumes_to_restic.value_or(false));
  rules.claim_is_host_path = [&](const std::string& ns, const std::string& claim) {
    return host_path(contents.tarball, ns, claim);
  };
  std::set<ItemKey> mounted;
  const Tarball::Entry* last = nullptr;  // a tarball may hold an object in several versions
  for (const Tarball::Entry& entry : contents.tarball.entries()) {
    if (entry.item.key.group_resource != "pods" || (last != nullptr && last->item.key == entry.item.key)) continue;
    last = &entry;
    if (const Result<json::object> pod = contents.tarball.object(entry))
      read_pod(*pod, rules, saved_volumes, mounted, record);
  }
  for (const ItemKey& claim : saved_claims) record.unsaved.erase(claim);
  return record;
}

}  // namespace holdfast::backup
