#include "backup/resource_modifiers.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <regex>
#include <vector>

#include "backup/json_edit.h"
#include "base/yaml.h"
#include "kube/patch.h"
#include "velero/filter.h"
#include "velero/types.h"

namespace holdfast::backup {
namespace {

struct Rule {
  velero::IncludesExcludes namespaces;
  std::string group_resource;
  std::optional<std::regex> name;
  std::optional<velero::LabelSelector> labels;
  json::array matches;  ///< as `test` operations
  json::array operations;
  std::vector<json::value> merge_patches;
  std::vector<json::value> strategic_patches;
};

/// The ConfigMap writes every value as text; what looks like a number, a boolean, null, a list or an object is one,
/// and text in quotes is text.
json::value typed_value(const json::value& written) {
  if (!written.is_string()) return written;
  const std::string text(written.get_string());
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
    return json::value(text.substr(1, text.size() - 2));
  if (text.empty()) return json::value("");
  const bool bracketed = (text.front() == '{' && text.back() == '}') || (text.front() == '[' && text.back() == ']');
  const bool word = text == "true" || text == "false" || text == "null";
  const bool number = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (bracketed || word || number) {
    if (Result<json::value> parsed = json::parse(text)) return std::move(*parsed);
  }
  return json::value(text);
}

Result<json::object> operation_of(const json::value& patch) {
  const std::string op = json::string_at(patch, {"operation"});
  json::object operation{{"op", op}, {"path", json::string_at(patch, {"path"})}};
  if (op == "move" || op == "copy") {
    operation["from"] = json::string_at(patch, {"from"});
  } else if (op == "add" || op == "replace" || op == "test") {
    const json::value* value = json::find(patch, {"value"});
    operation["value"] = value == nullptr ? json::value("") : typed_value(*value);
  } else if (op != "remove") {
    return Error(ErrorCode::invalid,
                 fmt::format("operation \"{}\" is none of add, remove, replace, move, copy, test", op));
  }
  return operation;
}

Result<std::optional<std::regex>> name_pattern(const std::string& text) {
  if (text.empty()) return std::optional<std::regex>();
  try {
    return std::optional<std::regex>(std::regex(text, std::regex::ECMAScript));
  } catch (const std::regex_error& error) {
    return Error(ErrorCode::invalid, fmt::format("resourceNameRegex: {}", error.what()));
  }
}

Result<std::vector<json::value>> patch_data(const json::array& patches) {
  std::vector<json::value> list;
  for (const json::value& patch : patches) {
    json::value data = TRY(yaml::parse(json::string_at(patch, {"patchData"})).in("patchData"));
    if (!data.is_object()) return Error(ErrorCode::invalid, "patchData is no object");
    list.push_back(std::move(data));
  }
  return list;
}

Result<Rule> parse_rule(const json::value& source) {
  Rule rule;
  const json::object& conditions = json::object_at(source, {"conditions"});
  rule.namespaces.includes = json::strings(json::array_at(conditions, {"namespaces"}));
  rule.group_resource = json::string_at(conditions, {"groupResource"});
  if (rule.group_resource.empty()) return Error(ErrorCode::invalid, "conditions.groupResource is missing");
  rule.name = TRY(name_pattern(json::string_at(conditions, {"resourceNameRegex"})));
  if (const json::value* labels = json::find(conditions, {"labelSelector"})) {
    rule.labels = TRY(velero::decode<velero::LabelSelector>(*labels).in("labelSelector"));
    TRY(velero::check_selector(*rule.labels).in("labelSelector"));
  }
  for (const json::value& match : json::array_at(conditions, {"matches"})) {
    const json::value* value = json::find(match, {"value"});
    rule.matches.push_back(json::object{{"op", "test"},
                                        {"path", json::string_at(match, {"path"})},
                                        {"value", value == nullptr ? json::value("") : typed_value(*value)}});
  }
  for (const json::value& patch : json::array_at(source, {"patches"})) {
    rule.operations.push_back(TRY(operation_of(patch)));
  }
  rule.merge_patches = TRY(patch_data(json::array_at(source, {"mergePatches"})));
  rule.strategic_patches = TRY(patch_data(json::array_at(source, {"strategicPatches"})));
  const int kinds =
      int{!rule.operations.empty()} + int{!rule.merge_patches.empty()} + int{!rule.strategic_patches.empty()};
  if (kinds != 1) {
    return Error(ErrorCode::invalid, "a rule has exactly one of patches, mergePatches and strategicPatches");
  }
  return rule;
}

bool applies(const Rule& rule, std::string_view group_resource, const json::object& object) {
  if (!velero::glob_match(rule.group_resource, group_resource)) return false;
  if (!rule.namespaces.includes.empty() && !rule.namespaces.includes_name(object_namespace(object))) return false;
  if (rule.name && !std::regex_search(object_name(object), *rule.name)) return false;
  if (rule.labels && !velero::matches(*rule.labels, velero::labels_of(object))) return false;
  return rule.matches.empty() || kube::json_patch(object, rule.matches).ok();
}

/// True where every `test` of the list holds by itself, on the object as it is.
bool tests_hold(const json::array& operations, const json::value& object) {
  json::array tests;
  for (const json::value& operation : operations) {
    if (json::string_at(operation, {"op"}) == "test") tests.push_back(operation);
  }
  return tests.empty() || kube::json_patch(object, tests).ok();
}

Result<json::value> patched(const Rule& rule, json::value object) {
  if (!rule.operations.empty()) {
    if (!tests_hold(rule.operations, object)) return object;
    return kube::json_patch(std::move(object), rule.operations);
  }
  for (const json::value& patch : rule.merge_patches) object = kube::merge_patch(std::move(object), patch);
  for (const json::value& patch : rule.strategic_patches) {
    object = TRY(kube::strategic_merge_patch(std::move(object), patch));
  }
  return object;
}

}  // namespace

struct ResourceModifiers::Rules {
  std::vector<Rule> list;
};

Result<ResourceModifiers> ResourceModifiers::parse(std::string_view text) {
  const json::value document = TRY(yaml::parse(text));
  const std::string version = json::string_at(document, {"version"});
  if (version != "v1") return Error(ErrorCode::invalid, fmt::format("version \"{}\" is not v1", version));
  auto rules = std::make_shared<Rules>();
  size_t number = 0;
  for (const json::value& source : json::array_at(document, {"resourceModifierRules"})) {
    rules->list.push_back(TRY(parse_rule(source).in(fmt::format("resourceModifierRules[{}]", number))));
    ++number;
  }
  if (rules->list.empty()) return Error(ErrorCode::invalid, "resourceModifierRules is missing");
  return ResourceModifiers(std::move(rules));
}

Result<json::object> ResourceModifiers::apply(std::string_view group_resource, json::object object) const {
  for (const Rule& rule : rules_->list) {
    if (!applies(rule, group_resource, object)) continue;
    json::value changed = TRY(patched(rule, json::value(std::move(object))));
    if (!changed.is_object()) return Error(ErrorCode::invalid, "a patch leaves no object");
    object = std::move(changed.get_object());
  }
  return object;
}

}  // namespace holdfast::backup
