#include "backup/type_index.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace holdfast::backup {
namespace {

/// Types with two homes, the home that is taken first.
struct Cohabitant {
  std::string_view plural;
  std::string_view taken;
  std::string_view left;
};
constexpr Cohabitant kCohabitants[] = {{"deployments", "apps", "extensions"},
                                       {"daemonsets", "apps", "extensions"},
                                       {"replicasets", "apps", "extensions"},
                                       {"networkpolicies", "networking.k8s.io", "extensions"},
                                       {"events", "", "events.k8s.io"}};

int core_rank(const kube::ResourceType& type) {
  if (!type.group.empty()) return 4;
  if (type.plural == "pods") return 0;
  if (type.plural == "persistentvolumeclaims") return 1;
  if (type.plural == "persistentvolumes") return 2;
  return 3;
}

}  // namespace

TypeIndex::TypeIndex(std::vector<kube::ResourceType> types) {
  for (kube::ResourceType& type : types) {
    if (type.can("list") && type.plural.find('/') == std::string::npos) types_.push_back(std::move(type));
  }
  for (size_t i = 0; i < types_.size(); ++i) {
    const kube::ResourceType& type = types_[i];
    const std::string name = type.group_resource();
    auto [at, fresh] = preferred_.emplace(name, i);
    if (!fresh && type.preferred && !types_[at->second].preferred) at->second = i;
  }
}

const kube::ResourceType* TypeIndex::preferred(std::string_view group_resource) const {
  auto found = preferred_.find(group_resource);
  return found == preferred_.end() ? nullptr : &types_[found->second];
}

const kube::ResourceType* TypeIndex::in_version(std::string_view group_resource, std::string_view api_version) const {
  for (const kube::ResourceType& type : types_) {
    if (type.api_version() == api_version && type.group_resource() == group_resource) return &type;
  }
  return nullptr;
}

std::string TypeIndex::resolve(const std::string& word) const {
  return velero::resolve_resources({word}, velero_types()).front();
}

velero::ResourceType TypeIndex::to_velero(const kube::ResourceType& type) {
  return {type.group, type.plural, type.kind, type.singular, type.short_names, type.namespaced};
}

std::vector<velero::ResourceType> TypeIndex::velero_types() const {
  std::vector<velero::ResourceType> all;
  for (const auto& [name, index] : preferred_) all.push_back(to_velero(types_[index]));
  return all;
}

bool TypeIndex::has_group(std::string_view group) const {
  return std::any_of(types_.begin(), types_.end(), [&](const kube::ResourceType& type) { return type.group == group; });
}

std::vector<const kube::ResourceType*> TypeIndex::backup_order() const {
  std::set<std::string> left_out;
  for (const Cohabitant& pair : kCohabitants) {
    const auto name = [&](std::string_view group) {
      return std::string(pair.plural) + (group.empty() ? "" : "." + std::string(group));
    };
    if (preferred_.contains(name(pair.taken))) left_out.insert(name(pair.left));
  }
  std::vector<const kube::ResourceType*> order;
  for (size_t i = 0; i < types_.size(); ++i) {
    const std::string name = types_[i].group_resource();
    if (preferred_.at(name) == i && !left_out.contains(name)) order.push_back(&types_[i]);
  }
  std::stable_sort(order.begin(), order.end(), [](const kube::ResourceType* a, const kube::ResourceType* b) {
    return core_rank(*a) < core_rank(*b);
  });
  return order;
}

}  // namespace holdfast::backup
