#include "sandbox/apiserver/openapi.h"

#include <fmt/format.h>

namespace holdfast::sandbox {

namespace {

std::string base_path(const ResourceKind& kind) {
  return (kind.group.empty() ? "api/" : "apis/") + kind.group_version();
}

json::object type_tag(const ResourceKind& kind) {
  return {{"group", kind.group}, {"version", kind.version}, {"kind", kind.kind}};
}

std::string schema_name(const ResourceKind& kind) {
  return fmt::format("{}.{}.{}", kind.group.empty() ? "core" : kind.group, kind.version, kind.kind);
}

json::object schema_of(const ResourceKind& kind) {
  json::object schema = kind.schema.is_object() ? kind.schema.as_object() : json::object{{"type", "object"}};
  if (!kind.schema.is_object()) schema["x-kubernetes-preserve-unknown-fields"] = true;
  schema["x-kubernetes-group-version-kind"] = json::array{type_tag(kind)};
  return schema;
}

json::object query_parameter(const char* name) {
  return {{"name", name}, {"in", "query"}, {"schema", json::object{{"type", "string"}}}};
}

// kubectl looks in the patch operation of a type whether dryRun and fieldValidation are known.
json::object operations(const ResourceKind& kind) {
  const json::array parameters{query_parameter("dryRun"), query_parameter("fieldManager"),
                               query_parameter("fieldValidation")};
  json::object patch{{"parameters", parameters},
                     {"responses", json::object{}},
                     {"x-kubernetes-action", "patch"},
                     {"x-kubernetes-group-version-kind", type_tag(kind)}};
  return {{"patch", std::move(patch)}};
}

std::optional<json::value> group_version_document(const KindTable& table, const std::string& base) {
  json::object paths;
  json::object schemas;
  for (const ResourceKind& kind : table.kinds()) {
    if (base_path(kind) != base) continue;
    paths[fmt::format("/{}/{}{}/{{name}}", base, kind.namespaced ? "namespaces/{namespace}/" : "", kind.plural)] =
        operations(kind);
    schemas[schema_name(kind)] = schema_of(kind);
  }
  if (paths.empty()) return std::nullopt;
  return json::object{{"openapi", "3.0.0"},
                      {"info", json::object{{"title", "Kubernetes"}, {"version", "v1.33.0"}}},
                      {"paths", std::move(paths)},
                      {"components", json::object{{"schemas", std::move(schemas)}}}};
}

json::value index_document(const KindTable& table) {
  json::object paths;
  for (const ResourceKind& kind : table.kinds()) {
    paths[base_path(kind)] = json::object{{"serverRelativeURL", "/openapi/v3/" + base_path(kind)}};
  }
  return json::object{{"paths", std::move(paths)}};
}

}  // namespace

std::optional<json::value> openapi_answer(const KindTable& table, const std::vector<std::string>& parts) {
  if (parts.size() < 2 || parts[1] != "v3") return std::nullopt;
  if (parts.size() == 2) return index_document(table);
  std::string base = parts[2];
  for (size_t i = 3; i < parts.size(); ++i) base += "/" + parts[i];
  return group_version_document(table, base);
}

}  // namespace holdfast::sandbox
