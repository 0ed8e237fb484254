// Endpoints: the addresses of the pods behind each Service.
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const kube::ResourceType& services() {
  static const kube::ResourceType type = resource_type("", "v1", "services", "Service");
  return type;
}
const kube::ResourceType& endpoints() {
  static const kube::ResourceType type = resource_type("", "v1", "endpoints", "Endpoints");
  return type;
}

// A target port is a number or the name of a container's port; 0 where the pod has no such port.
int64_t target_port(const json::value& port, const json::value& pod) {
  const json::value* target = json::find(port, {"targetPort"});
  if (target == nullptr) return json::int_at(port, {"port"});
  if (target->is_int64()) return target->as_int64();
  if (!target->is_string()) return 0;
  for (const json::value& container : json::array_at(pod, {"spec", "containers"})) {
    for (const json::value& declared : json::array_at(container, {"ports"})) {
      if (json::string_at(declared, {"name"}) == std::string_view(target->as_string())) {
        return json::int_at(declared, {"containerPort"});
      }
    }
  }
  return 0;
}

json::array ports_of(const json::value& service, const json::value& pod) {
  json::array ports;
  for (const json::value& port : json::array_at(service, {"spec", "ports"})) {
    const int64_t number = target_port(port, pod);
    if (number == 0) continue;
    json::object entry{{"port", number}, {"protocol", json::string_at(port, {"protocol"}, "TCP")}};
    if (const json::value* name = json::find(port, {"name"})) entry["name"] = *name;
    ports.push_back(std::move(entry));
  }
  return ports;
}

json::array subsets_of(const json::value& service, const Objects& pods) {
  json::array subsets;
  for (const json::value& pod : pods) {
    const std::string address = json::string_at(pod, {"status", "podIP"});
    if (address.empty() || !is_active(pod) || !selects(service, pod)) continue;
    const bool serves = is_ready(pod) || json::bool_at(service, {"spec", "publishNotReadyAddresses"});
    const json::object target{{"kind", "Pod"},
                              {"name", name_of(pod)},
                              {"namespace", json::string_at(pod, {"metadata", "namespace"})},
                              {"uid", uid_of(pod)}};
    json::object entry{
        {"ip", address}, {"nodeName", json::string_at(pod, {"spec", "nodeName"})}, {"targetRef", target}};
    const json::array ports = ports_of(service, pod);
    // Pods with the same ports share a subset.
    json::object* subset = nullptr;
    for (json::value& known : subsets) {
      if (json::array_at(known, {"ports"}) == ports) subset = &known.as_object();
    }
    if (subset == nullptr) subset = &subsets.emplace_back(json::object{{"ports", ports}}).as_object();
    json::value& list = (*subset)[serves ? "addresses" : "notReadyAddresses"];
    if (!list.is_array()) list = json::array{};
    list.as_array().push_back(std::move(entry));
  }
  return subsets;
}

Status sync_one(const ControllerFacts& facts, const json::value& service, const Objects& pods) {
  if (is_deleting(service) || json::object_at(service, {"spec", "selector"}).empty()) return {};
  json::array subsets = subsets_of(service, pods);
  Result<json::value> present = facts.api.get(endpoints(), facts.ns, name_of(service), facts.stop);
  if (present.ok()) {
    if (json::array_at(*present, {"subsets"}) == subsets) return {};
    json::value changed = *std::move(present);
    changed.as_object()["subsets"] = std::move(subsets);
    TRY(facts.api.update(endpoints(), facts.ns, changed, {}, facts.stop));
    return {};
  }
  if (!present.is(ErrorCode::not_found)) return present.error();
  json::object made{{"subsets", std::move(subsets)}};
  json::set(made, {"metadata", "name"}, json::value(name_of(service)));
  json::set(made, {"metadata", "labels"}, json::object_at(service, {"metadata", "labels"}));
  json::set(made, {"metadata", "ownerReferences"}, json::array{controller_reference(services(), service)});
  TRY(facts.api.create(endpoints(), facts.ns, made, {}, facts.stop));
  return {};
}

}  // namespace

ControllerSpec endpoints_controller() {
  return {.name = "endpoints",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {services(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects all = TRY(list(facts.api, services(), facts.ns, facts.stop));
            if (all.empty()) return kube::After::done();
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& service : all)
              TRY(sync_one(facts, service, pods).in("Service " + name_of(service)));
            return kube::After::done();
          }};
}

}  // namespace holdfast::sandbox
