// One PodVolumeBackup or PodVolumeRestore while this agent works on it: its status, its progress, and the reasons to
// drop it.
//
// A Work is claimed by moving its object from New to InProgress, which one agent can do only. A thread then looks every
// second whether the object was cancelled or deleted and whether the Backup or Restore that owns it is still
// InProgress (safety.md 12), and writes the progress every few seconds; the work's stop token tells. Owned by the
// thread that does the work; progress() may be called from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "kube/api.h"
#include "location/location.h"
#include "node/engine_share.h"
#include "node/host_volumes.h"
#include "node/pod_volume_metrics.h"
#include "repo/progress.h"
#include "velero/types.h"

namespace holdfast::node {

struct WorkOptions {
  std::string ns = "velero";
  std::string node;
  std::string host_pods = "/host_pods";
  std::string cache_dir = {};  ///< of repositories; empty: none
  EngineShare share = {};
  MountTest mounted = is_mount_point;  ///< tests have no mounts
  Duration look = std::chrono::seconds(1);
  Duration progress = std::chrono::seconds(5);
  Duration lock_wait = std::chrono::minutes(10);    ///< for another's exclusive lock on the repository
  Duration status_limit = std::chrono::minutes(2);  ///< for writing how it ended
};

/// What every work of an agent shares. Owned by the agent, which outlives them.
struct WorkContext {
  kube::Api& api;
  Clock& clock;
  log::Logger log;
  location::Locations& locations;
  PodVolumeMetrics& metrics;
  const WorkOptions options;
};

/// Which object, and who owns it.
struct WorkName {
  std::string plural;  ///< "podvolumebackups"
  std::string name;
  std::string owner_plural;  ///< "backups"
  std::string owner;
  std::string owner_uid;
  [[nodiscard]] std::string text() const { return plural + "/" + name; }
};
/// From the owner references. invalid where no Backup or Restore owns the object.
[[nodiscard]] Result<WorkName> name_work(const velero::PodVolumeBackup& backup);
[[nodiscard]] Result<WorkName> name_work(const velero::PodVolumeRestore& restore);

/// Success while the owner is InProgress; conflict names what it is instead. Other failures: it could not be asked.
[[nodiscard]] Result<json::value> running_owner(const WorkContext& context, const WorkName& name, std::stop_token stop);

/// How a work ended.
struct Ending {
  std::string phase;
  std::string message = {};
  json::object status = {};  ///< more members of the status
};
/// Writes the end, unless the object has one already or is gone. Tries again for a while, as nobody else knows the end.
[[nodiscard]] Status write_ending(const WorkContext& context, const WorkName& name, const Ending& ending,
                                  std::stop_token stop);

class Work final : public repo::Progress {
 public:
  /// Moves the object to InProgress and starts the thread. conflict: it is in none of the phases `from` any more.
  [[nodiscard]] static Result<std::unique_ptr<Work>> claim(const WorkContext& context, WorkName name,
                                                           const std::vector<std::string>& from, std::stop_token stop);
  ~Work() override;

  /// Asked when the agent stops, and when the work is to be dropped.
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }
  /// Looks now. cancelled or conflict: the work is to be dropped; others: it could not be asked, so nothing is sure.
  [[nodiscard]] Status check();
  /// Why the work was dropped; empty while it was not.
  [[nodiscard]] std::optional<Error> dropped() const;
  /// Ends the thread and says how the work ended: cancelled and dropped works have their own phases and messages.
  [[nodiscard]] Ending ending(const Result<json::object>& result);
  /// Written with the next progress.
  void set_path(const std::string& path);

  void stage(std::string_view name, uint64_t total_items, uint64_t total_bytes) override;
  void done(uint64_t items, uint64_t bytes) override;

 private:
  Work(const WorkContext& context, WorkName name, std::stop_token stop);
  void watch(const std::stop_token& stop);
  void drop(Error reason);
  Status write_progress(const std::stop_token& stop);

  const WorkContext& context_;
  const WorkName name_;
  const std::stop_token agent_stop_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> agent_link_;
  std::atomic<uint64_t> bytes_done_ = 0;
  std::atomic<uint64_t> bytes_total_ = 0;
  mutable std::mutex mutex_;
  std::optional<Error> dropped_;
  std::string path_;
  json::object written_;  ///< of the thread only
  std::jthread thread_;
};

}  // namespace holdfast::node
