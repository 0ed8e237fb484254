#include "sandbox/controllers/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kube/selector.h"

namespace holdfast::sandbox {

namespace {

// Members in order of their names, so that equal content has equal text.
json::value sorted(const json::value& v) {
  if (const json::array* list = v.if_array()) {
    json::array out;
    for (const json::value& element : *list) out.push_back(sorted(element));
    return out;
  }
  const json::object* fields = v.if_object();
  if (fields == nullptr) return v;
  std::vector<std::string> names;
  for (const auto& [name, member] : *fields) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  json::object out;
  for (const std::string& name : names) out[name] = sorted(fields->at(name));
  return out;
}

}  // namespace

kube::ResourceType resource_type(std::string group, std::string version, std::string plural, std::string kind,
                                 bool namespaced) {
  kube::ResourceType type;
  type.group = std::move(group);
  type.version = std::move(version);
  type.plural = std::move(plural);
  type.kind = std::move(kind);
  type.namespaced = namespaced;
  return type;
}

const kube::ResourceType& replica_sets() {
  static const kube::ResourceType type = resource_type("apps", "v1", "replicasets", "ReplicaSet");
  return type;
}
const kube::ResourceType& replication_controllers() {
  static const kube::ResourceType type = resource_type("", "v1", "replicationcontrollers", "ReplicationController");
  return type;
}
const kube::ResourceType& deployments() {
  static const kube::ResourceType type = resource_type("apps", "v1", "deployments", "Deployment");
  return type;
}

std::string name_of(const json::value& object) {
  return json::string_at(object, {"metadata", "name"});
}
std::string uid_of(const json::value& object) {
  return json::string_at(object, {"metadata", "uid"});
}
bool is_deleting(const json::value& object) {
  return json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

std::string controller_uid(const json::value& object) {
  for (const json::value& reference : json::array_at(object, {"metadata", "ownerReferences"})) {
    if (json::bool_at(reference, {"controller"})) return json::string_at(reference, {"uid"});
  }
  return {};
}

json::object controller_reference(const kube::ResourceType& type, const json::value& owner) {
  return {{"apiVersion", type.api_version()},
          {"kind", type.kind},
          {"name", name_of(owner)},
          {"uid", uid_of(owner)},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

bool is_ready(const json::value& pod) {
  for (const json::value& condition : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Ready") return json::string_at(condition, {"status"}) == "True";
  }
  return false;
}

bool is_active(const json::value& pod) {
  const std::string phase = json::string_at(pod, {"status", "phase"});
  return !is_deleting(pod) && phase != "Succeeded" && phase != "Failed";
}

bool selects(const json::value& owner, const json::value& object) {
  const json::value* selector = json::find(owner, {"spec", "selector"});
  if (selector == nullptr || !selector->is_object() || selector->as_object().empty()) return false;
  const json::object& fields = selector->as_object();
  const bool modern = fields.contains("matchLabels") || fields.contains("matchExpressions");
  const json::value whole = modern ? *selector : json::value(json::object{{"matchLabels", *selector}});
  const Result<kube::LabelSelector> parsed = kube::LabelSelector::from_object(whole);
  return parsed.ok() && parsed->matches_object(object);
}

void drop_if(json::array& list, const std::function<bool(const json::value&)>& matches) {
  json::array left;
  for (const json::value& element : list) {
    if (!matches(element)) left.push_back(element);
  }
  list = std::move(left);
}

json::object pod_of_template(const json::value& pod_template, const json::object& owner_reference,
                             const std::string& ns) {
  json::object meta;
  for (const char* part : {"labels", "annotations", "finalizers"}) {
    if (const json::value* found = json::find(pod_template, {"metadata", part})) meta[part] = *found;
  }
  meta["namespace"] = ns;
  meta["ownerReferences"] = json::array{owner_reference};
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", std::move(meta)},
          {"spec", json::object_at(pod_template, {"spec"})}};
}

std::string content_hash(const json::value& content) {
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : json::compact(sorted(content))) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  static constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (int i = 0; i < 10; ++i, hash /= kLetters.size()) text.push_back(kLetters[hash % kLetters.size()]);
  return text;
}

json::value bare_template(const json::value& pod_template) {
  json::value bare = pod_template;
  if (!bare.is_object()) return json::object{};
  for (const char* label :
       {"pod-template-hash", "deployment", "deploymentconfig", "openshift.io/deployment-config.name"}) {
    json::erase(bare.as_object(), {"metadata", "labels", label});
  }
  for (const char* annotation : {"openshift.io/deployment-config.latest-version", "openshift.io/deployment-config.name",
                                 "openshift.io/deployment.name"}) {
    json::erase(bare.as_object(), {"metadata", "annotations", annotation});
  }
  if (json::object_at(bare, {"metadata", "annotations"}).empty())
    json::erase(bare.as_object(), {"metadata", "annotations"});
  json::erase(bare.as_object(), {"metadata", "creationTimestamp"});
  return bare;
}

Result<Objects> list(kube::Api& api, const kube::ResourceType& type, const std::string& ns,
                     const std::stop_token& stop) {
  kube::ListPage page = TRY(kube::list_all(api, type, ns, {}, stop));
  return std::move(page.items);
}

Result<bool> still_lives(kube::Api& api, const kube::ResourceType& type, const json::value& object,
                         const std::stop_token& stop) {
  const Result<json::value> now =
      api.get(type, json::string_at(object, {"metadata", "namespace"}), name_of(object), stop);
  if (now.is(ErrorCode::not_found)) return false;
  if (!now.ok()) return now.error();
  return uid_of(*now) == uid_of(object) && !is_deleting(*now);
}

Result<Objects> owned(kube::Api& api, const kube::ResourceType& owner_type, const json::value& owner,
                      const kube::ResourceType& type, const Objects& candidates, const std::stop_token& stop) {
  Objects mine;
  std::optional<bool> may_adopt;
  for (const json::value& candidate : candidates) {
    const std::string controller = controller_uid(candidate);
    if (controller == uid_of(owner)) mine.push_back(candidate);
    if (!controller.empty() || is_deleting(candidate) || is_deleting(owner) || !selects(owner, candidate)) continue;
    if (!may_adopt) may_adopt = TRY(still_lives(api, owner_type, owner, stop));
    if (!*may_adopt) continue;
    json::array references = json::array_at(candidate, {"metadata", "ownerReferences"});
    references.push_back(controller_reference(owner_type, owner));
    const json::value patch = json::object{
        {"metadata", json::object{{"uid", uid_of(candidate)}, {"ownerReferences", std::move(references)}}}};
    Result<json::value> adopted = api.patch(type, json::string_at(candidate, {"metadata", "namespace"}),
                                            name_of(candidate), kube::PatchKind::merge, patch, {}, stop);
    if (adopted.is(ErrorCode::not_found)) continue;
    mine.push_back(TRY(std::move(adopted)));
  }
  return mine;
}

Status write_status(kube::Api& api, const kube::ResourceType& type, const json::value& object, json::object status,
                    const std::stop_token& stop) {
  json::object whole = json::object_at(object, {"status"});
  for (auto& [name, member] : status) whole[name] = std::move(member);
  if (whole == json::object_at(object, {"status"})) return {};
  json::value changed = object;
  changed.as_object()["status"] = std::move(whole);
  const Result<json::value> written =
      api.update(type, json::string_at(object, {"metadata", "namespace"}), changed, {.subresource = "status"}, stop);
  if (written.ok() || written.is(ErrorCode::not_found)) return {};
  return written.error();
}

Status remove_if_there(kube::Api& api, const kube::ResourceType& type, const json::value& object,
                       const kube::DeleteOptions& options, const std::stop_token& stop) {
  kube::DeleteOptions exact = options;
  exact.uid = uid_of(object);
  Status removed = api.remove(type, json::string_at(object, {"metadata", "namespace"}), name_of(object), exact, stop);
  if (removed.is(ErrorCode::not_found)) return {};
  return removed;
}

}  // namespace holdfast::sandbox
