#include <fmt/format.h>

#include "backup/actions.h"
#include "backup/json_edit.h"
#include "base/text.h"

namespace holdfast::backup::actions {

Result<Outcome> restore_job(Objects job, const RestoreFacts&) {
  Outcome out{.object = job};
  for (std::string_view name : {"controller-uid", "batch.kubernetes.io/controller-uid"}) {
    json::erase(out.object, {"spec", "selector", "matchLabels", name});
    json::erase(out.object, {"spec", "template", "metadata", "labels", name});
  }
  return out;
}

namespace {

bool auto_token_volume(const json::object& volume, std::string_view account) {
  const std::string name = json::string_at(volume, {"name"});
  if (name.starts_with("kube-api-access-") && json::find(volume, {"projected"}) != nullptr) return false;
  return name.starts_with(std::string(account) + "-token-") || name.starts_with("default-token-");
}

}  // namespace

Result<Outcome> restore_pod(Objects pod, const RestoreFacts&) {
  Outcome out{.object = pod};
  json::object& object = out.object;
  json::erase(object, {"spec", "nodeName"});
  json::erase(object, {"spec", "priority"});
  std::string account = json::string_at(object, {"spec", "serviceAccountName"});
  if (account.empty()) account = "default";
  std::set<std::string> tokens;
  drop_objects(object, {"spec", "volumes"}, [&](const json::object& volume) {
    if (!auto_token_volume(volume, account)) return false;
    tokens.insert(json::string_at(volume, {"name"}));
    return true;
  });
  if (json::object* spec = tokens.empty() ? nullptr : pod_spec(object)) {
    each_container(*spec, [&](json::object& container) {
      drop_objects(container, {"volumeMounts"},
                   [&](const json::object& mount) { return tokens.contains(json::string_at(mount, {"name"})); });
    });
  }
  const std::string priority = json::string_at(object, {"spec", "priorityClassName"});
  if (!priority.empty()) out.additional.push_back({"priorityclasses.scheduling.k8s.io", "", priority});
  return out;
}

Result<Outcome> restore_init_hooks(Objects pod, const RestoreFacts& facts) {
  Outcome out{.object = pod};
  if (!facts.init_hooks) return out;
  std::vector<json::object> hooks = facts.init_hooks(pod);
  if (hooks.empty()) return out;
  json::array containers;
  json::array rest;
  for (const json::value& container : json::array_at(pod, {"spec", "initContainers"})) {
    const bool waits = json::string_at(container, {"name"}) == "restore-wait";
    (waits ? containers : rest).push_back(container);
  }
  for (json::object& hook : hooks) containers.push_back(std::move(hook));
  for (json::value& container : rest) containers.push_back(std::move(container));
  json::set(out.object, {"spec", "initContainers"}, std::move(containers));
  return out;
}

Result<Outcome> restore_image_names(Objects workload, const RestoreFacts& facts) {
  Outcome out{.object = workload};
  json::object* spec = facts.image_names.empty() ? nullptr : pod_spec(out.object);
  if (spec == nullptr) return out;
  each_container(*spec, [&](json::object& container) {
    std::string image = json::string_at(container, {"image"});
    for (const auto& [from, to] : facts.image_names) {
      const size_t at = from.empty() ? std::string::npos : image.find(from);
      if (at == std::string::npos) continue;
      container["image"] = image.replace(at, from.size(), to);
      break;
    }
  });
  return out;
}

namespace {

/// The ports whose node port the user chose: from the last applied configuration, or from the fields that managers own.
struct ChosenPorts {
  std::set<std::string> names;
  std::set<int64_t> ports;
  bool health_check = false;
};

ChosenPorts from_last_applied(const json::value& applied) {
  ChosenPorts chosen;
  for (const json::value& port : json::array_at(applied, {"spec", "ports"})) {
    const int64_t number = json::int_at(port, {"nodePort"});
    if (number == 0) continue;
    chosen.ports.insert(number);
    const std::string name = json::string_at(port, {"name"});
    if (!name.empty()) chosen.names.insert(name);
  }
  chosen.health_check = json::int_at(applied, {"spec", "healthCheckNodePort"}) != 0;
  return chosen;
}

/// Field sets spell a port as k:{"port":80,"protocol":"TCP"} with f:nodePort below.
ChosenPorts from_managed_fields(const json::object& service) {
  ChosenPorts chosen;
  for (const json::value& entry : json::array_at(service, {"metadata", "managedFields"})) {
    const json::object& spec = json::object_at(entry, {"fieldsV1", "f:spec"});
    chosen.health_check = chosen.health_check || spec.contains("f:healthCheckNodePort");
    for (const auto& [key, fields] : json::object_at(spec, {"f:ports"})) {
      if (!key.starts_with("k:") || json::find(fields, {"f:nodePort"}) == nullptr) continue;
      const Result<json::value> id = json::parse(std::string_view(key).substr(2));
      if (id) chosen.ports.insert(-json::int_at(*id, {"port"}));  // negative: a service port, no node port
    }
  }
  return chosen;
}

void clear_node_ports(json::object& service) {
  const std::string applied_text = annotation(service, "kubectl.kubernetes.io/last-applied-configuration");
  const Result<json::value> applied = json::parse(applied_text);
  const ChosenPorts chosen =
      !applied_text.empty() && applied ? from_last_applied(*applied) : from_managed_fields(service);
  each_object(service, {"spec", "ports"}, [&](json::object& port) {
    const std::string name = json::string_at(port, {"name"});
    const bool kept = (!name.empty() && chosen.names.contains(name)) ||
                      chosen.ports.contains(json::int_at(port, {"nodePort"})) ||
                      chosen.ports.contains(-json::int_at(port, {"port"}));
    if (!kept) port.erase("nodePort");
  });
  if (!chosen.health_check) json::erase(service, {"spec", "healthCheckNodePort"});
}

}  // namespace

Result<Outcome> restore_service(Objects service, const RestoreFacts& facts) {
  Outcome out{.object = service};
  if (json::string_at(out.object, {"spec", "clusterIP"}) != "None") {
    json::erase(out.object, {"spec", "clusterIP"});
    json::erase(out.object, {"spec", "clusterIPs"});
  }
  if (!facts.preserve_node_ports) clear_node_ports(out.object);
  return out;
}

}  // namespace holdfast::backup::actions
