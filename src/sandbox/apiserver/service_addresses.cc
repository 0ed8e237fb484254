#include "sandbox/apiserver/service_addresses.h"

#include <fmt/format.h>

#include <set>

#include "sandbox/apiserver/refusal.h"

namespace holdfast::sandbox {

namespace {

constexpr int64_t kNodePortFirst = 30000;
constexpr int64_t kNodePortLast = 32767;

struct Taken {
  std::set<std::string> addresses;
  std::set<int64_t> node_ports;
};

Taken taken_addresses(const Store& store) {
  Taken taken;
  const Result<Store::Listing> services = store.list("services/");
  CHECK(services.ok());  // a list of the present state cannot fail
  for (const Object& service : services->objects) {
    taken.addresses.insert(json::string_at(*service, {"spec", "clusterIP"}));
    for (const json::value& port : json::array_at(*service, {"spec", "ports"})) {
      taken.node_ports.insert(json::int_at(port, {"nodePort"}));
    }
  }
  return taken;
}

Status assign_node_ports(json::object& service, Taken& taken) {
  json::value* ports = json::make_object(service, {"spec"}).if_contains("ports");
  if (ports == nullptr || !ports->is_array()) return {};
  const std::string name = json::string_at(service, {"metadata", "name"});
  for (json::value& port : ports->as_array()) {
    if (!port.is_object()) continue;
    int64_t number = json::int_at(port, {"nodePort"});
    if (number != 0 && taken.node_ports.contains(number)) {
      return invalid(
          "Service", name,
          fmt::format("spec.ports[0].nodePort: Invalid value: {}: provided port is already allocated", number));
    }
    for (number = number == 0 ? kNodePortFirst : number; taken.node_ports.contains(number); ++number) {
    }
    if (number > kNodePortLast) return Error(ErrorCode::exhausted, "no node port is left");
    taken.node_ports.insert(number);
    port.as_object()["nodePort"] = number;
  }
  return {};
}

}  // namespace

Status ServiceAddresses::assign(json::object& service) const {
  json::object& spec = json::make_object(service, {"spec"});
  const std::string type = json::string_at(spec, {"type"});
  if (type == "ExternalName") return {};
  Taken taken = taken_addresses(store_);
  std::string address = json::string_at(spec, {"clusterIP"});
  const std::string name = json::string_at(service, {"metadata", "name"});
  if (address.empty()) {
    // .0.1 is the API server's own; kept free.
    for (int i = 2; i < 65534 && address.empty(); ++i) {
      const std::string candidate = fmt::format("{}.{}.{}", network_, i / 256, i % 256);
      if (!taken.addresses.contains(candidate)) address = candidate;
    }
    if (address.empty()) return Error(ErrorCode::exhausted, "no service address is left");
  } else if (address != "None") {
    if (address.rfind(network_ + ".", 0) != 0) {
      return invalid("Service", name,
                     fmt::format("spec.clusterIPs: Invalid value: [\"{}\"]: failed to allocate IP: not in the network "
                                 "{}.0.0/16",
                                 address, network_));
    }
    if (taken.addresses.contains(address)) {
      return invalid("Service", name,
                     fmt::format("spec.clusterIPs: Invalid value: [\"{}\"]: failed to allocate IP {}: provided IP is "
                                 "already allocated",
                                 address, address));
    }
  }
  spec["clusterIP"] = address;
  spec["clusterIPs"] = json::array{json::value(address)};
  if (!spec.contains("ipFamilies")) spec["ipFamilies"] = json::array{"IPv4"};
  if (!spec.contains("ipFamilyPolicy")) spec["ipFamilyPolicy"] = "SingleStack";
  if (!spec.contains("internalTrafficPolicy")) spec["internalTrafficPolicy"] = "Cluster";
  if (type == "NodePort" || type == "LoadBalancer") return assign_node_ports(service, taken);
  return {};
}

}  // namespace holdfast::sandbox
