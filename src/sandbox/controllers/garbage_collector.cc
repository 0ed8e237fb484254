// The garbage collector: deletes what has owners that are all gone, serves foreground and orphan deletion, and removes
// pods of nodes that no longer exist. Each pass looks at everything the server has.
#include <algorithm>
#include <set>

#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

constexpr Duration kPassEvery = std::chrono::seconds(2);

struct Entry {
  const kube::ResourceType* type;
  json::value object;
};

bool has_finalizer(const json::value& object, std::string_view name) {
  const std::vector<std::string> all = json::strings(json::array_at(object, {"metadata", "finalizers"}));
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool has_owner(const json::value& object, const std::string& uid) {
  const json::array& references = json::array_at(object, {"metadata", "ownerReferences"});
  return std::any_of(references.begin(), references.end(),
                     [&](const json::value& r) { return json::string_at(r, {"uid"}) == uid; });
}

Status patch_metadata(const ControllerFacts& facts, const Entry& entry, json::object metadata) {
  metadata["uid"] = uid_of(entry.object);
  const Result<json::value> done = facts.api.patch(
      *entry.type, json::string_at(entry.object, {"metadata", "namespace"}), name_of(entry.object),
      kube::PatchKind::merge, json::value(json::object{{"metadata", std::move(metadata)}}), {}, facts.stop);
  if (done.ok() || done.is(ErrorCode::not_found) || done.is(ErrorCode::conflict)) return {};
  return done.error();
}

Status drop_finalizer(const ControllerFacts& facts, const Entry& entry, std::string_view name) {
  std::vector<std::string> left = json::strings(json::array_at(entry.object, {"metadata", "finalizers"}));
  std::erase(left, name);
  return patch_metadata(facts, entry, {{"finalizers", json::from_strings(left)}});
}

Status finish_deletion(const ControllerFacts& facts, const Entry& owner, const std::vector<Entry>& all) {
  const std::string uid = uid_of(owner.object);
  const bool foreground = has_finalizer(owner.object, "foregroundDeletion");
  bool blocked = false;
  for (const Entry& entry : all) {
    if (!has_owner(entry.object, uid)) continue;
    if (foreground) {
      blocked = true;
      if (!is_deleting(entry.object)) {
        TRY(remove_if_there(facts.api, *entry.type, entry.object, {.propagation = "Foreground"}, facts.stop));
      }
      continue;
    }
    json::array references = json::array_at(entry.object, {"metadata", "ownerReferences"});
    drop_if(references, [&](const json::value& r) { return json::string_at(r, {"uid"}) == uid; });
    TRY(patch_metadata(facts, entry, {{"ownerReferences", std::move(references)}}));
  }
  return blocked ? Status() : drop_finalizer(facts, owner, foreground ? "foregroundDeletion" : "orphan");
}

// Asks the server itself before it believes that an owner is gone: it may be newer than the lists.
Result<bool> owner_is_gone(const ControllerFacts& facts, const std::vector<kube::ResourceType>& types,
                           const json::value& object, const json::value& reference) {
  for (const kube::ResourceType& type : types) {
    if (type.kind != json::string_at(reference, {"kind"}) ||
        type.api_version() != json::string_at(reference, {"apiVersion"})) {
      continue;
    }
    const std::string ns = type.namespaced ? json::string_at(object, {"metadata", "namespace"}) : std::string();
    const Result<json::value> owner = facts.api.get(type, ns, json::string_at(reference, {"name"}), facts.stop);
    if (owner.is(ErrorCode::not_found)) return true;
    if (!owner.ok()) return owner.error();
    return uid_of(*owner) != json::string_at(reference, {"uid"});
  }
  return false;  // an owner of a type that is not served may well exist
}

Status collect(const ControllerFacts& facts, const std::vector<kube::ResourceType>& types, const Entry& entry,
               const std::set<std::string>& uids) {
  const json::array& references = json::array_at(entry.object, {"metadata", "ownerReferences"});
  if (references.empty() || is_deleting(entry.object)) return {};
  for (const json::value& reference : references) {
    if (uids.contains(json::string_at(reference, {"uid"}))) return {};
    if (!TRY(owner_is_gone(facts, types, entry.object, reference))) return {};
  }
  return remove_if_there(facts.api, *entry.type, entry.object, {.propagation = "Background"}, facts.stop);
}

Status collect_lost_pod(const ControllerFacts& facts, const Entry& entry, const std::set<std::string>& nodes) {
  const std::string node = json::string_at(entry.object, {"spec", "nodeName"});
  if (node.empty() || nodes.contains(node)) return {};
  return remove_if_there(facts.api, *entry.type, entry.object, {.grace_seconds = 0}, facts.stop);
}

Result<kube::After> reconcile(const ControllerFacts& facts) {
  const std::vector<kube::ResourceType> types = TRY(facts.api.discover(facts.stop));
  std::vector<Entry> all;
  for (const kube::ResourceType& type : types) {
    if (!type.preferred || !type.can("list") || !type.can("delete")) continue;
    Result<Objects> objects = list(facts.api, type, "", facts.stop);
    if (objects.is(ErrorCode::not_found)) continue;  // its definition went meanwhile
    for (json::value& object : TRY(std::move(objects))) all.push_back({&type, std::move(object)});
  }
  std::set<std::string> uids;
  std::set<std::string> nodes;
  for (const Entry& entry : all) {
    uids.insert(uid_of(entry.object));
    if (entry.type->kind == "Node" && entry.type->group.empty()) nodes.insert(name_of(entry.object));
  }
  for (const Entry& entry : all) {
    const bool waits = has_finalizer(entry.object, "foregroundDeletion") || has_finalizer(entry.object, "orphan");
    if (is_deleting(entry.object) && waits) TRY(finish_deletion(facts, entry, all));
    TRY(collect(facts, types, entry, uids));
    if (entry.type->kind == "Pod" && entry.type->group.empty()) TRY(collect_lost_pod(facts, entry, nodes));
  }
  return kube::After::in(kPassEvery);
}

}  // namespace

ControllerSpec garbage_collector() {
  return {.name = "garbagecollector",
          .scope = ControllerSpec::Scope::cluster,
          .watches = {kube::types::namespaces(), kube::types::pods(), replica_sets(), replication_controllers(),
                      deployments()},
          .reconcile = reconcile};
}

}  // namespace holdfast::sandbox
