// Volume data of backups and restores, as PodVolumeBackup and PodVolumeRestore objects that node agents work on.
//
// All volumes of all pods are asked for at once; one thread follows them. A pod on a node without a running agent fails
// at once instead of waiting for the time-out. Both classes belong to one run and end with it: what still runs then is
// cancelled by its object.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "backup/volumes.h"
#include "control/context.h"

namespace holdfast::control {

class PodVolumeBackups final : public backup::VolumeBackups {
 public:
  PodVolumeBackups(const Context& context, velero::Backup backup, velero::BackupStorageLocation location);
  ~PodVolumeBackups() override;
  void start(const json::object& pod, std::vector<backup::PodVolumeRequest> volumes, Done done) override;
  void wait(std::stop_token stop) override;

 private:
  struct Pod {
    std::vector<backup::PodVolumeResult> results;
    std::vector<std::string> names;  ///< of the PodVolumeBackups, in the order of results; empty: ended already
    Done done;
  };
  Result<std::string> ask_for(const backup::PodVolumeRequest& volume);
  void follow(const std::stop_token& stop);
  void look(Pod& pod, const std::stop_token& stop);
  void give_up(const std::string& why);

  const Context& context_;
  const velero::Backup backup_;
  const velero::BackupStorageLocation location_;
  BootTime deadline_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Pod> pods_;
  size_t open_ = 0;  ///< pods that have not ended, also those that the follower holds just now
  std::jthread follower_;
};

class PodVolumeRestores final : public backup::VolumeRestores {
 public:
  PodVolumeRestores(const Context& context, velero::Restore restore, velero::BackupStorageLocation location);
  ~PodVolumeRestores() override;
  void start(backup::PodVolumeRestoreRequest request, Done done) override;
  void wait(std::stop_token stop) override;

 private:
  struct Pod {
    backup::PodVolumeRestoreResult result;
    BootTime since;
    bool asked = false;              ///< the PodVolumeRestores exist
    std::vector<std::string> names;  ///< of those that have not ended
    Done done;
  };
  void follow(const std::stop_token& stop);
  /// True when the pod's volumes have all ended.
  bool look(Pod& pod, const std::stop_token& stop);
  void ask_for(Pod& pod, const json::value& object, const std::stop_token& stop);
  void give_up(const std::string& why);

  const Context& context_;
  const velero::Restore restore_;
  const velero::BackupStorageLocation location_;
  BootTime deadline_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Pod> pods_;
  size_t open_ = 0;  ///< pods that have not ended, also those that the follower holds just now
  std::jthread follower_;
};

/// True where a node agent of this installation runs on that node.
[[nodiscard]] Result<bool> agent_runs_on(const Context& context, const std::string& node, std::stop_token stop);

}  // namespace holdfast::control
