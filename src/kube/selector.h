// Label and field selectors: parsed once, asked for every object. Values; safe from any thread when const.
//
// The grammar and the meaning are the API server's: "a=b,c!=d,e in (f,g),h notin (i),j,!k,n>1,n<5"; != and notin also
// hold where the label is missing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace holdfast::kube {

struct LabelRequirement {
  enum class Op { in, not_in, exists, absent, greater, less };
  std::string key;
  Op op = Op::exists;
  std::vector<std::string> values;
};

class LabelSelector {
 public:
  /// Matches everything.
  LabelSelector() = default;
  /// The text form of a query parameter or a command line; empty matches everything. invalid names the place.
  [[nodiscard]] static Result<LabelSelector> parse(std::string_view text);
  /// The object form {matchLabels, matchExpressions}; null and {} match everything. invalid names the field.
  [[nodiscard]] static Result<LabelSelector> from_object(const json::value& selector);

  [[nodiscard]] bool matches(const json::object& labels) const;
  /// Looks at metadata.labels.
  [[nodiscard]] bool matches_object(const json::value& object) const;
  [[nodiscard]] bool empty() const { return requirements_.empty(); }
  [[nodiscard]] const std::vector<LabelRequirement>& requirements() const { return requirements_; }
  /// The text form, in the order given: "a=b,c in (d,e),!f".
  [[nodiscard]] std::string text() const;

 private:
  Status add(LabelRequirement requirement);
  std::vector<LabelRequirement> requirements_;
};

class FieldSelector {
 public:
  struct Requirement {
    std::string field;
    bool equal = true;
    std::string value;
  };
  FieldSelector() = default;
  /// "metadata.name=x,status.phase!=Failed"; `\` escapes , = and itself in values.
  [[nodiscard]] static Result<FieldSelector> parse(std::string_view text);
  /// Looks each dotted path up in the object; a missing field reads as "".
  [[nodiscard]] bool matches(const json::value& object) const;
  [[nodiscard]] const std::vector<Requirement>& requirements() const { return requirements_; }

 private:
  std::vector<Requirement> requirements_;
};

/// "name" or "example.org/name" as Kubernetes allows it for labels and annotations.
[[nodiscard]] bool is_label_key(std::string_view key);
/// At most 63 letters, digits, '-', '_', '.', with letter or digit at both ends; or empty.
[[nodiscard]] bool is_label_value(std::string_view value);
/// RFC 1123 subdomain, at most 253 long: the rule for most object names.
[[nodiscard]] bool is_dns_subdomain(std::string_view name);

}  // namespace holdfast::kube
