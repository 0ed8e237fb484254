#include "backup/restore_hooks.h"

#include <fmt/format.h>

namespace holdfast::backup {
namespace {

constexpr size_t kThreads = 8;
constexpr size_t kWaiting = 100'000;
/// A hook without a wait time-out waits for its pod no longer than this.
constexpr Duration kLongestWait = std::chrono::hours(4);

/// not_found: the container does not run (or is not ready) yet; conflict: it never will.
Status container_state(const json::value& pod, const velero::ExecRestoreHookPlan& hook) {
  const std::string phase = json::string_at(pod, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") return Error(ErrorCode::conflict, "the pod has ended");
  for (const json::value& status : json::array_at(pod, {"status", "containerStatuses"})) {
    if (json::string_at(status, {"name"}) != hook.container) continue;
    const bool runs = json::find(status, {"state", "running"}) != nullptr;
    if (runs && (!hook.wait_for_ready || json::bool_at(status, {"ready"}))) return {};
  }
  return Error(ErrorCode::not_found, "the container does not run");
}

}  // namespace

RestoreHooks::RestoreHooks(kube::Api& api, const velero::RestoreHooks& hooks, Findings& findings, Clock& clock,
                           const std::stop_token& stop)
    : api_(api),
      hooks_(hooks),
      findings_(findings),
      clock_(clock),
      outer_link_(stop, [this] { stop_.request_stop(); }),
      jobs_(kWaiting) {}

RestoreHooks::~RestoreHooks() {
  stop_.request_stop();
  finish();
}

void RestoreHooks::add(const json::value& pod) {
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  const std::string name = json::string_at(pod, {"metadata", "name"});
  auto hooks = velero::restore_exec_hooks(pod, hooks_);
  if (!hooks) {
    findings_.error(ns, fmt::format("restore hooks of pod {}: {}", name, hooks.error().to_string()));
    return;
  }
  if (hooks->empty()) return;
  if (!jobs_.push([this, ns, name, plan = std::move(*hooks)] { run(ns, name, plan); }, stop_.get_token())) return;
  std::lock_guard lock(mutex_);
  if (threads_.size() >= kThreads) return;
  threads_.emplace_back([this] {
    while (auto job = jobs_.pop(stop_.get_token())) (*job)();
  });
}

void RestoreHooks::finish() {
  jobs_.close();
  std::vector<std::jthread> threads;
  {
    std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
}

void RestoreHooks::run(const std::string& ns, const std::string& pod,
                       const std::vector<velero::ExecRestoreHookPlan>& hooks) {
  for (const velero::ExecRestoreHookPlan& hook : hooks) {
    ++attempted_;
    Status status = wait_for(ns, pod, hook);
    if (status) status = run_one(ns, pod, hook);
    if (status) continue;
    ++failed_;
    findings_.error(ns, fmt::format("hook {} of pod {}, container {}: {}", hook.name, pod, hook.container,
                                    status.error().to_string()));
    if (hook.on_error == velero::OnError::fail) return;
  }
}

Status RestoreHooks::wait_for(const std::string& ns, const std::string& pod, const velero::ExecRestoreHookPlan& hook) {
  const Duration longest = hook.wait_timeout > Duration::zero() ? hook.wait_timeout : kLongestWait;
  const BootTime deadline = clock_.boottime() + longest;
  while (true) {
    const Result<json::value> live = api_.get(kube::types::pods(), ns, pod, stop_.get_token());
    Status state = live ? container_state(*live, hook) : Status(live.error());
    if (state || (live && state.is(ErrorCode::conflict))) return state;
    if (!live && live.is(ErrorCode::not_found)) return Error(ErrorCode::not_found, "the pod is gone");
    if (clock_.boottime() >= deadline) {
      return Error(ErrorCode::timeout, fmt::format("waited {} for the container", format_go_duration(longest)));
    }
    TRY(clock_.sleep(stop_.get_token(), std::chrono::seconds(1)));
  }
}

Status RestoreHooks::run_one(const std::string& ns, const std::string& pod, const velero::ExecRestoreHookPlan& hook) {
  const kube::ExecResult result =
      TRY(api_.exec(ns, pod, hook.container, hook.command, hook.exec_timeout, stop_.get_token()));
  if (result.exit_code == 0) return {};
  return Error(ErrorCode::invalid, fmt::format("command terminated with exit code {}", result.exit_code));
}

}  // namespace holdfast::backup
