// The types that a cluster serves, by Velero's names for them. An immutable value; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api.h"
#include "velero/filter.h"

namespace holdfast::backup {

class TypeIndex {
 public:
  TypeIndex() = default;
  /// From Api::discover(): only types that can be listed; sub-resources are not among them.
  explicit TypeIndex(std::vector<kube::ResourceType> types);

  /// The group's preferred version of a type ("pods", "deployments.apps"); nullptr where it is not served.
  [[nodiscard]] const kube::ResourceType* preferred(std::string_view group_resource) const;
  /// The type in just that version; nullptr where it is not served.
  [[nodiscard]] const kube::ResourceType* in_version(std::string_view group_resource,
                                                     std::string_view api_version) const;
  /// What a user's word for a type means ("deploy" -> "deployments.apps"); the word itself where no type answers to it.
  [[nodiscard]] std::string resolve(const std::string& word) const;
  /// As the filters ask for them: preferred versions.
  [[nodiscard]] std::vector<velero::ResourceType> velero_types() const;
  [[nodiscard]] static velero::ResourceType to_velero(const kube::ResourceType& type);
  [[nodiscard]] bool has_group(std::string_view group) const;
  /// Preferred versions: the core group first with pods, PVCs and PVs leading, then the other groups as discovered.
  /// Of types that are served in two groups only one is named (deployments: apps over extensions; events: core).
  [[nodiscard]] std::vector<const kube::ResourceType*> backup_order() const;

 private:
  std::vector<kube::ResourceType> types_;
  std::map<std::string, size_t, std::less<>> preferred_;
};

}  // namespace holdfast::backup
