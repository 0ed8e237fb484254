#include "sandbox/apiserver/custom_schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "sandbox/apiserver/refusal.h"

namespace holdfast::sandbox {

namespace {

using json::value;

bool is_number(const value& v) {
  return v.is_int64() || v.is_uint64() || v.is_double();
}
bool is_integer(const value& v) {
  return v.is_int64() || v.is_uint64();
}

bool fits_type(const value& schema, const value& v) {
  if (json::bool_at(schema, {"x-kubernetes-int-or-string"})) return is_integer(v) || v.is_string();
  const std::string type = json::string_at(schema, {"type"});
  if (v.is_null()) return json::bool_at(schema, {"nullable"}) || type.empty();
  if (type == "object") return v.is_object();
  if (type == "array") return v.is_array();
  if (type == "string") return v.is_string();
  if (type == "boolean") return v.is_bool();
  if (type == "integer") return is_integer(v);
  if (type == "number") return is_number(v);
  return true;
}

void prune_and_default(const value& schema, value& v);

void shape_object(const value& schema, json::object& fields) {
  const json::object& properties = json::object_at(schema, {"properties"});
  const value* additional = json::find(schema, {"additionalProperties"});
  const bool keeps = json::bool_at(schema, {"x-kubernetes-preserve-unknown-fields"}) || additional != nullptr;
  const bool embedded = json::bool_at(schema, {"x-kubernetes-embedded-resource"});
  std::vector<std::string> unknown;
  for (auto& [name, field] : fields) {
    if (const value* known = properties.if_contains(name)) {
      prune_and_default(*known, field);
    } else if (additional != nullptr && additional->is_object()) {
      prune_and_default(*additional, field);
    } else if (!keeps && !(embedded && (name == "apiVersion" || name == "kind" || name == "metadata"))) {
      unknown.emplace_back(name);
    }
  }
  for (const std::string& name : unknown) fields.erase(name);
  for (const auto& [name, property] : properties) {
    const value* fallback = json::find(property, {"default"});
    const value* present = fields.if_contains(name);
    const bool missing = present == nullptr || (present->is_null() && !json::bool_at(property, {"nullable"}));
    if (fallback == nullptr || !missing) continue;
    fields[name] = *fallback;
    prune_and_default(property, fields[name]);
  }
}

void prune_and_default(const value& schema, value& v) {
  if (v.is_object()) {
    const bool shaped = schema.is_object() && (schema.as_object().contains("properties") ||
                                               schema.as_object().contains("additionalProperties") ||
                                               json::string_at(schema, {"type"}) == "object");
    if (shaped) shape_object(schema, v.as_object());
  } else if (v.is_array()) {
    const value* items = json::find(schema, {"items"});
    if (items == nullptr) return;
    for (value& element : v.as_array()) prune_and_default(*items, element);
  }
}

double as_double(const value& v) {
  if (v.is_int64()) return static_cast<double>(v.as_int64());
  if (v.is_uint64()) return static_cast<double>(v.as_uint64());
  return v.is_double() ? v.as_double() : 0.0;
}

std::string check(const value& schema, const value& v, const std::string& path);

std::string check_scalar(const value& schema, const value& v, const std::string& path) {
  if (const json::array& allowed = json::array_at(schema, {"enum"}); !allowed.empty()) {
    if (std::find(allowed.begin(), allowed.end(), v) == allowed.end()) {
      return fmt::format("{}: Unsupported value: {}: supported values: {}", path, json::compact(v),
                         json::compact(allowed));
    }
  }
  if (is_number(v)) {
    const value* least = json::find(schema, {"minimum"});
    const value* most = json::find(schema, {"maximum"});
    if (least != nullptr && as_double(v) < as_double(*least)) {
      return fmt::format("{}: Invalid value: {}: should be greater than or equal to {}", path, json::compact(v),
                         json::compact(*least));
    }
    if (most != nullptr && as_double(v) > as_double(*most)) {
      return fmt::format("{}: Invalid value: {}: should be less than or equal to {}", path, json::compact(v),
                         json::compact(*most));
    }
  }
  return {};
}

std::string check_size(const value& schema, size_t size, const std::string& path, const char* least, const char* most) {
  if (static_cast<int64_t>(size) < json::int_at(schema, {least}))
    return fmt::format("{}: Invalid value: too short", path);
  if (json::find(schema, {most}) != nullptr && static_cast<int64_t>(size) > json::int_at(schema, {most})) {
    return fmt::format("{}: Too long", path);
  }
  return {};
}

std::string check_object(const value& schema, const json::object& fields, const std::string& path) {
  for (const std::string& name : json::strings(json::array_at(schema, {"required"}))) {
    if (!fields.contains(name)) return fmt::format("{}{}{}: Required value", path, path.empty() ? "" : ".", name);
  }
  const json::object& properties = json::object_at(schema, {"properties"});
  const value* additional = json::find(schema, {"additionalProperties"});
  for (const auto& [name, field] : fields) {
    const value* known = properties.if_contains(name);
    if (known == nullptr && additional != nullptr && additional->is_object()) known = additional;
    if (known == nullptr) continue;
    std::string fault =
        check(*known, field, fmt::format("{}{}{}", path, path.empty() ? "" : ".", std::string_view(name)));
    if (!fault.empty()) return fault;
  }
  return {};
}

// The first fault, worded as the API server words it; empty: none.
std::string check(const value& schema, const value& v, const std::string& path) {
  if (!fits_type(schema, v)) {
    return fmt::format("{}: Invalid value: {}: {} in body must be of type {}", path, json::compact(v), path,
                       json::string_at(schema, {"type"}));
  }
  if (std::string fault = check_scalar(schema, v, path); !fault.empty()) return fault;
  if (v.is_string()) return check_size(schema, v.as_string().size(), path, "minLength", "maxLength");
  if (v.is_object()) return check_object(schema, v.as_object(), path);
  if (!v.is_array()) return {};
  if (std::string fault = check_size(schema, v.as_array().size(), path, "minItems", "maxItems"); !fault.empty())
    return fault;
  const value* items = json::find(schema, {"items"});
  if (items == nullptr) return {};
  for (size_t i = 0; i < v.as_array().size(); ++i) {
    std::string fault = check(*items, v.as_array()[i], fmt::format("{}[{}]", path, i));
    if (!fault.empty()) return fault;
  }
  return {};
}

}  // namespace

void apply_schema(const ResourceKind& kind, json::object& object) {
  if (!kind.schema.is_object()) return;
  // Type and metadata belong to every object, whatever its schema says.
  value kept[3];
  const char* const names[3] = {"apiVersion", "kind", "metadata"};
  for (size_t i = 0; i < 3; ++i) {
    if (const value* found = object.if_contains(names[i])) kept[i] = *found;
  }
  value whole(std::move(object));
  prune_and_default(kind.schema, whole);
  json::object ordered;
  for (size_t i = 0; i < 3; ++i) {
    if (!kept[i].is_null()) ordered[names[i]] = std::move(kept[i]);
  }
  for (auto& [name, field] : whole.as_object()) {
    if (!ordered.contains(name)) ordered[name] = std::move(field);
  }
  object = std::move(ordered);
}

Status check_custom(const ResourceKind& kind, const json::object& object) {
  if (!kind.schema.is_object()) return {};
  json::object content = object;
  content.erase("metadata");
  const std::string fault = check(kind.schema, content, "");
  if (fault.empty()) return {};
  return invalid(kind.kind, json::string_at(object, {"metadata", "name"}), fault);
}

}  // namespace holdfast::sandbox
