// What a backup or restore takes: lists of names with globs, the two families of resource filters, label selectors.
//
// Pure values; a filter is built once per run from the spec and the cluster's types, then asked from any thread.
#pragma once

#include "velero/selector.h"
#include "velero/types.h"

namespace holdfast::velero {

/// `*`, `?` and `[abc]`, `[a-c]`, `[!a]`; any other character stands for itself. Linear time. A `[` without its `]`
/// stands for itself.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);
[[nodiscard]] bool has_glob(std::string_view pattern);

/// A pair of lists. Excludes win; an empty include list, or one with "*", includes everything.
struct IncludesExcludes {
  StringList includes;
  StringList excludes;

  [[nodiscard]] bool includes_name(std::string_view name) const;
  /// True where no name at all can be left out.
  [[nodiscard]] bool everything() const;
};

/// Velero's verdicts on the lists; one text per fault, empty when fine.
[[nodiscard]] StringList check_lists(const IncludesExcludes& lists);
/// The same, and each name must be able to name a namespace.
[[nodiscard]] StringList check_namespace_lists(const IncludesExcludes& lists);
/// The rules of the newer family, where excludes may be "*".
[[nodiscard]] StringList check_scoped_lists(const IncludesExcludes& lists);

/// A type of the cluster, from discovery.
struct ResourceType {
  std::string group;     ///< "" for the core group
  std::string resource;  ///< plural
  std::string kind;
  std::string singular;
  StringList short_names;
  bool namespaced = false;

  /// "pods", "deployments.apps".
  [[nodiscard]] std::string group_resource() const;
};

/// Turns what users write ("po", "Deployment", "deployments", "deployments.apps", globs) into group_resource form;
/// names that fit no type stay as they are.
[[nodiscard]] StringList resolve_resources(const StringList& names, const std::vector<ResourceType>& types);

/// How far a type is taken.
enum class Reach {
  none,     ///< never
  related,  ///< only objects that others bring along (the PV of a PVC, the CRD of an object)
  swept,    ///< listed and taken
};

class ResourceFilter {
 public:
  [[nodiscard]] static ResourceFilter of(const BackupSpec& spec, const std::vector<ResourceType>& types);
  /// Adds the types that are never restored to the excluded ones.
  [[nodiscard]] static ResourceFilter of(const RestoreSpec& spec, const std::vector<ResourceType>& types);

  [[nodiscard]] Reach reach(const ResourceType& type) const;
  [[nodiscard]] bool takes_namespace(std::string_view name) const { return namespaces_.includes_name(name); }
  [[nodiscard]] const IncludesExcludes& namespaces() const { return namespaces_; }
  /// Looks at labels, the label velero.io/exclude-from-backup and deletionTimestamp. For backups.
  [[nodiscard]] bool takes_object(const json::value& object) const;
  /// The label selectors alone. For restores.
  [[nodiscard]] bool selects(const StringMap& labels) const { return selector_.matches(labels); }

 private:
  [[nodiscard]] Reach old_reach(const ResourceType& type) const;
  [[nodiscard]] Reach scoped_reach(const ResourceType& type) const;

  bool scoped_ = false;
  IncludesExcludes namespaces_;
  IncludesExcludes resources_;
  IncludesExcludes cluster_scoped_;
  IncludesExcludes namespace_scoped_;
  std::optional<bool> include_cluster_resources_;
  ObjectSelector selector_;
};

/// True where a spec uses members of that family.
[[nodiscard]] bool uses_old_filters(const BackupSpec& spec);
[[nodiscard]] bool uses_scoped_filters(const BackupSpec& spec);

/// Included namespaces given by name (no glob) that do not exist: Velero 1.14 refuses such a backup, 1.18 makes it and
/// reports an error. We refuse: a backup that silently lacks a namespace is worse than none.
[[nodiscard]] StringList missing_namespaces(const IncludesExcludes& namespaces, const StringList& existing);

/// Types that a restore leaves alone, in Velero's order.
[[nodiscard]] const StringList& non_restorable_resources();

}  // namespace holdfast::velero
