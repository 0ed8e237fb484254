#include "sandbox/apiserver/scale.h"

#include "base/text.h"
#include "kube/selector.h"
#include "sandbox/apiserver/refusal.h"
#include "sandbox/apiserver/table.h"

namespace holdfast::sandbox {

namespace {

std::string selector_text(const json::value& object) {
  const json::value* selector = json::find(object, {"spec", "selector"});
  if (selector == nullptr || !selector->is_object()) return {};
  const bool modern =
      selector->as_object().contains("matchLabels") || selector->as_object().contains("matchExpressions");
  const json::value whole = modern ? *selector : json::value(json::object{{"matchLabels", *selector}});
  const Result<kube::LabelSelector> parsed = kube::LabelSelector::from_object(whole);
  return parsed.ok() ? parsed->text() : std::string();
}

std::string path_of(const ResourceKind& kind, const char* which, const char* fallback) {
  return kind.custom ? json::string_at(kind.scale_paths, {which}) : fallback;
}

int64_t number_at(const json::value& object, const std::string& path) {
  const json::value* found = path.empty() ? nullptr : find_json_path(object, path);
  return found != nullptr && found->is_int64() ? found->as_int64() : 0;
}

}  // namespace

json::value scale_of(const ResourceKind& kind, const json::value& object) {
  const json::object& meta = json::object_at(object, {"metadata"});
  json::object scale_meta;
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const json::value* value = meta.if_contains(field)) scale_meta[field] = *value;
  }
  json::object status{{"replicas", number_at(object, path_of(kind, "statusReplicasPath", ".status.replicas"))}};
  std::string selector;
  if (kind.custom) {
    const std::string path = json::string_at(kind.scale_paths, {"labelSelectorPath"});
    const json::value* found = path.empty() ? nullptr : find_json_path(object, path);
    if (found != nullptr && found->is_string()) selector = std::string_view(found->as_string());
  } else {
    selector = selector_text(object);
  }
  if (!selector.empty()) status["selector"] = selector;
  return json::object{
      {"kind", "Scale"},
      {"apiVersion", "autoscaling/v1"},
      {"metadata", std::move(scale_meta)},
      {"spec", json::object{{"replicas", number_at(object, path_of(kind, "specReplicasPath", ".spec.replicas"))}}},
      {"status", std::move(status)}};
}

Result<json::value> with_scale(const ResourceKind& kind, const json::value& object, const json::value& scale) {
  const int64_t replicas = json::int_at(scale, {"spec", "replicas"});
  const std::string name = json::string_at(object, {"metadata", "name"});
  if (replicas < 0) return invalid("Scale", name, "spec.replicas: Invalid value: must be greater than or equal to 0");
  json::value changed = object;
  std::string path = path_of(kind, "specReplicasPath", ".spec.replicas");
  json::object* at = &changed.as_object();
  std::vector<std::string> steps = split(path, '.');
  for (size_t i = 1; i + 1 < steps.size(); ++i) at = &json::make_object(*at, {steps[i]});
  (*at)[steps.back()] = replicas;
  const std::string version = json::string_at(scale, {"metadata", "resourceVersion"});
  if (!version.empty()) json::set(changed.as_object(), {"metadata", "resourceVersion"}, version);
  return changed;
}

}  // namespace holdfast::sandbox
