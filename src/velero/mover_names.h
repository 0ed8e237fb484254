// The words about movers: pods of ours that mount a claim which no other pod mounts. Pure.
#pragma once

#include <string_view>

namespace holdfast::velero {

namespace label {
/// On mover pods: the installation's namespace.
inline constexpr std::string_view kMover = "holdfast.dev/mover";
}  // namespace label

namespace annotation {
/// On PodVolumeBackups and PodVolumeRestores: the pod is a mover, made for the claim alone.
inline constexpr std::string_view kByMover = "holdfast.dev/by-mover";
/// On a PersistentVolumeClaim: "true" or "false", whether its files are saved where no pod mounts it.
inline constexpr std::string_view kBackupVolume = "holdfast.dev/backup-volume";
}  // namespace annotation

}  // namespace holdfast::velero
