// Runs the commands that a pod's annotations or the Backup ask for before and after its backup.
#pragma once

#include <atomic>
#include <stop_token>

#include "backup/findings.h"
#include "kube/api.h"
#include "velero/hooks.h"

namespace holdfast::backup {

class PodHooks {
 public:
  PodHooks(kube::Api& api, const velero::BackupHooks& hooks, Findings& findings)
      : api_(api), hooks_(hooks), findings_(findings) {}

  struct Ran {
    bool fine = true;   ///< false: one failed whose onError is Fail; the rest was not run
    int succeeded = 0;  ///< commands that did their work
  };
  /// Runs the pod's hooks of that moment, in order. From any thread.
  Ran run(const json::value& pod, velero::HookMoment moment, std::stop_token stop);

  [[nodiscard]] int attempted() const { return attempted_; }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  Status run_one(const std::string& ns, const std::string& pod, const velero::ExecHookPlan& hook, std::stop_token stop);
  kube::Api& api_;
  const velero::BackupHooks& hooks_;
  Findings& findings_;
  std::atomic<int> attempted_ = 0;
  std::atomic<int> failed_ = 0;
};

}  // namespace holdfast::backup
