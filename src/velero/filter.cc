#include "velero/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::velero {

namespace {

bool contains(const StringList& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool any_matches(const StringList& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return glob_match(pattern, name); });
}

/// The end of the class that starts at pattern[at] == '['; npos where it is not closed.
size_t class_end(std::string_view pattern, size_t at) {
  size_t from = at + 1;
  if (from < pattern.size() && pattern[from] == '!') ++from;
  return pattern.find(']', from + 1);
}

bool in_class(std::string_view members, char c) {
  const bool negated = members.starts_with('!');
  if (negated) members.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < members.size(); ++i) {
    if (i + 2 < members.size() && members[i + 1] == '-') {
      found = found || (members[i] <= c && c <= members[i + 2]);
      i += 2;
    } else {
      found = found || members[i] == c;
    }
  }
  return found != negated;
}

/// Matches one pattern element that is no star; returns the pattern position behind it, or npos.
size_t step(std::string_view pattern, size_t at, char c) {
  if (pattern[at] == '?') return at + 1;
  if (pattern[at] == '[') {
    const size_t end = class_end(pattern, at);
    if (end != std::string_view::npos)
      return in_class(pattern.substr(at + 1, end - at - 1), c) ? end + 1 : std::string_view::npos;
  }
  return pattern[at] == c ? at + 1 : std::string_view::npos;
}

StringList both_lists(const IncludesExcludes& lists) {
  std::set<std::string> both;
  for (const std::string& name : lists.excludes)
    if (contains(lists.includes, name)) both.insert(name);
  StringList out;
  for (const std::string& name : both)
    out.push_back(fmt::format("excludes list cannot contain an item in the includes list: {}", name));
  return out;
}

bool star_with_others(const StringList& list) {
  return contains(list, "*") && list.size() > 1;
}

constexpr std::string_view kStarAlone = "includes list must either contain '*' only, or a non-empty list of items";

/// A namespace name, in which a glob may stand for any part.
bool namespace_pattern_ok(std::string_view name) {
  std::string plain;
  for (size_t i = 0; i < name.size(); ++i) {
    const size_t end = name[i] == '[' ? class_end(name, i) : std::string_view::npos;
    if (end != std::string_view::npos) i = end;
    plain += (name[i] == '*' || name[i] == '?' || name[i] == ']') ? 'x' : name[i];
  }
  return plain.size() <= 63 && plain.find('.') == std::string::npos && valid_object_name(plain);
}

const StringList& snapshot_types() {
  static const StringList list = {"volumesnapshots.snapshot.storage.k8s.io",
                                  "volumesnapshotcontents.snapshot.storage.k8s.io"};
  return list;
}

}  // namespace

bool has_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    const size_t next = p < pattern.size() ? step(pattern, p, text[t]) : std::string_view::npos;
    if (next != std::string_view::npos) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool IncludesExcludes::includes_name(std::string_view name) const {
  if (any_matches(excludes, name)) return false;
  return includes.empty() || any_matches(includes, name);
}

bool IncludesExcludes::everything() const {
  return excludes.empty() && (includes.empty() || contains(includes, "*"));
}

StringList check_lists(const IncludesExcludes& lists) {
  StringList out;
  if (star_with_others(lists.includes)) out.emplace_back(kStarAlone);
  if (contains(lists.excludes, "*")) out.emplace_back("excludes list cannot contain '*'");
  for (std::string& text : both_lists(lists)) out.push_back(std::move(text));
  return out;
}

StringList check_namespace_lists(const IncludesExcludes& lists) {
  StringList out = check_lists(lists);
  for (const StringList* list : {&lists.includes, &lists.excludes})
    for (const std::string& name : *list)
      if (name != "*" && !namespace_pattern_ok(name))
        out.push_back(fmt::format("invalid namespace \"{}\": must be a lower case RFC 1123 label", name));
  return out;
}

StringList check_scoped_lists(const IncludesExcludes& lists) {
  StringList out;
  if (star_with_others(lists.includes)) out.emplace_back(kStarAlone);
  if (star_with_others(lists.excludes))
    out.emplace_back("excludes list must either contain '*' only, or a non-empty list of items");
  if (!lists.includes.empty() && contains(lists.excludes, "*"))
    out.emplace_back("when exclude is '*', include cannot have value");
  for (std::string& text : both_lists(lists)) out.push_back(std::move(text));
  return out;
}

std::string ResourceType::group_resource() const {
  return group.empty() ? resource : fmt::format("{}.{}", resource, group);
}

StringList resolve_resources(const StringList& names, const std::vector<ResourceType>& types) {
  StringList out;
  for (const std::string& name : names) {
    if (has_glob(name)) {
      out.push_back(name);
      continue;
    }
    const std::string lower = to_lower(name);
    const size_t dot = lower.find('.');
    const std::string word = lower.substr(0, dot);
    const std::string group = dot == std::string::npos ? "" : lower.substr(dot + 1);
    const auto hit = std::find_if(types.begin(), types.end(), [&](const ResourceType& type) {
      const bool named = word == type.resource || word == type.singular || word == to_lower(type.kind) ||
                         contains(type.short_names, word);
      return named && (dot == std::string::npos || group == type.group);
    });
    out.push_back(hit == types.end() ? name : hit->group_resource());
  }
  return out;
}

bool uses_old_filters(const BackupSpec& spec) {
  return !spec.included_resources.empty() || !spec.excluded_resources.empty() || spec.include_cluster_resources;
}

bool uses_scoped_filters(const BackupSpec& spec) {
  return !spec.included_cluster_scoped_resources.empty() || !spec.excluded_cluster_scoped_resources.empty() ||
         !spec.included_namespace_scoped_resources.empty() || !spec.excluded_namespace_scoped_resources.empty();
}

const StringList& non_restorable_resources() {
  static const StringList list = {"nodes",
                                  "events",
                                  "events.events.k8s.io",
                                  "backups.velero.io",
                                  "restores.velero.io",
                                  "resticrepositories.velero.io",
                                  "csinodes.storage.k8s.io",
                                  "volumeattachments.storage.k8s.io",
                                  "backuprepositories.velero.io"};
  return list;
}

ResourceFilter ResourceFilter::of(const BackupSpec& spec, const std::vector<ResourceType>& types) {
  ResourceFilter out;
  out.scoped_ = uses_scoped_filters(spec);
  out.namespaces_ = {spec.included_namespaces, spec.excluded_namespaces};
  out.resources_ = {resolve_resources(spec.included_resources, types),
                    resolve_resources(spec.excluded_resources, types)};
  out.cluster_scoped_ = {resolve_resources(spec.included_cluster_scoped_resources, types),
                         resolve_resources(spec.excluded_cluster_scoped_resources, types)};
  out.namespace_scoped_ = {resolve_resources(spec.included_namespace_scoped_resources, types),
                           resolve_resources(spec.excluded_namespace_scoped_resources, types)};
  out.include_cluster_resources_ = spec.include_cluster_resources;
  out.selector_ = {spec.label_selector, spec.or_label_selectors};
  return out;
}

ResourceFilter ResourceFilter::of(const RestoreSpec& spec, const std::vector<ResourceType>& types) {
  ResourceFilter out;
  out.namespaces_ = {spec.included_namespaces, spec.excluded_namespaces};
  out.resources_ = {resolve_resources(spec.included_resources, types),
                    resolve_resources(spec.excluded_resources, types)};
  for (const std::string& name : non_restorable_resources())
    if (!contains(out.resources_.excludes, name)) out.resources_.excludes.push_back(name);
  out.include_cluster_resources_ = spec.include_cluster_resources;
  out.selector_ = {spec.label_selector, spec.or_label_selectors};
  return out;
}

Reach ResourceFilter::reach(const ResourceType& type) const {
  const Reach reach = scoped_ ? scoped_reach(type) : old_reach(type);
  if (reach == Reach::swept && contains(snapshot_types(), type.group_resource())) return Reach::related;
  return reach;
}

Reach ResourceFilter::old_reach(const ResourceType& type) const {
  if (!resources_.includes_name(type.group_resource())) return Reach::none;
  const bool is_namespace = type.group_resource() == "namespaces";
  if (type.namespaced || is_namespace) return Reach::swept;
  if (include_cluster_resources_) return *include_cluster_resources_ ? Reach::swept : Reach::none;
  return namespaces_.everything() ? Reach::swept : Reach::related;
}

Reach ResourceFilter::scoped_reach(const ResourceType& type) const {
  const std::string name = type.group_resource();
  if (type.namespaced) return namespace_scoped_.includes_name(name) ? Reach::swept : Reach::none;
  if (any_matches(cluster_scoped_.excludes, name)) return Reach::none;
  if (any_matches(cluster_scoped_.includes, name) || name == "namespaces") return Reach::swept;
  const bool unnarrowed = cluster_scoped_.everything() && cluster_scoped_.includes.empty();
  const bool all = namespaces_.everything() && namespace_scoped_.everything();
  return unnarrowed && all ? Reach::swept : Reach::related;
}

bool ResourceFilter::takes_object(const json::value& object) const {
  const StringMap labels = labels_of(object);
  const auto excluded = labels.find(std::string(label::kExcludeFromBackup));
  if (excluded != labels.end() && excluded->second == "true") return false;
  const json::value* deletion = json::find(object, {"metadata", "deletionTimestamp"});
  if (deletion != nullptr && !deletion->is_null()) return false;
  return selector_.matches(labels);
}

StringList missing_namespaces(const IncludesExcludes& namespaces, const StringList& existing) {
  StringList out;
  for (const std::string& name : namespaces.includes)
    if (!has_glob(name) && !contains(existing, name)) out.push_back(name);
  return out;
}

}  // namespace holdfast::velero
