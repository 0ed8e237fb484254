// The rules of a restore for single objects and for their order, without a cluster: what is never restored, what is
// stripped, when two copies are equal, how an existing one is brought up to date.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/item.h"
#include "backup/item_action.h"
#include "velero/types.h"
#include "velero/volume_info.h"

namespace holdfast::backup {

/// Velero's priorities; "-" parts the high ones from the low ones, which come last.
[[nodiscard]] const std::vector<std::string>& default_priorities();
/// The types in the order in which they are restored: high priorities, then all others by name, then low ones. Types
/// that are not in `types` are left out.
[[nodiscard]] std::vector<std::string> restore_order(const std::set<std::string>& types,
                                                     const std::vector<std::string>& priorities);

/// False for nodes, events, velero.io's own records and the like.
[[nodiscard]] bool restorable_type(std::string_view group_resource);
/// Why an object of the backup is not restored (finished pods and jobs, mirror pods); empty: it is.
[[nodiscard]] std::string skip_reason(std::string_view group_resource, const json::object& object);

/// Removes the metadata that a server sets, owner references and managed fields.
void strip_metadata(json::object& object);
/// Sets velero.io/backup-name and velero.io/restore-name.
void add_restore_labels(json::object& object, const std::string& backup, const std::string& restore);
/// True where the live object is what the restore would create: compared without server-set metadata, status and the
/// two labels.
[[nodiscard]] bool equal_for_restore(const json::object& live, const json::object& wanted);
/// A JSON merge patch that turns `from` into `to`; without server-set metadata and status. Empty: nothing to do.
[[nodiscard]] json::object merge_patch(const json::object& from, const json::object& to);
/// The live account with the secrets, pull secrets, labels and annotations of the backup's copy added; live values win.
[[nodiscard]] json::object merge_service_account(const json::object& live, const json::object& backup);
/// Names the namespace's new dockercfg secret where the old one was named; `secrets` are the names in the namespace.
void replace_pull_secrets(json::object& pod, const std::vector<std::string>& secrets);

/// How a volume's PersistentVolume comes back.
enum class VolumeDecision {
  provision_anew,  ///< the PV is skipped and its claim's volumeName cleared
  as_it_stands,    ///< the PV is restored, bound to the same storage
  unsupported,     ///< its data lies in a native snapshot, which this program does not restore
};
/// What the backup recorded of volumes: its volumeinfo file, else its PodVolumeBackups.
class VolumeFacts {
 public:
  /// `infos` is empty for backups of Velero up to 1.12, which have no such file.
  VolumeFacts(const std::vector<velero::BackupVolumeInfo>& infos, const std::vector<velero::PodVolumeBackup>& backups);
  [[nodiscard]] VolumeDecision decide(const json::object& persistent_volume) const;
  /// Every volume of the backup's pods with a snapshot of its files.
  [[nodiscard]] const std::vector<RestoredVolume>& volumes() const { return volumes_; }
  /// Those whose pod was a mover, made for the claim alone: no pod of the backup waits for them.
  [[nodiscard]] const std::vector<RestoredVolume>& mover_volumes() const { return mover_volumes_; }
  /// What the PV of that name had; nullptr where unknown.
  [[nodiscard]] const velero::PvInfo* pv(const std::string& name) const;

 private:
  std::map<std::string, velero::BackupVolumeInfo> by_pv_;
  std::set<std::pair<std::string, std::string>> saved_claims_;  ///< namespace and PVC of PodVolumeBackups
  std::vector<RestoredVolume> volumes_;
  std::vector<RestoredVolume> mover_volumes_;
};
/// Clears what binds a claim to its old volume.
void unbind_claim(json::object& pvc);
/// Maps the namespace in claimRef and forgets the claim's identity, so that the new claim binds.
void rebind_volume(json::object& pv, const RestoreFacts& facts);

}  // namespace holdfast::backup
