#include "velero/hooks.h"

#include <fmt/format.h>

#include "base/text.h"
#include "velero/filter.h"

namespace holdfast::velero {

namespace {

constexpr std::string_view kFromAnnotation = "<from-annotation>";

class Annotations {
 public:
  Annotations(const json::value& pod, std::string_view prefix) : pod_(pod), prefix_(prefix) {}

  [[nodiscard]] std::string text(std::string_view key) const {
    return json::string_at(pod_, {"metadata", "annotations", fmt::format("{}/{}", prefix_, key)});
  }
  [[nodiscard]] Result<Duration> duration(std::string_view key, Duration other) const {
    const std::string value = text(key);
    if (value.empty()) return other;
    Result<Duration> out = parse_go_duration(value);
    if (!out) return std::move(out).error().in(where(key));
    return out;
  }
  [[nodiscard]] Result<OnError> on_error(OnError other) const {
    const std::string value = text("on-error");
    if (value.empty()) return other;
    if (value == "Fail") return OnError::fail;
    if (value == "Continue") return OnError::proceed;
    return Error(ErrorCode::invalid, fmt::format("{}: \"{}\" is neither Fail nor Continue", where("on-error"), value));
  }
  [[nodiscard]] Result<bool> boolean(std::string_view key) const {
    const std::string value = to_lower(text(key));
    if (value.empty() || value == "false" || value == "0" || value == "f") return false;
    if (value == "true" || value == "1" || value == "t") return true;
    return Error(ErrorCode::invalid, fmt::format("{}: \"{}\" is neither true nor false", where(key), value));
  }
  /// A JSON list where the text starts with "[", else one word.
  [[nodiscard]] Result<StringList> command() const {
    const std::string value = text("command");
    if (value.empty()) return StringList{};
    if (!value.starts_with('[')) return StringList{value};
    Result<json::value> list = json::parse(value);
    if (!list) return std::move(list).error().in(where("command"));
    StringList out = json::strings(list->is_array() ? list->get_array() : json::array());
    if (!list->is_array() || out.size() != list->get_array().size() || out.empty())
      return Error(ErrorCode::invalid, fmt::format("{}: not a JSON list of words", where("command")));
    return out;
  }

 private:
  [[nodiscard]] std::string where(std::string_view key) const {
    return fmt::format("pod {}/{}: annotation {}/{}", json::string_at(pod_, {"metadata", "namespace"}),
                       json::string_at(pod_, {"metadata", "name"}), prefix_, key);
  }
  const json::value& pod_;
  std::string_view prefix_;
};

std::string container_or_first(const json::value& pod, const std::string& container) {
  if (!container.empty()) return container;
  const json::array& all = json::array_at(pod, {"spec", "containers"});
  return all.empty() ? std::string() : json::string_at(all.front(), {"name"});
}

template <class Spec>
bool applies(const Spec& spec, const json::value& pod) {
  static const std::vector<ResourceType> kPods = {{"", "pods", "Pod", "pod", {"po"}, true}};
  const IncludesExcludes namespaces{spec.included_namespaces, spec.excluded_namespaces};
  const IncludesExcludes resources{resolve_resources(spec.included_resources, kPods),
                                   resolve_resources(spec.excluded_resources, kPods)};
  if (!namespaces.includes_name(json::string_at(pod, {"metadata", "namespace"}))) return false;
  if (!resources.includes_name("pods")) return false;
  return !spec.label_selector || matches(*spec.label_selector, labels_of(pod));
}

Result<std::optional<ExecHookPlan>> annotated_backup_hook(const json::value& pod, std::string_view prefix) {
  const Annotations annotations(pod, prefix);
  ExecHookPlan plan;
  plan.command = TRY(annotations.command());
  if (plan.command.empty()) return std::optional<ExecHookPlan>();
  plan.name = kFromAnnotation;
  plan.container = container_or_first(pod, annotations.text("container"));
  plan.on_error = TRY(annotations.on_error(OnError::fail));
  plan.timeout = TRY(annotations.duration("timeout", std::chrono::seconds(30)));
  return std::optional<ExecHookPlan>(std::move(plan));
}

}  // namespace

Result<std::vector<ExecHookPlan>> backup_hooks(const json::value& pod, const BackupHooks& hooks, HookMoment moment) {
  std::vector<ExecHookPlan> out;
  const std::string_view prefix =
      moment == HookMoment::pre ? "pre.hook.backup.velero.io" : "post.hook.backup.velero.io";
  std::optional<ExecHookPlan> annotated = TRY(annotated_backup_hook(pod, prefix));
  if (!annotated && moment == HookMoment::pre) annotated = TRY(annotated_backup_hook(pod, "hook.backup.velero.io"));
  if (annotated) {
    out.push_back(*std::move(annotated));
    return out;
  }
  for (const BackupResourceHookSpec& spec : hooks.resources) {
    if (!applies(spec, pod)) continue;
    for (const BackupResourceHook& hook : moment == HookMoment::pre ? spec.pre : spec.post) {
      if (!hook.exec) continue;
      ExecHookPlan plan;
      plan.name = spec.name;
      plan.container = container_or_first(pod, hook.exec->container);
      plan.command = hook.exec->command;
      plan.on_error = hook.exec->on_error == "Continue" ? OnError::proceed : OnError::fail;
      if (hook.exec->timeout && hook.exec->timeout->count() > 0) plan.timeout = *hook.exec->timeout;
      out.push_back(std::move(plan));
    }
  }
  return out;
}

Result<std::vector<ExecRestoreHookPlan>> restore_exec_hooks(const json::value& pod, const RestoreHooks& hooks) {
  std::vector<ExecRestoreHookPlan> out;
  const Annotations annotations(pod, "post.hook.restore.velero.io");
  StringList command = TRY(annotations.command());
  if (!command.empty()) {
    ExecRestoreHookPlan plan;
    plan.name = kFromAnnotation;
    plan.command = std::move(command);
    plan.container = container_or_first(pod, annotations.text("container"));
    plan.on_error = TRY(annotations.on_error(OnError::proceed));
    plan.exec_timeout = TRY(annotations.duration("exec-timeout", std::chrono::seconds(30)));
    plan.wait_timeout = TRY(annotations.duration("wait-timeout", Duration{}));
    plan.wait_for_ready = TRY(annotations.boolean("wait-for-ready"));
    out.push_back(std::move(plan));
    return out;
  }
  for (const RestoreResourceHookSpec& spec : hooks.resources) {
    if (!applies(spec, pod)) continue;
    for (const RestoreResourceHook& hook : spec.post_hooks) {
      if (!hook.exec) continue;
      ExecRestoreHookPlan plan;
      plan.name = spec.name;
      plan.container = container_or_first(pod, hook.exec->container);
      plan.command = hook.exec->command;
      plan.on_error = hook.exec->on_error == "Fail" ? OnError::fail : OnError::proceed;
      if (hook.exec->exec_timeout && hook.exec->exec_timeout->count() > 0) plan.exec_timeout = *hook.exec->exec_timeout;
      plan.wait_timeout = hook.exec->wait_timeout.value_or(Duration{});
      plan.wait_for_ready = hook.exec->wait_for_ready.value_or(false);
      out.push_back(std::move(plan));
    }
  }
  return out;
}

Result<InitRestoreHookPlan> restore_init_hooks(const json::value& pod, const RestoreHooks& hooks) {
  InitRestoreHookPlan out;
  const Annotations annotations(pod, "init.hook.restore.velero.io");
  const std::string image = annotations.text("container-image");
  if (!image.empty()) {
    const std::string name = annotations.text("container-name");
    json::object container;
    container["name"] = name.empty() ? "velero-restore-init" : name;
    container["image"] = image;
    const StringList command = TRY(annotations.command());
    container["command"] = json::from_strings(command);
    out.init_containers.push_back(container);
    out.timeout = TRY(annotations.duration("timeout", Duration{}));
    return out;
  }
  for (const RestoreResourceHookSpec& spec : hooks.resources) {
    if (!applies(spec, pod)) continue;
    for (const RestoreResourceHook& hook : spec.post_hooks) {
      if (!hook.init) continue;
      for (const json::value& container : hook.init->init_containers) out.init_containers.push_back(container);
      out.timeout = std::max(out.timeout, hook.init->timeout.value_or(Duration{}));
    }
  }
  return out;
}

}  // namespace holdfast::velero
