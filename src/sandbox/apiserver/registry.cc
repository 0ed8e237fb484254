#include "sandbox/apiserver/registry.h"

#include <algorithm>

namespace holdfast::sandbox {

const ResourceKind* KindTable::find(const std::string& group, const std::string& version,
                                    const std::string& plural) const {
  for (const ResourceKind& kind : kinds_) {
    if (kind.plural == plural && kind.group == group && kind.version == version) return &kind;
  }
  return nullptr;
}

const ResourceKind* KindTable::find_kind(const std::string& api_version, const std::string& kind) const {
  for (const ResourceKind& known : kinds_) {
    if (known.kind == kind && known.group_version() == api_version) return &known;
  }
  return nullptr;
}

std::vector<std::pair<std::string, std::vector<std::string>>> KindTable::groups() const {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const ResourceKind& kind : kinds_) {
    if (kind.group.empty()) continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == kind.group; });
    if (group == groups.end()) group = groups.insert(groups.end(), {kind.group, {}});
    auto& versions = group->second;
    if (std::find(versions.begin(), versions.end(), kind.version) == versions.end()) versions.push_back(kind.version);
  }
  return groups;
}

std::shared_ptr<const KindTable> Registry::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void Registry::reload() {
  std::vector<ResourceKind> kinds = builtin_kinds();
  const Result<Store::Listing> definitions = store_.list("customresourcedefinitions.apiextensions.k8s.io/");
  CHECK(definitions.ok());  // a list of the present state cannot fail
  for (const Object& definition : definitions->objects) {
    for (ResourceKind& kind : kinds_of_definition(*definition)) {
      // A definition never takes the place of a built-in type.
      const bool taken = std::any_of(kinds.begin(), kinds.end(), [&](const ResourceKind& known) {
        return known.group_version() == kind.group_version() && known.plural == kind.plural;
      });
      if (!taken) kinds.push_back(std::move(kind));
    }
  }
  auto table = std::make_shared<const KindTable>(std::move(kinds));
  const std::lock_guard lock(mutex_);
  table_ = std::move(table);
}

}  // namespace holdfast::sandbox
