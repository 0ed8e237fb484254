// A pod as any user of a cluster may write it: its hooks and volumes are read, or refused with a reason.
#include "velero/hooks.h"
#include "velero/volume_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::velero;
  const Result<json::value> pod = json::parse({reinterpret_cast<const char*>(data), size});
  if (!pod) return 0;
  for (const HookMoment moment : {HookMoment::pre, HookMoment::post}) {
    const Result<std::vector<ExecHookPlan>> hooks = backup_hooks(*pod, {}, moment);
    if (!hooks) continue;
    for (const ExecHookPlan& hook : *hooks) CHECK(!hook.command.empty());
  }
  if (const auto hooks = restore_exec_hooks(*pod, {})) {
    for (const ExecRestoreHookPlan& hook : *hooks) CHECK(!hook.command.empty());
  }
  (void)restore_init_hooks(*pod, {});
  for (const bool opt_out : {false, true}) {
    PodVolumeRules rules;
    rules.default_volumes_to_fs_backup = opt_out;
    for (const std::string& volume : choose_pod_volumes(*pod, rules).volumes) (void)claim_of(*pod, volume);
  }
  return 0;
}
