// Volume data of backups and restores, as PodVolumeBackup and PodVolumeRestore objects that node agents work on.
//
// All volumes of all pods are asked for at once; one thread follows them. A pod on a node without a running agent fails
// at once instead of waiting for the time-out. A claim that no pod mounts gets a mover pod first, and is then like any
// other pod's volume. A volume is asked for only where its repository is Ready. Both classes
// belong to one run and end with it: what still runs then is cancelled by its object.
#pragma once

#include "backup/volumes.h"
#include "control/context.h"
#include "control/follower.h"

namespace holdfast::control {

class PodVolumeBackups final : public backup::VolumeBackups {
 public:
  PodVolumeBackups(const Context& context, velero::Backup backup, location::Location location);
  void start(const json::object& pod, std::vector<backup::PodVolumeRequest> volumes, Done done) override;
  void start_claim(backup::PodVolumeRequest claim, Done done) override;
  void wait(std::stop_token stop) override;

 private:
  class PodJob;
  class ClaimJob;

  const Context& context_;
  const velero::Backup backup_;
  const location::Location location_;
  Follower follower_;
};

class PodVolumeRestores final : public backup::VolumeRestores {
 public:
  /// `stop`: the controller stops. What runs then is left to the next one; at any other end it is cancelled.
  PodVolumeRestores(const Context& context, velero::Restore restore, location::Location location, std::stop_token stop);
  void start(backup::PodVolumeRestoreRequest request, Done done) override;
  void start_claim(backup::PodVolumeRestoreRequest claim, Done done) override;
  void wait(std::stop_token stop) override;

 private:
  class PodJob;
  class ClaimJob;

  const Context& context_;
  const velero::Restore restore_;
  const location::Location location_;
  const std::stop_token stop_;
  std::vector<std::string> cancelled_;  ///< names, while wait() runs
  Follower follower_;
};

/// True where a node agent of this installation runs on that node.
[[nodiscard]] Result<bool> agent_runs_on(const Context& context, const std::string& node, std::stop_token stop);

}  // namespace holdfast::control
