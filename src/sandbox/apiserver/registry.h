// The table of served resource types: built-in ones, and those of the CustomResourceDefinitions in the store.
//
// The table is an immutable value, replaced whole when a definition changes; readers keep the one they took.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sandbox/apiserver/resource_kind.h"
#include "sandbox/apiserver/store.h"

namespace holdfast::sandbox {

class KindTable {
 public:
  explicit KindTable(std::vector<ResourceKind> kinds) : kinds_(std::move(kinds)) {}
  [[nodiscard]] const std::vector<ResourceKind>& kinds() const { return kinds_; }
  /// Null where nothing of that name is served.
  [[nodiscard]] const ResourceKind* find(const std::string& group, const std::string& version,
                                         const std::string& plural) const;
  [[nodiscard]] const ResourceKind* find_kind(const std::string& api_version, const std::string& kind) const;
  /// Groups other than the core group, in order of appearance; of each its versions.
  [[nodiscard]] std::vector<std::pair<std::string, std::vector<std::string>>> groups() const;

 private:
  std::vector<ResourceKind> kinds_;
};

class Registry {
 public:
  explicit Registry(const Store& store) : store_(store) { reload(); }
  [[nodiscard]] std::shared_ptr<const KindTable> table() const;
  /// Reads the definitions anew; called after each change of one.
  void reload();

 private:
  const Store& store_;
  mutable std::mutex mutex_;
  std::shared_ptr<const KindTable> table_;
};

}  // namespace holdfast::sandbox
