// Runs commands in restored pods once their containers run (post.hook.restore.velero.io).
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "backup/findings.h"
#include "kube/api.h"
#include "sync/queue.h"
#include "velero/hooks.h"

namespace holdfast::backup {

class RestoreHooks {
 public:
  /// `stop` ends every wait; so does the destructor.
  RestoreHooks(kube::Api& api, const velero::RestoreHooks& hooks, Findings& findings, Clock& clock,
               const std::stop_token& stop);
  ~RestoreHooks();

  /// Takes note of a restored pod; its hooks run on threads of this object (eight at most), those of a pod in the order
  /// of the spec. From any thread.
  void add(const json::value& pod);
  /// Waits for all.
  void finish();
  [[nodiscard]] int attempted() const { return attempted_; }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  void run(const std::string& ns, const std::string& pod, const std::vector<velero::ExecRestoreHookPlan>& hooks);
  Status wait_for(const std::string& ns, const std::string& pod, const velero::ExecRestoreHookPlan& hook);
  Status run_one(const std::string& ns, const std::string& pod, const velero::ExecRestoreHookPlan& hook);
  kube::Api& api_;
  const velero::RestoreHooks& hooks_;
  Findings& findings_;
  Clock& clock_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_link_;
  std::atomic<int> attempted_ = 0;
  std::atomic<int> failed_ = 0;
  sync::Queue<std::function<void()>> jobs_;
  std::mutex mutex_;  ///< guards threads_
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::backup
