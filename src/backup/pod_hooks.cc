#include "backup/pod_hooks.h"

#include <fmt/format.h>

namespace holdfast::backup {

Status PodHooks::run_one(const std::string& ns, const std::string& pod, const velero::ExecHookPlan& hook,
                         std::stop_token stop) {
  const kube::ExecResult result = TRY(api_.exec(ns, pod, hook.container, hook.command, hook.timeout, std::move(stop)));
  if (result.exit_code == 0) return {};
  return Error(ErrorCode::invalid, fmt::format("command terminated with exit code {}", result.exit_code));
}

PodHooks::Ran PodHooks::run(const json::value& pod, velero::HookMoment moment, std::stop_token stop) {
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  const std::string name = json::string_at(pod, {"metadata", "name"});
  const std::string_view when = moment == velero::HookMoment::pre ? "pre" : "post";
  const auto hooks = velero::backup_hooks(pod, hooks_, moment);
  if (!hooks) {
    findings_.error(ns, fmt::format("{} hooks of pod {}: {}", when, name, hooks.error().to_string()));
    return {false, 0};
  }
  // A command cannot run in a pod that has ended or not begun.
  if (json::string_at(pod, {"status", "phase"}) != "Running") return {};
  Ran ran;
  for (const velero::ExecHookPlan& hook : *hooks) {
    ++attempted_;
    findings_.log().info("running hook", {{"hookPhase", when}, {"hook", hook.name}, {"namespace", ns}, {"pod", name}});
    const Status status = run_one(ns, name, hook, stop);
    if (status) {
      ++ran.succeeded;
      continue;
    }
    ++failed_;
    findings_.error(ns, fmt::format("{} hook {} of pod {}, container {}: {}", when, hook.name, name, hook.container,
                                    status.error().to_string()));
    if (hook.on_error == velero::OnError::fail) {
      ran.fine = false;
      break;
    }
  }
  return ran;
}

}  // namespace holdfast::backup
