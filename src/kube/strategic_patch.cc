// Strategic merge patch. The API server reads merge keys from tags in its own types; we have JSON only, so the key is
// told from the name of the list. Names are unique enough for that: only "ports" means two things (a container's and a
// service's), which its elements tell apart. A list that is not in the table is replaced whole, as the server does.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kube/patch.h"

namespace holdfast::kube {

namespace {

struct ListKey {
  std::string_view list;
  std::string_view key;
};
constexpr std::array kListKeys{
    ListKey{"containers", "name"},
    ListKey{"initContainers", "name"},
    ListKey{"ephemeralContainers", "name"},
    ListKey{"volumes", "name"},
    ListKey{"env", "name"},
    ListKey{"volumeMounts", "mountPath"},
    ListKey{"volumeDevices", "devicePath"},
    ListKey{"imagePullSecrets", "name"},
    ListKey{"hostAliases", "ip"},
    ListKey{"conditions", "type"},
    ListKey{"ownerReferences", "uid"},
    ListKey{"secrets", "name"},
    ListKey{"addresses", "type"},
    ListKey{"podIPs", "ip"},
    ListKey{"topologySpreadConstraints", "topologyKey"},
    ListKey{"resourceClaims", "name"},
};
/// Lists of plain values that are merged as sets.
constexpr std::array<std::string_view, 2> kSets{"finalizers", "podCIDRs"};

constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";
constexpr int kDepthMax = 64;

Status merge_object(json::object& target, const json::object& patch, int depth);

const json::value* element_key(const json::value& element, std::string_view key) {
  const json::object* members = element.if_object();
  return members == nullptr ? nullptr : members->if_contains(key);
}

json::value* find_element(json::array& list, std::string_view key, const json::value& wanted) {
  for (json::value& element : list) {
    const json::value* have = element_key(element, key);
    if (have != nullptr && *have == wanted) return &element;
  }
  return nullptr;
}

/// A value of the patch that enters the target as new: directives in it have nothing to act on and are dropped.
Result<json::value> without_directives(const json::value& v, int depth) {
  if (const json::object* members = v.if_object()) {
    json::object plain;
    TRY(merge_object(plain, *members, depth + 1));
    return json::value(std::move(plain));
  }
  return v;
}

Status merge_keyed_list(json::array& target, const json::array& patch, std::string_view key, int depth) {
  const bool replaces = std::any_of(patch.begin(), patch.end(), [&](const json::value& element) {
    return json::string_at(element, {"$patch"}) == "replace";
  });
  if (replaces) target.clear();
  for (const json::value& element : patch) {
    const std::string directive = json::string_at(element, {"$patch"});
    if (directive == "replace" && element.as_object().size() == 1) continue;
    const json::value* wanted = element_key(element, key);
    if (wanted == nullptr) {
      return Error(ErrorCode::invalid, fmt::format("a list element lacks its merge key \"{}\"", key));
    }
    json::value* present = find_element(target, key, *wanted);
    if (directive == "delete") {
      if (present != nullptr) target.erase(target.begin() + (present - target.data()));
    } else if (present == nullptr) {
      target.push_back(TRY(without_directives(element, depth)));
    } else if (present->is_object()) {
      TRY(merge_object(present->get_object(), element.get_object(), depth + 1));
    }
  }
  return {};
}

/// Puts the elements named in `order` in that order; the others keep their place behind the one they followed.
void reorder(json::array& list, const json::array& order, std::string_view key) {
  const auto rank = [&](const json::value& element) -> size_t {
    for (size_t i = 0; i < order.size(); ++i) {
      const json::value* want = key.empty() ? &order[i] : element_key(order[i], key);
      const json::value* have = key.empty() ? &element : element_key(element, key);
      if (want != nullptr && have != nullptr && *want == *have) return i + 1;
    }
    return 0;
  };
  std::vector<std::pair<size_t, json::value>> ranked;
  size_t last = 0;
  for (json::value& element : list) {
    const size_t place = rank(element);
    if (place != 0) last = place;
    ranked.emplace_back(place != 0 ? place : last, std::move(element));
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < ranked.size(); ++i) list[i] = std::move(ranked[i].second);
}

Status merge_list(json::value& target, std::string_view name, const json::array& patch, int depth) {
  json::array& list = target.is_array() ? target.get_array() : target.emplace_array();
  json::array both = list;
  both.insert(both.end(), patch.begin(), patch.end());
  const std::string_view key = merge_key(name, both);
  if (!key.empty()) return merge_keyed_list(list, patch, key, depth);
  if (std::find(kSets.begin(), kSets.end(), name) != kSets.end()) {
    for (const json::value& element : patch) {
      if (std::find(list.begin(), list.end(), element) == list.end()) list.push_back(element);
    }
    return {};
  }
  list = patch;
  return {};
}

Status apply_list_directive(json::object& target, std::string_view key, const json::value& value) {
  if (!value.is_array()) return Error(ErrorCode::invalid, fmt::format("{} is not a list", key));
  const bool ordering = key.starts_with(kOrder);
  const std::string_view name = key.substr(ordering ? kOrder.size() : kDeletePrimitive.size());
  json::value* member = target.if_contains(name);
  if (member == nullptr || !member->is_array()) return {};
  json::array& list = member->get_array();
  if (ordering) {
    reorder(list, value.get_array(), merge_key(name, list));
    return {};
  }
  for (const json::value& gone : value.get_array()) {
    const auto found = std::find(list.begin(), list.end(), gone);
    if (found != list.end()) list.erase(found);
  }
  return {};
}

void retain_keys(json::object& target, const json::array& keys) {
  for (auto member = target.begin(); member != target.end();) {
    const bool kept = std::any_of(keys.begin(), keys.end(), [&](const json::value& key) {
      return key.is_string() && key.get_string() == member->key();
    });
    member = kept ? member + 1 : target.stable_erase(member);
  }
}

Status merge_member(json::object& target, std::string_view key, const json::value& change, int depth) {
  if (change.is_null()) {
    target.stable_erase(key);
    return {};
  }
  if (const json::object* members = change.if_object()) {
    if (json::string_at(change, {"$patch"}) == "delete") {
      target.stable_erase(key);
      return {};
    }
    json::value& member = target[key];
    if (!member.is_object()) member.emplace_object();
    return merge_object(member.get_object(), *members, depth + 1).in(key);
  }
  if (const json::array* list = change.if_array()) {
    return merge_list(target[key], key, *list, depth + 1).in(key);
  }
  target[key] = change;
  return {};
}

Status merge_object(json::object& target, const json::object& patch, int depth) {
  if (depth > kDepthMax) return Error(ErrorCode::invalid, "the patch is nested too deeply");
  if (const json::value* directive = patch.if_contains("$patch")) {
    const std::string what = directive->is_string() ? std::string(directive->get_string()) : json::compact(*directive);
    if (what == "replace" || what == "delete") target.clear();
    if (what == "delete") return {};
    if (what != "replace" && what != "merge") {
      return Error(ErrorCode::invalid, fmt::format("unknown directive $patch: {}", what));
    }
  }
  if (const json::value* keys = patch.if_contains("$retainKeys")) {
    if (!keys->is_array()) return Error(ErrorCode::invalid, "$retainKeys is not a list");
    retain_keys(target, keys->get_array());
  }
  for (const auto& [key, change] : patch) {
    if (!key.starts_with("$")) TRY(merge_member(target, key, change, depth));
  }
  for (const auto& [key, change] : patch) {
    const std::string_view name = key;
    if (name.starts_with(kOrder) || name.starts_with(kDeletePrimitive)) {
      TRY(apply_list_directive(target, name, change));
    }
  }
  return {};
}

}  // namespace

std::string_view merge_key(std::string_view list, const json::array& elements) {
  if (!std::all_of(elements.begin(), elements.end(), [](const json::value& e) { return e.is_object(); })) return {};
  if (list == "ports") {
    for (const json::value& element : elements) {
      if (element_key(element, "containerPort") != nullptr) return "containerPort";
    }
    return "port";
  }
  for (const ListKey& entry : kListKeys) {
    if (entry.list == list) return entry.key;
  }
  return {};
}

Result<json::value> strategic_merge_patch(json::value target, const json::value& patch) {
  if (!patch.is_object()) return Error(ErrorCode::invalid, "a strategic merge patch is an object");
  if (!target.is_object()) target.emplace_object();
  TRY(merge_object(target.get_object(), patch.get_object(), 0));
  return target;
}

}  // namespace holdfast::kube
