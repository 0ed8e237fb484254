// Deletion and apply of FakeObjects: finalizers, propagation, garbage collection, and a small server-side apply.
#include <fmt/format.h>

#include <algorithm>

#include "kube/fake_objects.h"
#include "kube/patch.h"

namespace holdfast::kube {

namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

bool has_finalizer(const json::value& object, std::string_view wanted) {
  const json::array& finalizers = json::array_at(object, {"metadata", "finalizers"});
  return std::any_of(finalizers.begin(), finalizers.end(),
                     [&](const json::value& f) { return f.is_string() && f.get_string() == wanted; });
}

void add_finalizer(json::object& object, std::string_view name) {
  json::array finalizers = json::array_at(object, {"metadata", "finalizers"});
  finalizers.emplace_back(name);
  json::set(object, {"metadata", "finalizers"}, std::move(finalizers));
}

void drop_finalizer(json::object& object, std::string_view name) {
  json::array kept;
  for (const json::value& finalizer : json::array_at(object, {"metadata", "finalizers"})) {
    if (!finalizer.is_string() || finalizer.get_string() != name) kept.push_back(finalizer);
  }
  if (kept.empty()) {
    json::erase(object, {"metadata", "finalizers"});
  } else {
    json::set(object, {"metadata", "finalizers"}, std::move(kept));
  }
}

/// What a manager applied before and leaves out now, as a merge patch that removes it. Lists count as one value.
json::object removals(const json::object& before, const json::object& now) {
  json::object patch;
  for (const auto& [key, old_member] : before) {
    const json::value* member = now.if_contains(key);
    if (member == nullptr) {
      patch[key] = nullptr;
    } else if (old_member.is_object() && member->is_object()) {
      json::object inner = removals(old_member.get_object(), member->get_object());
      if (!inner.empty()) patch[key] = std::move(inner);
    }
  }
  return patch;
}

/// The first field, as a dotted path, that both configurations set to different values; empty where there is none.
std::string first_conflict(const json::object& mine, const json::object& theirs, const std::string& prefix) {
  for (const auto& [key, member] : mine) {
    const json::value* other = theirs.if_contains(key);
    if (other == nullptr || *other == member) continue;
    const std::string path = prefix + "." + std::string(key);
    if (!other->is_object() || !member.is_object()) return path;
    std::string inner = first_conflict(member.get_object(), other->get_object(), path);
    if (!inner.empty()) return inner;
  }
  return {};
}

/// Drops from a manager's configuration what another one has set to other values by force.
void relinquish(json::object& theirs, const json::object& mine) {
  for (const auto& [key, member] : mine) {
    json::value* other = theirs.if_contains(key);
    if (other == nullptr || *other == member) continue;
    if (other->is_object() && member.is_object()) {
      relinquish(other->get_object(), member.get_object());
    } else {
      theirs.stable_erase(key);
    }
  }
}

}  // namespace

Status FakeObjects::remove(const ResourceType& type, const std::string& ns, const std::string& name,
                           const DeleteOptions& options) {
  const FakeType known = TRY(find_type(type));
  const Place place{type.group_resource(), {type.namespaced ? ns : "", name}};
  json::value object = TRY(get(type, ns, name));
  if (!options.uid.empty() && options.uid != json::string_at(object, {"metadata", "uid"})) {
    return Error(ErrorCode::conflict,
                 fmt::format("Operation cannot be fulfilled on {} \"{}\": the UID in the precondition ({}) does not "
                             "match the UID in record",
                             type.group_resource(), name, options.uid));
  }
  json::object& members = object.get_object();
  if (options.propagation == "Orphan" && !has_finalizer(object, kOrphan)) add_finalizer(members, kOrphan);
  if (options.propagation == "Foreground" && !has_finalizer(object, kForeground)) add_finalizer(members, kForeground);
  const bool is_namespace = place.resource == "namespaces";
  const bool graceful = options_.graceful_pods && place.resource == "pods" && options.grace_seconds != 0 &&
                        !json::string_at(object, {"spec", "nodeName"}).empty();
  const bool waits = is_namespace || graceful || !json::array_at(object, {"metadata", "finalizers"}).empty();
  if (!waits) {
    erase(place);
    return {};
  }
  const bool marked = json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
  if (marked && object == *stored(place)) return {};
  if (!marked) {
    const int64_t grace =
        graceful ? options.grace_seconds.value_or(json::int_at(object, {"spec", "terminationGracePeriodSeconds"}, 30))
                 : 0;
    const Time due = options_.clock->now() + std::chrono::seconds(grace);
    json::set(members, {"metadata", "deletionTimestamp"}, format_rfc3339(due));
    if (!is_namespace) json::set(members, {"metadata", "deletionGracePeriodSeconds"}, grace);
    if (known.generation) {
      json::set(members, {"metadata", "generation"}, json::int_at(members, {"metadata", "generation"}) + 1);
    }
    if (is_namespace) json::set(members, {"status", "phase"}, "Terminating");
  }
  write(known, place, std::move(object), WatchEvent::Kind::modified);
  return {};
}

std::vector<FakeObjects::Place> FakeObjects::places() const {
  std::vector<Place> all;
  for (const auto& [resource, objects] : objects_) {
    for (const auto& [key, object] : objects) all.push_back({resource, key});
  }
  return all;
}

bool FakeObjects::owner_exists(const std::string& uid) const {
  for (const auto& [resource, objects] : objects_) {
    for (const auto& [key, object] : objects) {
      if (json::string_at(object, {"metadata", "uid"}) == uid) return true;
    }
  }
  return false;
}

std::vector<FakeObjects::Place> FakeObjects::dependents(const std::string& uid) const {
  std::vector<Place> found;
  for (const auto& [resource, objects] : objects_) {
    for (const auto& [key, object] : objects) {
      const json::array& owners = json::array_at(object, {"metadata", "ownerReferences"});
      if (std::any_of(owners.begin(), owners.end(),
                      [&](const json::value& owner) { return json::string_at(owner, {"uid"}) == uid; })) {
        found.push_back({resource, key});
      }
    }
  }
  return found;
}

bool FakeObjects::collect_object(const FakeType& type, const Place& place) {
  json::value object = *stored(place);
  const bool marked = json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
  const std::string uid = json::string_at(object, {"metadata", "uid"});
  const auto release = [&](std::string_view finalizer) {
    drop_finalizer(object.get_object(), finalizer);
    const Result<json::value> written = replace(type, place, object, {});
    CHECK(written.ok());
    return true;
  };
  if (marked && has_finalizer(object, kOrphan)) {
    for (const Place& dependent : dependents(uid)) {
      json::value child = *stored(dependent);
      json::array kept;
      for (const json::value& owner : json::array_at(child, {"metadata", "ownerReferences"})) {
        if (json::string_at(owner, {"uid"}) != uid) kept.push_back(owner);
      }
      json::set(child.get_object(), {"metadata", "ownerReferences"}, std::move(kept));
      write(type_at(dependent.resource), dependent, std::move(child), WatchEvent::Kind::modified);
    }
    return release(kOrphan);
  }
  if (marked && has_finalizer(object, kForeground)) {
    const std::vector<Place> children = dependents(uid);
    if (children.empty()) return release(kForeground);
    const uint64_t before = version_;
    for (const Place& child : children) {
      const Status removed = remove(type_at(child.resource).type, child.key.first, child.key.second, {});
      CHECK(removed.ok());
    }
    return version_ != before;
  }
  const json::array& owners = json::array_at(object, {"metadata", "ownerReferences"});
  const bool orphaned = !owners.empty() && std::none_of(owners.begin(), owners.end(), [&](const json::value& owner) {
    return owner_exists(json::string_at(owner, {"uid"}));
  });
  if (!orphaned || marked) return false;
  const Status removed = remove(type.type, place.key.first, place.key.second, {.propagation = "Background"});
  CHECK(removed.ok());
  return true;
}

bool FakeObjects::collect_namespace(const Place& place) {
  const json::value* object = stored(place);
  if (json::find(*object, {"metadata", "deletionTimestamp"}) == nullptr) return false;
  const uint64_t before = version_;
  bool empty = true;
  for (const Place& inside : places()) {
    if (inside.key.first != place.key.second || stored(inside) == nullptr) continue;
    const Status removed = remove(type_at(inside.resource).type, inside.key.first, inside.key.second, {});
    CHECK(removed.ok());
    if (stored(inside) != nullptr) empty = false;
  }
  const bool held = !json::array_at(*stored(place), {"metadata", "finalizers"}).empty();
  if (empty && !held) erase(place);
  return version_ != before;
}

void FakeObjects::collect_garbage() {
  for (bool again = true; again;) {
    again = false;
    for (const Place& place : places()) {
      if (stored(place) == nullptr) continue;
      if (place.resource == "namespaces" && collect_namespace(place)) again = true;
      if (stored(place) != nullptr && collect_object(type_at(place.resource), place)) again = true;
    }
  }
}

Result<json::value> FakeObjects::apply(const FakeType& type, const std::string& ns, const std::string& name,
                                       const json::value& body, const WriteOptions& options) {
  if (!body.is_object()) return Error(ErrorCode::invalid, "the body is not an object");
  if (options.field_manager.empty()) return Error(ErrorCode::invalid, "fieldManager: is required for apply patch");
  const Place place{type.type.group_resource(), {type.type.namespaced ? ns : "", name}};
  const std::string key = applied_key(place);
  json::object wanted = body.get_object();
  json::set(wanted, {"metadata", "name"}, name);
  if (type.type.namespaced) json::set(wanted, {"metadata", "namespace"}, ns);
  Result<json::value> written = Error(ErrorCode::internal, "not applied");
  if (stored(place) == nullptr) {
    written = create(type.type, ns, wanted, options);
  } else {
    for (auto& [owner, config] : applied_) {
      if (owner.first != key || owner.second == options.field_manager) continue;
      const std::string field = first_conflict(wanted, config.get_object(), "");
      if (!field.empty() && !options.force) {
        return Error(ErrorCode::conflict,
                     fmt::format("Apply failed with 1 conflict: conflict with \"{}\": {}", owner.second, field));
      }
      if (!options.dry_run) relinquish(config.get_object(), wanted);
    }
    json::value next = *stored(place);
    const auto before = applied_.find({key, options.field_manager});
    if (before != applied_.end()) {
      next = merge_patch(std::move(next), removals(before->second.get_object(), wanted));
    }
    next = type.custom ? merge_patch(std::move(next), wanted) : TRY(strategic_merge_patch(std::move(next), wanted));
    TRY(check_identity(type, ns, next.get_object()));
    written = replace(type, place, std::move(next), options);
  }
  if (written.ok() && !options.dry_run) applied_[{key, options.field_manager}] = wanted;
  return written;
}

}  // namespace holdfast::kube
