// Every label, annotation, finalizer, file name and fixed word of the velero.io interface that we read or write.
//
// The words are Velero's (1.9 to 1.18) and OADP's; those under holdfast.dev are ours. Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::velero {

inline constexpr std::string_view kGroup = "velero.io";
inline constexpr std::string_view kApiVersion = "velero.io/v1";
/// What a backup's tarball says in metadata/version, and status.formatVersion.
inline constexpr std::string_view kBackupFormatVersion = "1.1.0";
inline constexpr int kBackupVersion = 1;

namespace label {
inline constexpr std::string_view kBackupName = "velero.io/backup-name";
inline constexpr std::string_view kBackupUid = "velero.io/backup-uid";
inline constexpr std::string_view kRestoreName = "velero.io/restore-name";
inline constexpr std::string_view kRestoreUid = "velero.io/restore-uid";
inline constexpr std::string_view kScheduleName = "velero.io/schedule-name";
inline constexpr std::string_view kStorageLocation = "velero.io/storage-location";
inline constexpr std::string_view kPodUid = "velero.io/pod-uid";
inline constexpr std::string_view kPvcUid = "velero.io/pvc-uid";
inline constexpr std::string_view kVolumeNamespace = "velero.io/volume-namespace";
inline constexpr std::string_view kRepositoryType = "velero.io/repository-type";
inline constexpr std::string_view kExcludeFromBackup = "velero.io/exclude-from-backup";
inline constexpr std::string_view kGcFailure = "velero.io/gc-failure";
inline constexpr std::string_view kVolumeGroup = "velero.io/volume-group";
inline constexpr std::string_view kPluginConfig = "velero.io/plugin-config";
inline constexpr std::string_view kPodVolumeRestore = "velero.io/pod-volume-restore";
inline constexpr std::string_view kChangeStorageClass = "velero.io/change-storage-class";
inline constexpr std::string_view kChangeImageName = "velero.io/change-image-name";
inline constexpr std::string_view kArgoManagedBy = "argocd.argoproj.io/managed-by";
// OADP's post-restore of DeploymentConfigs
inline constexpr std::string_view kReplicasModified = "oadp.openshift.io/replicas-modified";
inline constexpr std::string_view kDisconnectedFromDc = "oadp.openshift.io/disconnected-from-dc";
}  // namespace label

namespace annotation {
inline constexpr std::string_view kPvcName = "velero.io/pvc-name";
inline constexpr std::string_view kSourceGitVersion = "velero.io/source-cluster-k8s-gitversion";
inline constexpr std::string_view kSourceMajorVersion = "velero.io/source-cluster-k8s-major-version";
inline constexpr std::string_view kSourceMinorVersion = "velero.io/source-cluster-k8s-minor-version";
inline constexpr std::string_view kResourceTimeout = "velero.io/resource-timeout";
inline constexpr std::string_view kPodVolumeTimeout = "velero.io/pod-volume-timeout";
inline constexpr std::string_view kSkipFromBackup = "velero.io/skip-from-backup";
inline constexpr std::string_view kRestoreStatus = "velero.io/restore-status";
inline constexpr std::string_view kOriginalPvName = "velero.io/original-pv-name";
inline constexpr std::string_view kVolumesToBackup = "backup.velero.io/backup-volumes";
inline constexpr std::string_view kVolumesToExclude = "backup.velero.io/backup-volumes-excludes";
/// Prefix of snapshot ids on pods in old backups: snapshot.velero.io/VOLUME.
inline constexpr std::string_view kPodSnapshotPrefix = "snapshot.velero.io/";
// OADP's DeploymentConfigs
inline constexpr std::string_view kOriginalReplicas = "oadp.openshift.io/original-replicas";
inline constexpr std::string_view kOriginalPaused = "oadp.openshift.io/original-paused";
inline constexpr std::string_view kPodsHaveVolumes = "oadp.openshift.io/pods-have-volumes";
inline constexpr std::string_view kHasPodRestoreHooks = "oadp.openshift.io/has-pod-restore-hooks";
inline constexpr std::string_view kIncludesDcFix = "oadp.openshift.io/includes-dm-dc-fix";
inline constexpr std::string_view kPodLabels = "oadp.openshift.io/pod-labels";
// Ours, on the Backup: which site wrote it, in which epoch (decimal), by which attempt (random id).
inline constexpr std::string_view kSite = "holdfast.dev/site";
inline constexpr std::string_view kEpoch = "holdfast.dev/epoch";
inline constexpr std::string_view kAttempt = "holdfast.dev/attempt";
// Ours, on a BackupStorageLocation: the sites whose backups this site holds now (comma list).
inline constexpr std::string_view kTakeOver = "holdfast.dev/take-over";
}  // namespace annotation

namespace finalizer {
inline constexpr std::string_view kRestoreExternalResources = "restores.velero.io/external-resources-finalizer";
}

namespace phase {
inline constexpr std::string_view kNew = "New";
inline constexpr std::string_view kQueued = "Queued";
inline constexpr std::string_view kReadyToStart = "ReadyToStart";
inline constexpr std::string_view kFailedValidation = "FailedValidation";
inline constexpr std::string_view kInProgress = "InProgress";
inline constexpr std::string_view kWaiting = "WaitingForPluginOperations";
inline constexpr std::string_view kWaitingPartiallyFailed = "WaitingForPluginOperationsPartiallyFailed";
inline constexpr std::string_view kFinalizing = "Finalizing";
inline constexpr std::string_view kFinalizingPartiallyFailed = "FinalizingPartiallyFailed";
inline constexpr std::string_view kCompleted = "Completed";
inline constexpr std::string_view kPartiallyFailed = "PartiallyFailed";
inline constexpr std::string_view kFailed = "Failed";
inline constexpr std::string_view kDeleting = "Deleting";
inline constexpr std::string_view kEnabled = "Enabled";          // Schedule
inline constexpr std::string_view kAvailable = "Available";      // BackupStorageLocation
inline constexpr std::string_view kUnavailable = "Unavailable";  // BackupStorageLocation
inline constexpr std::string_view kReady = "Ready";              // BackupRepository
inline constexpr std::string_view kNotReady = "NotReady";        // BackupRepository
inline constexpr std::string_view kProcessed = "Processed";      // requests
inline constexpr std::string_view kAccepted = "Accepted";        // PodVolumeBackup and -Restore
inline constexpr std::string_view kPrepared = "Prepared";        // PodVolumeBackup and -Restore
inline constexpr std::string_view kCanceling = "Canceling";      // PodVolumeBackup and -Restore
inline constexpr std::string_view kCanceled = "Canceled";        // PodVolumeBackup and -Restore
}  // namespace phase

/// The init container that holds a restored pod back until its volumes are there, and its name up to Velero 1.9.
inline constexpr std::string_view kRestoreWaitContainer = "restore-wait";
inline constexpr std::string_view kResticWaitContainer = "restic-wait";
/// The directory inside a restored volume whose file UID-OF-RESTORE says that the data is complete.
inline constexpr std::string_view kDoneDirectory = ".velero";

/// Secret and key of the repository password, the Secret's name up to Velero 1.9, and Velero's constant default.
inline constexpr std::string_view kRepoCredentialsSecret = "velero-repo-credentials";
inline constexpr std::string_view kResticCredentialsSecret = "velero-restic-credentials";
inline constexpr std::string_view kRepoPasswordKey = "repository-password";
inline constexpr std::string_view kVeleroDefaultPassword = "static-passw0rd";

/// A name as a label value: unchanged up to 63 characters, else its first 57 and the first 6 hex digits of its SHA-256.
[[nodiscard]] std::string label_value(std::string_view name);

/// True for phases in which a Backup or Restore will not change by itself any more.
[[nodiscard]] bool is_final(std::string_view phase);

}  // namespace holdfast::velero
