// Hooks around backup and restore of a pod: read from its annotations, which win, or from the spec. Pure.
#pragma once

#include "velero/types.h"

namespace holdfast::velero {

enum class OnError { fail, proceed };  // "Fail", "Continue"
enum class HookMoment { pre, post };

/// A command to run in a container; defaults are filled in.
struct ExecHookPlan {
  std::string name;       ///< the spec's hook name, "<from-annotation>" for annotations
  std::string container;  ///< never empty unless the pod has no container
  StringList command;
  OnError on_error = OnError::fail;
  Duration timeout = std::chrono::seconds(30);
};

/// The hooks of a pod for that moment, in order of the spec. invalid: a malformed annotation, named with its pod.
[[nodiscard]] Result<std::vector<ExecHookPlan>> backup_hooks(const json::value& pod, const BackupHooks& hooks,
                                                             HookMoment moment);

struct ExecRestoreHookPlan {
  std::string name;
  std::string container;
  StringList command;
  OnError on_error = OnError::proceed;
  Duration exec_timeout = std::chrono::seconds(30);
  Duration wait_timeout{};  ///< 0: wait as long as the restore lives
  bool wait_for_ready = false;
};

/// Commands to run in the restored pod; `pod` is the object as restored.
[[nodiscard]] Result<std::vector<ExecRestoreHookPlan>> restore_exec_hooks(const json::value& pod,
                                                                          const RestoreHooks& hooks);

struct InitRestoreHookPlan {
  json::array init_containers;
  Duration timeout{};  ///< 0: none
};
/// Init containers to add to the pod before it is created, behind restore-wait.
[[nodiscard]] Result<InitRestoreHookPlan> restore_init_hooks(const json::value& pod, const RestoreHooks& hooks);

}  // namespace holdfast::velero
