#include "kube/fake_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "kube/patch.h"
#include "kube/selector.h"

namespace holdfast::kube {

namespace {

Error not_found(const ResourceType& type, const std::string& name) {
  return {ErrorCode::not_found, fmt::format("{} \"{}\" not found", type.group_resource(), name)};
}

Error invalid(const ResourceType& type, const std::string& name, std::string_view why) {
  return {ErrorCode::invalid, fmt::format("{} \"{}\" is invalid: {}", type.group_resource(), name, why)};
}

Error changed(const ResourceType& type, const std::string& name, std::string_view why) {
  return {ErrorCode::conflict,
          fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", type.group_resource(), name, why)};
}

bool terminating(const json::value& object) {
  return json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

bool has_finalizers(const json::value& object) {
  return !json::array_at(object, {"metadata", "finalizers"}).empty();
}

/// Copies a member of metadata from the stored object, or removes it where that has none.
void keep_member(const json::value& stored, json::object& object, std::string_view member) {
  const json::value* kept = json::find(stored, {"metadata", member});
  if (kept == nullptr) {
    json::erase(object, {"metadata", member});
  } else {
    json::set(object, {"metadata", member}, *kept);
  }
}

json::object without_metadata_and_status(const json::value& object) {
  json::object rest = object.as_object();
  rest.erase("metadata");
  rest.erase("status");
  rest.erase("apiVersion");
  return rest;
}

void encode_string_data(json::object& secret) {
  const json::object plain = json::object_at(secret, {"stringData"});
  for (const auto& [key, value] : plain) {
    if (value.is_string()) json::set(secret, {"data", key}, to_base64(value.get_string()));
  }
  json::erase(secret, {"stringData"});
  if (json::find(secret, {"type"}) == nullptr) secret["type"] = "Opaque";
}

}  // namespace

std::string FakeObjects::applied_key(const Place& place) {
  return place.resource + "/" + place.key.first + "/" + place.key.second;
}

FakeObjects::FakeObjects(const Options& options) : options_(options), types_(fake_built_in_types()) {
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    const Result<json::value> made = create(types::namespaces(), "", json::object{{"metadata", {{"name", name}}}}, {});
    CHECK(made.ok());
  }
}

void FakeObjects::add_type(FakeType type) {
  std::erase_if(types_, [&](const FakeType& other) {
    return other.type.group_resource() == type.type.group_resource() && other.type.version == type.type.version;
  });
  types_.push_back(std::move(type));
}

std::vector<ResourceType> FakeObjects::types() const {
  std::vector<ResourceType> all;
  for (const FakeType& entry : types_) all.push_back(entry.type);
  return all;
}

Result<FakeType> FakeObjects::find_type(const ResourceType& type) const {
  for (const FakeType& entry : types_) {
    if (entry.type.group == type.group && entry.type.version == type.version && entry.type.plural == type.plural) {
      return entry;
    }
  }
  return Error(ErrorCode::not_found, fmt::format("the server could not find the requested resource ({}/{})",
                                                 type.api_version(), type.plural));
}

const FakeType& FakeObjects::type_at(const std::string& resource) const {
  const auto found = std::find_if(types_.begin(), types_.end(),
                                  [&](const FakeType& entry) { return entry.type.group_resource() == resource; });
  CHECK(found != types_.end());
  return *found;
}

Result<ResourceType> FakeObjects::type_of(const json::value& object) const {
  const std::string version = json::string_at(object, {"apiVersion"});
  const std::string kind = json::string_at(object, {"kind"});
  for (const FakeType& entry : types_) {
    if (entry.type.api_version() == version && entry.type.kind == kind) return entry.type;
  }
  return Error(ErrorCode::not_found, fmt::format("no matches for kind \"{}\" in version \"{}\"", kind, version));
}

json::value* FakeObjects::stored(const Place& place) {
  auto& objects = objects_[place.resource];
  const auto found = objects.find(place.key);
  return found == objects.end() ? nullptr : &found->second;
}

json::value FakeObjects::write(const FakeType& type, const Place& place, json::value object, WatchEvent::Kind kind) {
  ++version_;
  json::object& members = object.get_object();
  members["apiVersion"] = type.type.api_version();
  members["kind"] = type.type.kind;
  json::set(members, {"metadata", "resourceVersion"}, std::to_string(version_));
  json::value* present = stored(place);
  history_.push_back({version_, place.resource, kind, object, present == nullptr ? json::value() : *present});
  while (history_.size() > options_.history_max) {
    compacted_ = history_.front().version;
    history_.pop_front();
  }
  if (kind == WatchEvent::Kind::deleted) {
    objects_[place.resource].erase(place.key);
  } else {
    objects_[place.resource][place.key] = object;
  }
  return object;
}

void FakeObjects::compact() {
  history_.clear();
  compacted_ = version_;
}

void FakeObjects::erase(const Place& place) {
  json::value* present = stored(place);
  if (present == nullptr) return;
  const json::value last = *present;
  write(type_at(place.resource), place, last, WatchEvent::Kind::deleted);
  std::erase_if(applied_, [&](const auto& entry) { return entry.first.first == applied_key(place); });
  if (place.resource == types::custom_resource_definitions().group_resource()) forget_crd(last);
}

Result<json::value> FakeObjects::get(const ResourceType& type, const std::string& ns, const std::string& name) const {
  const FakeType known = TRY(find_type(type));
  const auto objects = objects_.find(type.group_resource());
  if (objects != objects_.end()) {
    const auto found = objects->second.find(Key(type.namespaced ? ns : "", name));
    if (found != objects->second.end()) {
      json::value object = found->second;
      object.get_object()["apiVersion"] = type.api_version();
      return object;
    }
  }
  return not_found(type, name);
}

std::vector<json::value> FakeObjects::all(const ResourceType& type, const std::string& ns) const {
  std::vector<json::value> out;
  const auto objects = objects_.find(type.group_resource());
  if (objects == objects_.end()) return out;
  for (const auto& [key, object] : objects->second) {
    if (!ns.empty() && type.namespaced && key.first != ns) continue;
    out.push_back(object);
    out.back().get_object()["apiVersion"] = type.api_version();
  }
  return out;
}

Status FakeObjects::check_namespace(const FakeType& type, const std::string& ns, Origin origin) {
  if (!type.type.namespaced) return {};
  if (ns.empty()) return Error(ErrorCode::invalid, "an empty namespace may not be set during creation");
  json::value* present = stored({"namespaces", {"", ns}});
  if (present == nullptr && origin == Origin::seed) {
    return create(types::namespaces(), "", json::object{{"metadata", {{"name", ns}}}}, {}).ok()
               ? Status()
               : Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be a namespace", ns));
  }
  if (present == nullptr) return not_found(types::namespaces(), ns);
  if (terminating(*present)) {
    return Error(ErrorCode::denied,
                 fmt::format("{} is forbidden: unable to create new content in namespace {} because it is being "
                             "terminated",
                             type.type.group_resource(), ns));
  }
  return {};
}

Status FakeObjects::check_identity(const FakeType& type, const std::string& ns, json::object& object) const {
  const std::string version = json::string_at(object, {"apiVersion"}, type.type.api_version());
  const std::string kind = json::string_at(object, {"kind"}, type.type.kind);
  if (version != type.type.api_version() || kind != type.type.kind) {
    return Error(ErrorCode::invalid, fmt::format("{} in version {} does not match the expected {} in {}", kind, version,
                                                 type.type.kind, type.type.api_version()));
  }
  if (!type.type.namespaced) {
    json::erase(object, {"metadata", "namespace"});
    return {};
  }
  if (json::string_at(object, {"metadata", "namespace"}, ns) != ns) {
    return Error(ErrorCode::invalid,
                 "the namespace of the provided object does not match the namespace of the request");
  }
  json::set(object, {"metadata", "namespace"}, ns);
  return {};
}

void FakeObjects::fill_new(const FakeType& type, json::object& object, Origin origin) {
  json::object& metadata = json::make_object(object, {"metadata"});
  for (const char* member : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"}) {
    metadata.stable_erase(member);
  }
  const bool keeps_uid = origin == Origin::seed && !json::string_at(metadata, {"uid"}).empty();
  if (!keeps_uid) metadata["uid"] = random_uuid();
  metadata["creationTimestamp"] = format_rfc3339(options_.clock->now());
  if (type.generation) metadata["generation"] = 1;
  if (type.status && origin == Origin::client) object.stable_erase("status");
  const std::string& plural = type.type.plural;
  if (!type.type.group.empty()) return;
  const bool phased = plural == "pods" || plural == "persistentvolumeclaims" || plural == "persistentvolumes";
  if (phased && json::find(object, {"status", "phase"}) == nullptr) json::set(object, {"status", "phase"}, "Pending");
  if (plural == "secrets") encode_string_data(object);
  if (plural == "namespaces") {
    json::set(object, {"metadata", "labels", "kubernetes.io/metadata.name"},
              json::string_at(object, {"metadata", "name"}));
    json::set(object, {"spec", "finalizers"}, json::array{"kubernetes"});
    json::set(object, {"status", "phase"}, "Active");
  }
}

Status FakeObjects::register_crd(const json::value& crd) {
  const std::string group = json::string_at(crd, {"spec", "group"});
  const std::string plural = json::string_at(crd, {"spec", "names", "plural"});
  const std::string name = json::string_at(crd, {"metadata", "name"});
  if (plural.empty() || name != plural + "." + group) {
    return invalid(types::custom_resource_definitions(), name,
                   "metadata.name: Invalid value: must be spec.names.plural+\".\"+spec.group");
  }
  bool first = true;
  for (const json::value& version : json::array_at(crd, {"spec", "versions"})) {
    if (!json::bool_at(version, {"served"})) continue;
    ResourceType type = types::velero("backups");  // for its verbs
    type.group = group;
    type.version = json::string_at(version, {"name"});
    type.plural = plural;
    type.kind = json::string_at(crd, {"spec", "names", "kind"});
    type.namespaced = json::string_at(crd, {"spec", "scope"}) != "Cluster";
    type.singular = json::string_at(crd, {"spec", "names", "singular"}, to_lower(type.kind));
    type.short_names = json::strings(json::array_at(crd, {"spec", "names", "shortNames"}));
    type.preferred = first;
    first = false;
    add_type({type, json::find(version, {"subresources", "status"}) != nullptr, true, true});
  }
  return {};
}

void FakeObjects::forget_crd(const json::value& crd) {
  const std::string resource = json::string_at(crd, {"metadata", "name"});
  const auto objects = objects_.find(resource);
  if (objects != objects_.end()) {
    std::vector<Key> keys;
    for (const auto& [key, object] : objects->second) keys.push_back(key);
    for (const Key& key : keys) erase({resource, key});
  }
  std::erase_if(types_, [&](const FakeType& entry) { return entry.type.group_resource() == resource; });
}

Result<json::value> FakeObjects::create(const ResourceType& type, const std::string& ns, json::value object,
                                        const WriteOptions& options, Origin origin) {
  const FakeType known = TRY(find_type(type));
  if (!object.is_object()) return Error(ErrorCode::invalid, "the body is not an object");
  json::object& members = object.get_object();
  TRY(check_identity(known, ns, members));
  std::string name = json::string_at(object, {"metadata", "name"});
  if (name.empty()) {
    const std::string prefix = json::string_at(object, {"metadata", "generateName"});
    if (prefix.empty()) return invalid(type, "", "metadata.name: Required value: name or generateName is required");
    name = prefix + random_name_suffix();
    json::set(members, {"metadata", "name"}, name);
  }
  const bool path_name = type.group == "rbac.authorization.k8s.io";  // these may hold ':' and capitals
  if (!is_dns_subdomain(name) && !(path_name && name.find_first_of("/%") == std::string::npos)) {
    return invalid(type, name, fmt::format("metadata.name: Invalid value: \"{}\"", name));
  }
  if (!json::string_at(object, {"metadata", "resourceVersion"}).empty() && origin == Origin::client) {
    return Error(ErrorCode::invalid, "resourceVersion should not be set on objects to be created");
  }
  TRY(check_namespace(known, ns, origin));
  const Place place{type.group_resource(), {type.namespaced ? ns : "", name}};
  if (stored(place) != nullptr) {
    return Error(ErrorCode::exists, fmt::format("{} \"{}\" already exists", type.group_resource(), name));
  }
  fill_new(known, members, origin);
  if (options.dry_run) return object;
  if (place.resource == types::custom_resource_definitions().group_resource()) {
    TRY(register_crd(object));
    json::set(members, {"status", "acceptedNames"}, json::object_at(members, {"spec", "names"}));
    json::set(members, {"status", "conditions"},
              json::array{json::object{{"type", "NamesAccepted"}, {"status", "True"}},
                          json::object{{"type", "Established"}, {"status", "True"}}});
  }
  return write(known, place, std::move(object), WatchEvent::Kind::added);
}

Result<json::value> FakeObjects::replace(const FakeType& type, const Place& place, json::value object,
                                         const WriteOptions& options) {
  const json::value* present = stored(place);
  const std::string& name = place.key.second;
  if (present == nullptr) return not_found(type.type, name);
  const json::value old = *present;
  json::object& members = object.get_object();
  const std::string uid = json::string_at(object, {"metadata", "uid"});
  if (!uid.empty() && uid != json::string_at(old, {"metadata", "uid"})) {
    return changed(type.type, name, fmt::format("Precondition failed: UID in precondition: {}", uid));
  }
  const std::string version = json::string_at(object, {"metadata", "resourceVersion"});
  if (version.empty() && (type.custom || place.resource == types::leases().group_resource())) {
    return invalid(type.type, name, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update");
  }
  if (!version.empty() && version != json::string_at(old, {"metadata", "resourceVersion"})) {
    return changed(type.type, name,
                   "the object has been modified; please apply your changes to the latest version and try again");
  }
  if (options.subresource == "status") {
    if (!type.status) return not_found(type.type, name + "/status");
    const json::value* status = json::find(object, {"status"});
    json::value next = old;
    if (status != nullptr) next.get_object()["status"] = *status;
    object = std::move(next);
  } else if (!options.subresource.empty()) {
    return not_found(type.type, name + "/" + options.subresource);
  } else if (type.status) {
    const json::value* status = json::find(old, {"status"});
    members.stable_erase("status");
    if (status != nullptr) members["status"] = *status;
  }
  for (const char* member : {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "generateName",
                             "deletionGracePeriodSeconds", "generation", "resourceVersion"}) {
    keep_member(old, object.get_object(), member);
  }
  if (place.resource == "secrets") encode_string_data(object.get_object());
  object.get_object()["apiVersion"] = json::string_at(old, {"apiVersion"});
  object.get_object()["kind"] = type.type.kind;
  if (terminating(old)) {
    const json::array& before = json::array_at(old, {"metadata", "finalizers"});
    for (const json::value& finalizer : json::array_at(object, {"metadata", "finalizers"})) {
      if (std::find(before.begin(), before.end(), finalizer) == before.end()) {
        return invalid(type.type, name,
                       "metadata.finalizers: Forbidden: no new finalizers can be added if the object "
                       "is being deleted");
      }
    }
  }
  if (object == old || options.dry_run) return object;
  if (type.generation && without_metadata_and_status(object) != without_metadata_and_status(old)) {
    json::set(object.get_object(), {"metadata", "generation"}, json::int_at(old, {"metadata", "generation"}) + 1);
  }
  if (place.resource == types::custom_resource_definitions().group_resource()) TRY(register_crd(object));
  json::value written = write(type, place, std::move(object), WatchEvent::Kind::modified);
  const bool waits = place.resource == "namespaces" || (place.resource == "pods" && options_.graceful_pods);
  if (terminating(written) && !has_finalizers(written) && !waits) erase(place);
  return written;
}

Result<json::value> FakeObjects::update(const ResourceType& type, const std::string& ns, json::value object,
                                        const WriteOptions& options) {
  const FakeType known = TRY(find_type(type));
  if (!object.is_object()) return Error(ErrorCode::invalid, "the body is not an object");
  const Place place{type.group_resource(), {type.namespaced ? ns : "", json::string_at(object, {"metadata", "name"})}};
  if (options.subresource == "scale") return scale(known, place, object, options);
  TRY(check_identity(known, ns, object.get_object()));
  return replace(known, place, std::move(object), options);
}

Result<json::value> FakeObjects::scale(const FakeType& type, const Place& place, const json::value& scale_object,
                                       const WriteOptions& options) {
  json::value* present = stored(place);
  if (present == nullptr) return not_found(type.type, place.key.second);
  json::value next = *present;
  const int64_t replicas = json::int_at(scale_object, {"spec", "replicas"}, -1);
  if (replicas < 0) return invalid(type.type, place.key.second, "spec.replicas: must be 0 or more");
  json::set(next.get_object(), {"spec", "replicas"}, replicas);
  WriteOptions whole = options;
  whole.subresource.clear();
  const json::value written = TRY(replace(type, place, std::move(next), whole));
  return json::value{{"apiVersion", "autoscaling/v1"},
                     {"kind", "Scale"},
                     {"metadata", {{"name", place.key.second}, {"namespace", place.key.first}}},
                     {"spec", {{"replicas", replicas}}},
                     {"status", {{"replicas", json::int_at(written, {"status", "replicas"})}}}};
}

Result<json::value> FakeObjects::patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                       PatchKind kind, const json::value& body, const WriteOptions& options) {
  const FakeType known = TRY(find_type(type));
  if (kind == PatchKind::apply) return apply(known, ns, name, body, options);
  const Place place{type.group_resource(), {type.namespaced ? ns : "", name}};
  json::value current = TRY(get(type, ns, name));
  if (options.subresource == "scale") {
    current = json::object{{"spec", {{"replicas", json::int_at(current, {"spec", "replicas"})}}}};
  }
  json::value next;
  if (kind == PatchKind::merge) {
    if (!body.is_object()) return Error(ErrorCode::invalid, "a merge patch of an object is an object");
    next = merge_patch(std::move(current), body);
  } else if (kind == PatchKind::json) {
    next = TRY(json_patch(std::move(current), body));
    if (!next.is_object()) return Error(ErrorCode::invalid, "the patch leaves no object");
  } else {
    if (known.custom) {
      return Error(ErrorCode::unsupported,
                   "the body of the request was in an unknown format: strategic merge patch is "
                   "not served for custom resources");
    }
    next = TRY(strategic_merge_patch(std::move(current), body));
  }
  if (options.subresource == "scale") return scale(known, place, next, options);
  if (json::string_at(next, {"metadata", "name"}) != name) {
    return invalid(type, name, "metadata.name: Invalid value: field is immutable");
  }
  TRY(check_identity(known, ns, next.get_object()));
  return replace(known, place, std::move(next), options);
}

}  // namespace holdfast::kube
