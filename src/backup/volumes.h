// What the collecting and restoring of objects asks of those who move volume data: the controller implements both with
// PodVolumeBackup and PodVolumeRestore objects, tests with fakes.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/item_action.h"
#include "velero/types.h"

namespace holdfast::backup {

/// One pod volume whose files are to be saved.
struct PodVolumeRequest {
  std::string pod_namespace;
  std::string pod;
  std::string pod_uid;
  std::string node;
  std::string volume;
  std::string pvc;        ///< empty: no PVC behind it
  std::string pvc_uid;    ///< likewise
  std::string pv;         ///< likewise
  bool by_mover = false;  ///< the pod is a mover, made for the claim
};

/// What became of it.
struct PodVolumeResult {
  PodVolumeRequest request;
  std::optional<velero::PodVolumeBackup> backup;  ///< as it ended; missing where none could be made
  std::string error;                              ///< empty: the data is saved
};

class VolumeBackups {
 public:
  /// Called once, from any thread, when every volume of the pod has ended; must not be called with a lock held.
  using Done = std::function<void(std::vector<PodVolumeResult>)>;

  virtual ~VolumeBackups() = default;
  /// Starts all volumes of one pod and returns at once; many pods run at the same time. A volume that cannot be started
  /// ends with an error in its result, not here.
  virtual void start(const json::object& pod, std::vector<PodVolumeRequest> volumes, Done done) = 0;
  /// The files of a claim that no pod mounts: only pod_namespace, pvc, pvc_uid and pv of the request are set, the
  /// result has the rest. Returns at once.
  virtual void start_claim(PodVolumeRequest claim, Done done) = 0;
  /// Blocks until every Done has returned. After `stop` or a deadline of its own it ends what still runs (results with
  /// errors) and returns.
  virtual void wait(std::stop_token stop) = 0;
};

/// One restored pod with the volumes that its restore-wait container waits for.
struct PodVolumeRestoreRequest {
  std::string pod_namespace;  ///< in the target
  std::string pod;
  std::string pod_uid;
  std::vector<RestoredVolume> volumes;  ///< pod_namespace inside is the source's: it decides the repository
  bool by_mover = false;                ///< the pod is a mover, made for the claim of the only volume
};

struct PodVolumeRestoreResult {
  PodVolumeRestoreRequest request;
  std::vector<std::string> errors;  ///< empty: all volumes of the pod are back
};

class VolumeRestores {
 public:
  using Done = std::function<void(PodVolumeRestoreResult)>;

  virtual ~VolumeRestores() = default;
  /// Called right after the pod was created, from any thread; returns at once. It waits until the pod is scheduled and
  /// does the rest.
  virtual void start(PodVolumeRestoreRequest request, Done done) = 0;
  /// Called after a claim was created whose files were saved by a mover; only pod_namespace and volumes of the request
  /// are set. Returns at once; Done comes within a limit of its own.
  virtual void start_claim(PodVolumeRestoreRequest claim, Done done) = 0;
  /// As VolumeBackups::wait.
  virtual void wait(std::stop_token stop) = 0;
};

}  // namespace holdfast::backup
