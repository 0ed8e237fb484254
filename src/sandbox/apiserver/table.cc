#include "sandbox/apiserver/table.h"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "base/text.h"

namespace holdfast::sandbox {

namespace {

using json::value;
using Cell = std::function<value(const value& object, Time now)>;

struct Column {
  const char* name;
  const char* type;
  Cell cell;
  int priority = 0;
};

value text_or(const value& object, json::Path path, const char* fallback) {
  const std::string text = json::string_at(object, path);
  return value(text.empty() ? fallback : text);
}

Cell text(const char* a, const char* b, const char* fallback = "") {
  return [=](const value& o, Time) { return text_or(o, {a, b}, fallback); };
}
Cell text(const char* a, const char* b, const char* c, const char* fallback) {
  return [=](const value& o, Time) { return text_or(o, {a, b, c}, fallback); };
}
Cell number(const char* a, const char* b) {
  return [=](const value& o, Time) { return value(json::int_at(o, {a, b})); };
}
Cell members(const char* field) {
  return [=](const value& o, Time) { return value(json::object_at(o, {field}).size()); };
}
Cell fraction(const char* have, const char* want) {
  return [=](const value& o, Time) {
    return value(fmt::format("{}/{}", json::int_at(o, {"status", have}), json::int_at(o, {"spec", want})));
  };
}

value age(const value& object, Time now) {
  const Result<Time> since = parse_rfc3339(json::string_at(object, {"metadata", "creationTimestamp"}));
  return value(since.ok() ? human_age(now - *since) : "<unknown>");
}

value pod_ready(const value& pod, Time) {
  int ready = 0;
  for (const value& status : json::array_at(pod, {"status", "containerStatuses"}))
    ready += json::bool_at(status, {"ready"});
  return value(fmt::format("{}/{}", ready, json::array_at(pod, {"spec", "containers"}).size()));
}

value pod_restarts(const value& pod, Time) {
  int64_t restarts = 0;
  for (const value& status : json::array_at(pod, {"status", "containerStatuses"})) {
    restarts += json::int_at(status, {"restartCount"});
  }
  return value(fmt::format("{}", restarts));
}

value pod_status(const value& pod, Time) {
  if (json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr) return value("Terminating");
  const json::array& inits = json::array_at(pod, {"status", "initContainerStatuses"});
  for (size_t i = 0; i < inits.size(); ++i) {
    const std::string waiting = json::string_at(inits[i], {"state", "waiting", "reason"});
    if (json::find(inits[i], {"state", "terminated"}) != nullptr &&
        json::int_at(inits[i], {"state", "terminated", "exitCode"}) == 0) {
      continue;
    }
    if (!waiting.empty() && waiting != "PodInitializing") return value("Init:" + waiting);
    return value(fmt::format("Init:{}/{}", i, inits.size()));
  }
  for (const value& status : json::array_at(pod, {"status", "containerStatuses"})) {
    for (const char* state : {"waiting", "terminated"}) {
      const std::string reason = json::string_at(status, {"state", state, "reason"});
      if (!reason.empty()) return value(reason);
    }
  }
  return text_or(pod, {"status", "reason"}, json::string_at(pod, {"status", "phase"}, "Unknown").c_str());
}

value node_status(const value& node, Time) {
  for (const value& condition : json::array_at(node, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Ready") {
      return value(json::string_at(condition, {"status"}) == "True" ? "Ready" : "NotReady");
    }
  }
  return value("Unknown");
}

value service_ports(const value& service, Time) {
  std::string ports;
  for (const value& port : json::array_at(service, {"spec", "ports"})) {
    if (!ports.empty()) ports += ",";
    ports += std::to_string(json::int_at(port, {"port"}));
    if (const int64_t node_port = json::int_at(port, {"nodePort"})) ports += fmt::format(":{}", node_port);
    ports += "/" + json::string_at(port, {"protocol"}, "TCP");
  }
  return value(ports.empty() ? "<none>" : ports);
}

value endpoint_addresses(const value& endpoints, Time) {
  std::string text;
  for (const value& subset : json::array_at(endpoints, {"subsets"})) {
    for (const value& address : json::array_at(subset, {"addresses"})) {
      for (const value& port : json::array_at(subset, {"ports"})) {
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", json::string_at(address, {"ip"}),
                            json::int_at(port, {"port"}));
      }
    }
  }
  return value(text.empty() ? "<none>" : text);
}

value access_modes(const value& object, Time) {
  std::string modes;
  for (const std::string& mode : json::strings(json::array_at(object, {"spec", "accessModes"}))) {
    static const std::map<std::string, const char*> kShort{
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    const auto found = kShort.find(mode);
    modes += (modes.empty() ? "" : ",") + (found == kShort.end() ? mode : found->second);
  }
  return value(modes);
}

value volume_claim(const value& volume, Time) {
  const std::string name = json::string_at(volume, {"spec", "claimRef", "name"});
  return value(name.empty() ? "" : json::string_at(volume, {"spec", "claimRef", "namespace"}) + "/" + name);
}

std::map<std::string, std::vector<Column>> workload_columns() {
  return {
      {"pods",
       {{"Ready", "string", pod_ready},
        {"Status", "string", pod_status},
        {"Restarts", "string", pod_restarts},
        {"Age", "string", age},
        {"IP", "string", text("status", "podIP", "<none>"), 1},
        {"Node", "string", text("spec", "nodeName", "<none>"), 1}}},
      {"deployments.apps",
       {{"Ready", "string", fraction("readyReplicas", "replicas")},
        {"Up-to-date", "string", number("status", "updatedReplicas")},
        {"Available", "string", number("status", "availableReplicas")},
        {"Age", "string", age}}},
      {"replicasets.apps",
       {{"Desired", "integer", number("spec", "replicas")},
        {"Current", "integer", number("status", "replicas")},
        {"Ready", "integer", number("status", "readyReplicas")},
        {"Age", "string", age}}},
      {"replicationcontrollers",
       {{"Desired", "integer", number("spec", "replicas")},
        {"Current", "integer", number("status", "replicas")},
        {"Ready", "integer", number("status", "readyReplicas")},
        {"Age", "string", age}}},
      {"statefulsets.apps", {{"Ready", "string", fraction("readyReplicas", "replicas")}, {"Age", "string", age}}},
      {"daemonsets.apps",
       {{"Desired", "integer", number("status", "desiredNumberScheduled")},
        {"Current", "integer", number("status", "currentNumberScheduled")},
        {"Ready", "integer", number("status", "numberReady")},
        {"Age", "string", age}}},
      {"deploymentconfigs.apps.openshift.io",
       {{"Revision", "integer", number("status", "latestVersion")},
        {"Desired", "integer", number("spec", "replicas")},
        {"Current", "integer", number("status", "replicas")},
        {"Age", "string", age}}},
      {"jobs.batch", {{"Completions", "string", fraction("succeeded", "completions")}, {"Age", "string", age}}},
  };
}

std::map<std::string, std::vector<Column>> other_columns() {
  return {
      {"namespaces", {{"Status", "string", text("status", "phase")}, {"Age", "string", age}}},
      {"nodes",
       {{"Status", "string", node_status},
        {"Age", "string", age},
        {"Version", "string", text("status", "nodeInfo", "kubeletVersion", "")}}},
      {"services",
       {{"Type", "string", text("spec", "type")},
        {"Cluster-IP", "string", text("spec", "clusterIP", "<none>")},
        {"Port(s)", "string", service_ports},
        {"Age", "string", age}}},
      {"endpoints", {{"Endpoints", "string", endpoint_addresses}, {"Age", "string", age}}},
      {"configmaps", {{"Data", "string", members("data")}, {"Age", "string", age}}},
      {"secrets",
       {{"Type", "string", [](const value& o, Time) { return text_or(o, {"type"}, ""); }},
        {"Data", "string", members("data")},
        {"Age", "string", age}}},
      {"persistentvolumeclaims",
       {{"Status", "string", text("status", "phase")},
        {"Volume", "string", text("spec", "volumeName")},
        {"Capacity", "string", text("status", "capacity", "storage", "")},
        {"Access Modes", "string", access_modes},
        {"StorageClass", "string", text("spec", "storageClassName")},
        {"Age", "string", age}}},
      {"persistentvolumes",
       {{"Capacity", "string", text("spec", "capacity", "storage", "")},
        {"Access Modes", "string", access_modes},
        {"Reclaim Policy", "string", text("spec", "persistentVolumeReclaimPolicy")},
        {"Status", "string", text("status", "phase")},
        {"Claim", "string", volume_claim},
        {"StorageClass", "string", text("spec", "storageClassName")},
        {"Age", "string", age}}},
      {"events",
       {{"Type", "string", [](const value& o, Time) { return text_or(o, {"type"}, ""); }},
        {"Reason", "string", [](const value& o, Time) { return text_or(o, {"reason"}, ""); }},
        {"Object", "string",
         [](const value& o, Time) {
           return value(to_lower(json::string_at(o, {"involvedObject", "kind"})) + "/" +
                        json::string_at(o, {"involvedObject", "name"}));
         }},
        {"Message", "string", [](const value& o, Time) { return text_or(o, {"message"}, ""); }}}},
      {"storageclasses.storage.k8s.io",
       {{"Provisioner", "string", [](const value& o, Time) { return text_or(o, {"provisioner"}, ""); }},
        {"ReclaimPolicy", "string", [](const value& o, Time) { return text_or(o, {"reclaimPolicy"}, ""); }},
        {"Age", "string", age}}},
      {"leases.coordination.k8s.io", {{"Holder", "string", text("spec", "holderIdentity")}, {"Age", "string", age}}},
      {"routes.route.openshift.io",
       {{"Host", "string", text("spec", "host")},
        {"Service", "string", text("spec", "to", "name", "")},
        {"Age", "string", age}}},
      {"customresourcedefinitions.apiextensions.k8s.io",
       {{"Created At", "date", text("metadata", "creationTimestamp")}}},
  };
}

std::vector<Column> custom_columns(const ResourceKind& kind) {
  std::vector<Column> columns;
  for (const PrinterColumn& declared : kind.columns) {
    const Cell cell = [&declared](const value& object, Time now) -> value {
      const value* found = find_json_path(object, declared.json_path);
      if (found == nullptr) return value("");
      if (declared.type != "date" || !found->is_string()) return *found;
      const Result<Time> since = parse_rfc3339(std::string_view(found->as_string()));
      return since.ok() ? value(human_age(now - *since)) : *found;
    };
    const char* type = declared.type == "date" ? "string" : declared.type.c_str();
    columns.push_back({declared.name.c_str(), type, cell, static_cast<int>(declared.priority)});
  }
  if (columns.empty()) columns.push_back({"Age", "string", age});
  return columns;
}

const std::vector<Column>& builtin_columns(const ResourceKind& kind) {
  static const std::map<std::string, std::vector<Column>> workloads = workload_columns();
  static const std::map<std::string, std::vector<Column>> others = other_columns();
  static const std::vector<Column> plain{{"Age", "string", age}};
  for (const auto* table : {&workloads, &others}) {
    const auto found = table->find(kind.group_resource());
    if (found != table->end()) return found->second;
  }
  return plain;
}

// One step of a path: a member, an index, or a filter on one member's text.
const value* step(const value* at, std::string_view name) {
  return at != nullptr && at->is_object() ? at->as_object().if_contains(name) : nullptr;
}

const value* bracket(const value* at, std::string_view inside) {
  if (at == nullptr || !at->is_array()) return nullptr;
  if (inside.rfind("?(@.", 0) == 0 && inside.back() == ')') {
    const std::string_view test = inside.substr(4, inside.size() - 5);
    const size_t equals = test.find("==");
    if (equals == std::string_view::npos) return nullptr;
    const std::string_view name = trim(test.substr(0, equals));
    std::string_view wanted = trim(test.substr(equals + 2));
    if (wanted.size() < 2) return nullptr;
    wanted = wanted.substr(1, wanted.size() - 2);
    for (const value& element : at->as_array()) {
      if (json::string_at(element, {name}) == wanted) return &element;
    }
    return nullptr;
  }
  const Result<int64_t> index = parse_int(inside);
  if (!index.ok() || *index < 0 || static_cast<size_t>(*index) >= at->as_array().size()) return nullptr;
  return &at->as_array()[static_cast<size_t>(*index)];
}

}  // namespace

const value* find_json_path(const value& object, std::string_view path) {
  const value* at = &object;
  while (!path.empty() && at != nullptr) {
    if (path[0] == '.') {
      size_t end = 1;
      while (end < path.size() && path[end] != '.' && path[end] != '[') end += path[end] == '\\' ? 2 : 1;
      std::string name(path.substr(1, std::min(end, path.size()) - 1));
      std::erase(name, '\\');
      at = step(at, name);
      path.remove_prefix(std::min(end, path.size()));
    } else if (path[0] == '[') {
      const size_t end = path.find(']');
      if (end == std::string_view::npos || end < 2) return nullptr;
      at = bracket(at, path.substr(1, end - 1));
      path.remove_prefix(end + 1);
    } else {
      return nullptr;
    }
  }
  return at;
}

std::string human_age(Duration age) {
  const int64_t seconds = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count());
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  const auto two = [](int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
    return small == 0 ? fmt::format("{}{}", large, large_unit)
                      : fmt::format("{}{}{}{}", large, large_unit, small, small_unit);
  };
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return fmt::format("{}m", minutes);
  if (hours < 8) return two(hours, "h", minutes % 60, "m");
  if (hours < 48) return fmt::format("{}h", hours);
  if (days < 8) return two(days, "d", hours % 24, "h");
  if (days < 730) return fmt::format("{}d", days);
  return two(days / 365, "y", days % 365, "d");
}

value table_of(const std::string& api_version, const ResourceKind& kind, const std::vector<Object>& objects,
               json::object metadata, Time now) {
  const std::vector<Column> columns = kind.custom ? custom_columns(kind) : builtin_columns(kind);
  json::array definitions;
  const auto define = [&](std::string_view name, std::string_view type, int priority, std::string_view format) {
    definitions.push_back(
        json::object{{"name", name}, {"type", type}, {"format", format}, {"description", ""}, {"priority", priority}});
  };
  define("Name", "string", 0, "name");
  for (const Column& column : columns) define(column.name, column.type, column.priority, "");
  json::array rows;
  for (const Object& object : objects) {
    json::array cells;
    cells.push_back(value(json::string_at(*object, {"metadata", "name"})));
    for (const Column& column : columns) cells.push_back(column.cell(*object, now));
    rows.push_back(json::object{{"cells", std::move(cells)},
                                {"object", json::object{{"kind", "PartialObjectMetadata"},
                                                        {"apiVersion", api_version},
                                                        {"metadata", json::object_at(*object, {"metadata"})}}}});
  }
  return json::object{{"kind", "Table"},
                      {"apiVersion", api_version},
                      {"metadata", std::move(metadata)},
                      {"columnDefinitions", std::move(definitions)},
                      {"rows", std::move(rows)}};
}

}  // namespace holdfast::sandbox
