#include "sandbox/apiserver/discovery.h"

#include <fmt/format.h>

#include "base/text.h"
#include "sandbox/apiserver/openapi.h"

namespace holdfast::sandbox {

namespace {

json::array verbs_of(const std::string& subresource) {
  if (subresource.empty()) {
    return {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  }
  if (subresource == "log") return {"get"};
  if (subresource == "exec") return {"create", "get"};
  if (subresource == "binding" || subresource == "token") return {"create"};
  if (subresource == "finalize") return {"update"};
  return {"get", "patch", "update"};
}

struct ResponseKind {
  std::string group;
  std::string version;
  std::string kind;
};

ResponseKind kind_of_subresource(const ResourceKind& kind, const std::string& subresource) {
  if (subresource == "scale") return {"autoscaling", "v1", "Scale"};
  if (subresource == "exec") return {"", "v1", "PodExecOptions"};
  if (subresource == "binding") return {"", "v1", "Binding"};
  if (subresource == "token") return {"authentication.k8s.io", "v1", "TokenRequest"};
  return {kind.group, kind.version, kind.kind};
}

json::object resource_entry(const ResourceKind& kind, const std::string& subresource) {
  const ResponseKind response = kind_of_subresource(kind, subresource);
  json::object entry{{"name", subresource.empty() ? kind.plural : kind.plural + "/" + subresource},
                     {"singularName", subresource.empty() ? kind.singular : ""},
                     {"namespaced", kind.namespaced},
                     {"kind", response.kind},
                     {"verbs", verbs_of(subresource)}};
  if (response.group != kind.group) {
    entry["group"] = response.group;
    entry["version"] = response.version;
  }
  if (subresource.empty() && !kind.short_names.empty()) entry["shortNames"] = json::from_strings(kind.short_names);
  if (subresource.empty() && !kind.categories.empty()) entry["categories"] = json::from_strings(kind.categories);
  return entry;
}

std::optional<json::value> resource_list(const KindTable& table, const std::string& group, const std::string& version) {
  json::array resources;
  std::string group_version;
  for (const ResourceKind& kind : table.kinds()) {
    if (kind.group != group || kind.version != version) continue;
    group_version = kind.group_version();
    resources.push_back(resource_entry(kind, ""));
    for (const std::string& subresource : kind.subresources) resources.push_back(resource_entry(kind, subresource));
  }
  if (resources.empty()) return std::nullopt;
  return json::object{{"kind", "APIResourceList"},
                      {"apiVersion", "v1"},
                      {"groupVersion", group_version},
                      {"resources", std::move(resources)}};
}

json::object group_entry(const std::string& group, const std::vector<std::string>& versions) {
  json::array list;
  for (const std::string& version : versions) {
    list.push_back(json::object{{"groupVersion", group + "/" + version}, {"version", version}});
  }
  return {{"name", group}, {"versions", list}, {"preferredVersion", list.front()}};
}

json::object response_kind(const ResponseKind& response) {
  return {{"group", response.group}, {"version", response.version}, {"kind", response.kind}};
}

json::object aggregated_resource(const ResourceKind& kind) {
  json::object entry{{"resource", kind.plural},
                     {"responseKind", response_kind({kind.group, kind.version, kind.kind})},
                     {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
                     {"singularResource", kind.singular},
                     {"verbs", verbs_of("")}};
  if (!kind.short_names.empty()) entry["shortNames"] = json::from_strings(kind.short_names);
  if (!kind.categories.empty()) entry["categories"] = json::from_strings(kind.categories);
  json::array subresources;
  for (const std::string& subresource : kind.subresources) {
    subresources.push_back(json::object{{"subresource", subresource},
                                        {"responseKind", response_kind(kind_of_subresource(kind, subresource))},
                                        {"verbs", verbs_of(subresource)}});
  }
  if (!subresources.empty()) entry["subresources"] = std::move(subresources);
  return entry;
}

json::object aggregated_group(const KindTable& table, const std::string& group,
                              const std::vector<std::string>& versions) {
  json::array list;
  for (const std::string& version : versions) {
    json::array resources;
    for (const ResourceKind& kind : table.kinds()) {
      if (kind.group == group && kind.version == version) resources.push_back(aggregated_resource(kind));
    }
    list.push_back(json::object{{"version", version}, {"resources", std::move(resources)}, {"freshness", "Current"}});
  }
  json::object meta{{"creationTimestamp", nullptr}};
  if (!group.empty()) meta["name"] = group;
  return {{"metadata", std::move(meta)}, {"versions", std::move(list)}};
}

// The version of aggregated discovery the client names first; empty: it wants the old form.
std::string aggregated_version(std::string_view accept) {
  for (const std::string& range : split(accept, ',')) {
    if (range.find("as=APIGroupDiscoveryList") == std::string::npos) continue;
    for (const char* version : {"v2beta1", "v2"}) {
      if (range.find(fmt::format("v={};", version)) != std::string::npos ||
          range.ends_with(fmt::format("v={}", version))) {
        return version;
      }
    }
  }
  return {};
}

DiscoveryAnswer aggregated(const KindTable& table, const std::string& path, const std::string& version) {
  json::array items;
  if (path == "/api") {
    items.push_back(aggregated_group(table, "", {"v1"}));
  } else {
    for (const auto& [group, versions] : table.groups()) items.push_back(aggregated_group(table, group, versions));
  }
  return {.body = json::object{{"kind", "APIGroupDiscoveryList"},
                               {"apiVersion", "apidiscovery.k8s.io/" + version},
                               {"metadata", json::object{}},
                               {"items", std::move(items)}},
          .content_type = fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", version)};
}

json::value groups_document(const KindTable& table) {
  json::array groups;
  for (const auto& [group, versions] : table.groups()) groups.push_back(group_entry(group, versions));
  return json::object{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

json::value core_document() {
  return json::object{
      {"kind", "APIVersions"}, {"versions", json::array{"v1"}}, {"serverAddressByClientCIDRs", json::array{}}};
}

}  // namespace

std::optional<DiscoveryAnswer> discovery_answer(const KindTable& table, const std::string& path,
                                                std::string_view accept) {
  std::vector<std::string> parts = split(path, '/');
  parts.erase(parts.begin());
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  if (parts.empty()) return std::nullopt;
  if (parts[0] == "openapi") {
    if (std::optional<json::value> document = openapi_answer(table, parts))
      return DiscoveryAnswer{.body = *std::move(document)};
    return std::nullopt;
  }
  if (parts[0] != "api" && parts[0] != "apis") return std::nullopt;
  const bool core = parts[0] == "api";
  if (parts.size() == 1) {
    if (const std::string version = aggregated_version(accept); !version.empty()) {
      return aggregated(table, "/" + parts[0], version);
    }
    return DiscoveryAnswer{.body = core ? core_document() : groups_document(table)};
  }
  std::optional<json::value> body;
  if (core && parts.size() == 2) body = resource_list(table, "", parts[1]);
  if (!core && parts.size() == 3) body = resource_list(table, parts[1], parts[2]);
  if (!core && parts.size() == 2) {
    for (const auto& [group, versions] : table.groups()) {
      if (group != parts[1]) continue;
      json::object entry = group_entry(group, versions);
      entry["kind"] = "APIGroup";
      entry["apiVersion"] = "v1";
      body = std::move(entry);
    }
  }
  if (!body) return std::nullopt;
  return DiscoveryAnswer{.body = *std::move(body)};
}

json::value version_document() {
  return json::object{{"major", "1"},        {"minor", "33"},      {"gitVersion", "v1.33.0+holdfast"},
                      {"gitCommit", ""},     {"gitTreeState", ""}, {"buildDate", "2026-01-01T00:00:00Z"},
                      {"goVersion", "none"}, {"compiler", "g++"},  {"platform", "linux/amd64"}};
}

}  // namespace holdfast::sandbox
