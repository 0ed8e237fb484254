// Changes to objects on their way back, as the ConfigMap says that spec.resourceModifier of a Restore names:
// rules with conditions and JSON, merge or strategic patches. An immutable value; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"

namespace holdfast::backup {

class ResourceModifiers {
 public:
  /// The YAML text of the ConfigMap's one key. invalid names the rule and its fault.
  [[nodiscard]] static Result<ResourceModifiers> parse(std::string_view yaml);

  /// Applies every rule whose conditions hold, in order. The object's namespace is that of the source. A JSON patch
  /// whose `test` fails leaves the object as it was; any other patch that cannot be applied is `invalid`.
  [[nodiscard]] Result<json::object> apply(std::string_view group_resource, json::object object) const;

 private:
  struct Rules;
  explicit ResourceModifiers(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

}  // namespace holdfast::backup
