#include "velero/selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace holdfast::velero {

namespace {

bool holds(const LabelSelectorRequirement& need, const StringMap& labels) {
  const auto it = labels.find(need.key);
  const bool present = it != labels.end();
  const bool listed = present && std::find(need.values.begin(), need.values.end(), it->second) != need.values.end();
  if (need.op == "In") return listed;
  if (need.op == "NotIn") return !listed;
  if (need.op == "Exists") return present;
  if (need.op == "DoesNotExist") return !present;
  return false;
}

std::string format_requirement(const LabelSelectorRequirement& need) {
  StringList values = need.values;
  std::sort(values.begin(), values.end());
  if (need.op == "In") return fmt::format("{} in ({})", need.key, fmt::join(values, ","));
  if (need.op == "NotIn") return fmt::format("{} notin ({})", need.key, fmt::join(values, ","));
  if (need.op == "DoesNotExist") return "!" + need.key;
  return need.key;
}

}  // namespace

bool matches(const LabelSelector& selector, const StringMap& labels) {
  for (const auto& [key, value] : selector.match_labels) {
    const auto it = labels.find(key);
    if (it == labels.end() || it->second != value) return false;
  }
  return std::all_of(selector.match_expressions.begin(), selector.match_expressions.end(),
                     [&labels](const LabelSelectorRequirement& need) { return holds(need, labels); });
}

Status check_selector(const LabelSelector& selector) {
  for (const LabelSelectorRequirement& need : selector.match_expressions) {
    const bool with_values = need.op == "In" || need.op == "NotIn";
    const bool without_values = need.op == "Exists" || need.op == "DoesNotExist";
    if (need.key.empty()) return Error(ErrorCode::invalid, "label selector: an expression without key");
    if (!with_values && !without_values)
      return Error(ErrorCode::invalid,
                   fmt::format("label selector: \"{}\" is not a valid label selector operator", need.op));
    if (with_values && need.values.empty())
      return Error(ErrorCode::invalid, fmt::format("label selector: {} {}: values are missing", need.key, need.op));
    if (without_values && !need.values.empty())
      return Error(ErrorCode::invalid, fmt::format("label selector: {} {} takes no values", need.key, need.op));
  }
  return {};
}

std::string format_selector(const LabelSelector& selector) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (const auto& [key, value] : selector.match_labels) parts.emplace_back(key, fmt::format("{}={}", key, value));
  for (const LabelSelectorRequirement& need : selector.match_expressions)
    parts.emplace_back(need.key, format_requirement(need));
  if (parts.empty()) return "<none>";
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [key, text] : parts) out += (out.empty() ? "" : ",") + text;
  return out;
}

StringMap labels_of(const json::value& object) {
  StringMap out;
  for (const auto& [key, value] : json::object_at(object, {"metadata", "labels"}))
    if (value.is_string()) out.emplace(std::string(key), std::string(value.get_string()));
  return out;
}

bool ObjectSelector::matches(const StringMap& labels) const {
  if (one && !velero::matches(*one, labels)) return false;
  if (any.empty()) return true;
  return std::any_of(any.begin(), any.end(),
                     [&labels](const LabelSelector& selector) { return velero::matches(selector, labels); });
}

}  // namespace holdfast::velero
