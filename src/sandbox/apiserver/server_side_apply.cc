#include "sandbox/apiserver/server_side_apply.h"

#include <fmt/format.h>

#include "kube/patch.h"
#include "sandbox/apiserver/refusal.h"

namespace holdfast::sandbox {

namespace {

using json::object;
using json::value;

object fields_of(const value& v);

// "k:{"name":"web"}" of an element of a keyed list.
std::string element_name(std::string_view key, const value& element) {
  const value* id = json::find(element, {key});
  return "k:" + json::compact(object{{key, id == nullptr ? value(nullptr) : *id}});
}

object fields_of_member(std::string_view name, const value& v) {
  if (v.is_object()) return fields_of(v);
  if (!v.is_array()) return {};
  const std::string_view key = kube::merge_key(name, v.as_array());
  if (key.empty()) return {};
  object fields;
  for (const value& element : v.as_array()) fields[element_name(key, element)] = fields_of(element);
  return fields;
}

object fields_of(const value& v) {
  object fields;
  if (!v.is_object()) return fields;
  for (const auto& [name, member] : v.as_object()) fields["f:" + std::string(name)] = fields_of_member(name, member);
  return fields;
}

object owned_fields(const object& applied) {
  object content = applied;
  for (const char* name : {"apiVersion", "kind", "status"}) content.erase(name);
  object meta;
  for (const char* name : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    if (const value* part = json::find(applied, {"metadata", name})) meta[name] = *part;
  }
  content["metadata"] = std::move(meta);
  return fields_of(content);
}

// The value a field name leads to from `at`; `parent_list` is the name of the list for elements.
const value* follow(const value* at, std::string_view field) {
  if (at == nullptr) return nullptr;
  if (field.substr(0, 2) == "f:") return at->is_object() ? at->as_object().if_contains(field.substr(2)) : nullptr;
  if (!at->is_array()) return nullptr;
  const Result<object> id = json::parse_object(field.substr(2));
  if (!id.ok() || id->empty()) return nullptr;
  for (const value& element : at->as_array()) {
    const value* have = json::find(element, {id->begin()->key()});
    if (have != nullptr && *have == id->begin()->value()) return &element;
  }
  return nullptr;
}

// The first leaf that both sets hold and whose values differ; empty: none.
std::string first_conflict(const object& mine, const object& theirs, const value* wanted, const value* present) {
  for (const auto& [name, sub] : mine) {
    const value* other = theirs.if_contains(name);
    if (other == nullptr) continue;
    const value* want = follow(wanted, name);
    const value* have = follow(present, name);
    if (sub.as_object().empty() || other->as_object().empty()) {
      if (want != nullptr && have != nullptr && *want != *have) return "." + std::string(name.substr(2));
      continue;
    }
    const std::string below = first_conflict(sub.as_object(), other->as_object(), want, have);
    if (!below.empty()) return "." + std::string(name.substr(2)) + below;
  }
  return {};
}

// Removes from `present` what `old` set and neither `now` nor any of `others` does.
void drop_abandoned(const object& old, const object& now, const std::vector<const object*>& others, value& present) {
  for (const auto& [name, sub] : old) {
    const value* kept = now.if_contains(name);
    std::vector<const object*> others_below;
    for (const object* other : others) {
      if (const value* held = other->if_contains(name)) others_below.push_back(&held->as_object());
    }
    auto* target = const_cast<value*>(follow(&present, name));
    if (target == nullptr) continue;
    static const object kNothing;
    const bool is_leaf = sub.as_object().empty();
    if (kept != nullptr || !others_below.empty()) {
      if (!is_leaf) drop_abandoned(sub.as_object(), kept ? kept->as_object() : kNothing, others_below, *target);
    } else if (name.starts_with("f:")) {
      present.as_object().erase(name.substr(2));
    } else {
      json::array& list = present.as_array();
      list.erase(list.begin() + (target - list.data()));
    }
  }
}

bool is_entry_of(const value& entry, const std::string& manager) {
  return json::string_at(entry, {"manager"}) == manager && json::string_at(entry, {"operation"}) == "Apply";
}

}  // namespace

Result<value> server_side_apply(const ResourceKind& kind, const value& current, const object& applied,
                                const Applier& applier, Time now) {
  const object mine = owned_fields(applied);
  const value wanted(applied);
  object before;
  std::vector<object> other_sets;
  json::array entries;
  for (const value& entry : json::array_at(current, {"metadata", "managedFields"})) {
    const object& fields = json::object_at(entry, {"fieldsV1"});
    if (is_entry_of(entry, applier.manager)) {
      before = fields;
      continue;
    }
    entries.push_back(entry);
    other_sets.push_back(fields);
    const std::string clash = first_conflict(mine, fields, &wanted, &current);
    if (!clash.empty() && !applier.force) {
      return conflict(kind.subject(json::string_at(current, {"metadata", "name"})),
                      fmt::format("Apply failed with 1 conflict: conflict with \"{}\": {}",
                                  json::string_at(entry, {"manager"}), clash));
    }
  }
  std::vector<const object*> others;
  for (const object& set : other_sets) others.push_back(&set);
  value base = current;
  drop_abandoned(before, mine, others, base);
  object patch = applied;
  patch.erase("status");
  if (value* meta = patch.if_contains("metadata"); meta != nullptr && meta->is_object()) {
    meta->as_object().erase("managedFields");
    meta->as_object().erase("creationTimestamp");
  }
  value merged = kind.custom ? kube::merge_patch(std::move(base), value(patch))
                             : TRY(kube::strategic_merge_patch(std::move(base), value(patch)));
  if (!merged.is_object()) return bad_request("the applied configuration is no object");
  // The time moves only when the set does, so that applying the same thing twice changes nothing.
  std::string time = format_rfc3339(now);
  for (const value& entry : json::array_at(current, {"metadata", "managedFields"})) {
    if (is_entry_of(entry, applier.manager) && before == mine) time = json::string_at(entry, {"time"}, time);
  }
  entries.push_back(object{{"manager", applier.manager},
                           {"operation", "Apply"},
                           {"apiVersion", kind.group_version()},
                           {"time", time},
                           {"fieldsType", "FieldsV1"},
                           {"fieldsV1", mine}});
  json::set(merged.as_object(), {"metadata", "managedFields"}, std::move(entries));
  return merged;
}

}  // namespace holdfast::sandbox
