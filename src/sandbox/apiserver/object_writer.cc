#include "sandbox/apiserver/object_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "kube/selector.h"
#include "sandbox/apiserver/custom_schema.h"
#include "sandbox/apiserver/defaults.h"
#include "sandbox/apiserver/refusal.h"

namespace holdfast::sandbox {

namespace {

constexpr int kRaceAttempts = 50;
const char kChanged[] = "the object has been modified; please apply your changes to the latest version and try again";

bool is_deleting(const json::value& object) {
  return json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

bool has_finalizers(const json::value& object) {
  return !json::array_at(object, {"metadata", "finalizers"}).empty() ||
         (json::string_at(object, {"kind"}) == "Namespace" && !json::array_at(object, {"spec", "finalizers"}).empty());
}

// A pod on a node waits for its node even without finalizers.
bool waits_for_node(const json::value& object) {
  return json::string_at(object, {"kind"}) == "Pod" &&
         json::int_at(object, {"metadata", "deletionGracePeriodSeconds"}) > 0;
}

// Type and place in the object must be those of the request.
Status check_place(const Target& target, json::object& object) {
  const ResourceKind& kind = *target.kind;
  const std::string api_version = json::string_at(object, {"apiVersion"}, kind.group_version());
  const std::string kind_name = json::string_at(object, {"kind"}, kind.kind);
  if (api_version != kind.group_version() || kind_name != kind.kind) {
    return bad_request(fmt::format("{} in version \"{}\" cannot be handled as a {} of {}", kind_name, api_version,
                                   kind.kind, kind.group_version()));
  }
  json::object& meta = json::make_object(object, {"metadata"});
  const std::string ns = json::string_at(meta, {"namespace"});
  if (kind.namespaced) {
    if (!ns.empty() && ns != target.ns) {
      return bad_request(fmt::format(
          "the namespace of the provided object does not match the namespace sent on the request ({} and {})", ns,
          target.ns));
    }
    meta["namespace"] = target.ns;
  } else {
    meta.erase("namespace");
  }
  // The canonical order: type, metadata, then the rest.
  json::object ordered{{"apiVersion", kind.group_version()}, {"kind", kind.kind}, {"metadata", std::move(meta)}};
  for (auto& [name, value] : object) {
    if (!ordered.contains(name)) ordered[name] = std::move(value);
  }
  object = std::move(ordered);
  return {};
}

Status check_metadata(const ResourceKind& kind, const json::object& object) {
  const std::string name = json::string_at(object, {"metadata", "name"});
  const bool free_form = kind.group == "rbac.authorization.k8s.io";  // "system:node" is a good name there
  if (free_form ? name.empty() || name.find('/') != std::string::npos : !kube::is_dns_subdomain(name)) {
    return invalid(kind.kind, name,
                   fmt::format("metadata.name: Invalid value: \"{}\": a lowercase RFC 1123 subdomain "
                               "must consist of lower case alphanumeric characters, '-' or '.'",
                               name));
  }
  for (const auto& [key, value] : json::object_at(object, {"metadata", "labels"})) {
    if (!kube::is_label_key(key) || !value.is_string() || !kube::is_label_value(std::string_view(value.as_string()))) {
      return invalid(kind.kind, name, fmt::format("metadata.labels: Invalid value: \"{}\"", std::string_view(key)));
    }
  }
  return {};
}

bool runs_pods(const ResourceKind& kind) {
  return kind.group == "apps" || kind.group == "batch" || kind.kind == "ReplicationController";
}

// The few required fields whose absence would only show up far away.
Status check_content(const ResourceKind& kind, const json::object& object) {
  if (kind.custom) return check_custom(kind, object);
  const std::string name = json::string_at(object, {"metadata", "name"});
  if (kind.kind == "Pod") {
    const json::array& containers = json::array_at(object, {"spec", "containers"});
    if (containers.empty()) return invalid(kind.kind, name, "spec.containers: Required value");
    for (const json::value& container : containers) {
      if (json::string_at(container, {"name"}).empty()) {
        return invalid(kind.kind, name, "spec.containers[0].name: Required value");
      }
    }
  }
  if (kind.group == "apps" && kind.kind != "ControllerRevision") {
    const Result<kube::LabelSelector> selector = kube::LabelSelector::from_object(
        json::find(object, {"spec", "selector"}) == nullptr ? json::value(nullptr) : object.at("spec").at("selector"));
    if (!selector.ok() || selector->empty()) return invalid(kind.kind, name, "spec.selector: Required value");
    if (!selector->matches(json::object_at(object, {"spec", "template", "metadata", "labels"}))) {
      return invalid(kind.kind, name,
                     "spec.template.metadata.labels: Invalid value: `selector` does not match template "
                     "`labels`");
    }
  }
  if (runs_pods(kind) && json::int_at(object, {"spec", "replicas"}) < 0) {
    return invalid(kind.kind, name, "spec.replicas: Invalid value: must be greater than or equal to 0");
  }
  if (kind.kind == "CustomResourceDefinition") {
    const std::string expected =
        json::string_at(object, {"spec", "names", "plural"}) + "." + json::string_at(object, {"spec", "group"});
    if (name != expected || kinds_of_definition(object).empty()) {
      return invalid(kind.kind, name,
                     "metadata.name: Invalid value: must be spec.names.plural+\".\"+spec.group, with a "
                     "served version");
    }
  }
  return {};
}

// Selectors of running controllers must not change under their pods.
Status check_immutable(const ResourceKind& kind, const json::value& before, const json::object& after) {
  const std::string name = json::string_at(before, {"metadata", "name"});
  const auto changed = [&](json::Path path) {
    const json::value* old = json::find(before, path);
    const json::value* now = json::find(after, path);
    return (old == nullptr) != (now == nullptr) || (old != nullptr && *old != *now);
  };
  if (kind.group == "apps" && changed({"spec", "selector"})) {
    return invalid(kind.kind, name, "spec.selector: field is immutable");
  }
  if (kind.kind == "Secret" && changed({"type"})) return invalid(kind.kind, name, "type: field is immutable");
  if (kind.kind == "PersistentVolumeClaim" && changed({"spec", "storageClassName"}) &&
      json::find(before, {"spec", "storageClassName"}) != nullptr) {
    return invalid(kind.kind, name, "spec: Forbidden: spec is immutable after creation except resources.requests");
  }
  if ((kind.kind == "ConfigMap" || kind.kind == "Secret") && json::bool_at(before, {"immutable"}) &&
      (changed({"data"}) || changed({"binaryData"}))) {
    return invalid(kind.kind, name, "data: Forbidden: field is immutable when `immutable` is set");
  }
  return {};
}

// Fields of metadata that only the server writes.
void keep_server_fields(const json::value& current, json::object& wanted) {
  json::object& meta = json::make_object(wanted, {"metadata"});
  for (const char* field : {"uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
                            "resourceVersion"}) {
    if (const json::value* value = json::find(current, {"metadata", field})) {
      meta[field] = *value;
    } else {
      meta.erase(field);
    }
  }
  meta.erase("selfLink");
}

void keep_part(const json::value& current, json::object& wanted, std::string_view part) {
  if (const json::value* value = json::find(current, {part})) {
    wanted[part] = *value;
  } else {
    wanted.erase(part);
  }
}

bool same_but_metadata_and_status(const json::value& a, const json::object& b) {
  json::object left = a.as_object();
  json::object right = b;
  for (json::object* o : {&left, &right}) {
    o->erase("metadata");
    o->erase("status");
  }
  return left == right;
}

}  // namespace

Result<Object> ObjectWriter::get(const Target& target) const {
  Object found = store_.get(target.kind->key(target.ns, target.name));
  if (!found) return not_found(target.kind->subject(target.name));
  return found;
}

Status ObjectWriter::check_namespace(const Target& target) const {
  if (!target.kind->namespaced) return {};
  const Object ns = store_.get("namespaces//" + target.ns);
  if (!ns) return not_found("namespaces \"" + target.ns + "\"");
  if (is_deleting(*ns)) {
    return forbidden(
        fmt::format("{} is forbidden: unable to create new content in namespace {} because it is being "
                    "terminated",
                    target.kind->subject(target.name), target.ns));
  }
  return {};
}

Status ObjectWriter::admit(const Target& target, json::object& object) const {
  const ResourceKind& kind = *target.kind;
  if (kind.custom) apply_schema(kind, object);
  apply_defaults(kind, object);
  TRY(check_metadata(kind, object));
  return check_content(kind, object);
}

Result<Object> ObjectWriter::create(const Target& target, json::object object) {
  const ResourceKind& kind = *target.kind;
  TRY(check_place(target, object));
  json::object& meta = json::make_object(object, {"metadata"});
  if (!json::string_at(meta, {"resourceVersion"}).empty()) {
    return bad_request("resourceVersion should not be set on objects to be created");
  }
  const std::string prefix = json::string_at(meta, {"generateName"});
  const bool generated = json::string_at(meta, {"name"}).empty();
  if (generated && prefix.empty())
    return invalid(kind.kind, "", "metadata.name: Required value: name or generateName is required");
  for (const char* field : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"}) {
    meta.erase(field);
  }
  meta["uid"] = random_uuid();
  meta["creationTimestamp"] = format_rfc3339(clock_.now());
  meta["generation"] = 1;
  if (kind.has("status") || kind.kind == "ReplicationController") object.erase("status");
  for (int attempt = 0;; ++attempt) {
    if (generated) json::set(object, {"metadata", "name"}, prefix.substr(0, 58) + random_name_suffix());
    Target named = target;
    named.name = json::string_at(object, {"metadata", "name"});
    TRY(check_namespace(named));
    json::object candidate = object;
    TRY(admit(named, candidate));
    apply_create_defaults(kind, candidate, clock_.now());
    if (kind.kind == "Service") TRY(addresses_.assign(candidate));
    const std::string key = kind.key(target.ns, named.name);
    if (target.dry_run) {
      if (store_.get(key)) return already_exists(kind.subject(named.name));
      return std::make_shared<const json::value>(std::move(candidate));
    }
    Result<Object> written = store_.put(key, std::move(candidate), 0);
    if (written.is(ErrorCode::exists)) {
      if (generated && attempt < kRaceAttempts) continue;
      return already_exists(kind.subject(named.name));
    }
    return finish(target, std::move(written));
  }
}

Result<Object> ObjectWriter::finish(const Target& target, Result<Object> written) {
  if (written.ok() && target.kind->kind == "CustomResourceDefinition") registry_.reload();
  return written;
}

Result<Object> ObjectWriter::update(const Target& target, json::object object) {
  const std::string name = json::string_at(object, {"metadata", "name"}, target.name);
  if (name != target.name) {
    return bad_request(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, target.name));
  }
  return patch(target, [&](const json::value&) -> Result<json::value> { return json::value(object); });
}

Result<Object> ObjectWriter::patch(const Target& target, const Edit& edit) {
  for (int attempt = 0;; ++attempt) {
    bool raced = false;
    Result<Object> done = try_update(target, edit, raced);
    if (!raced || attempt == kRaceAttempts) return done;
  }
}

// One attempt; `raced`: somebody else was faster and the caller did not insist on a version.
Result<Object> ObjectWriter::try_update(const Target& target, const Edit& edit, bool& raced) {
  const Object current = TRY(get(target));
  json::value edited = TRY(edit(*current));
  if (!edited.is_object()) return bad_request("the object must be a JSON object");
  json::object wanted = std::move(edited.as_object());
  const std::string subject = target.kind->subject(target.name);
  const std::string meant = json::string_at(wanted, {"metadata", "resourceVersion"});
  if (!meant.empty() && meant != json::string_at(*current, {"metadata", "resourceVersion"})) {
    return conflict(subject, kChanged);
  }
  const std::string uid = json::string_at(wanted, {"metadata", "uid"});
  if (!uid.empty() && uid != json::string_at(*current, {"metadata", "uid"})) {
    return conflict(subject, "Precondition failed: UID in precondition: " + uid);
  }
  Result<Object> written = replace(target, *current, std::move(wanted));
  raced = written.is(ErrorCode::conflict) || written.is(ErrorCode::exists);
  if (raced) return conflict(subject, kChanged);
  if (written.is(ErrorCode::not_found)) return not_found(subject);
  return finish(target, std::move(written));
}

// Writes `wanted` over `current`, as far as the subresource may: the object itself without its status, or only that.
Result<Object> ObjectWriter::replace(const Target& target, const json::value& current, json::object wanted) {
  const ResourceKind& kind = *target.kind;
  TRY(check_place(target, wanted));
  json::set(wanted, {"metadata", "name"}, target.name);
  if (target.subresource == "status") {
    json::object whole = current.as_object();
    keep_part(json::value(wanted), whole, "status");
    wanted = std::move(whole);
  } else if (target.subresource == "finalize") {
    json::object whole = current.as_object();
    if (const json::value* finalizers = json::find(wanted, {"spec", "finalizers"})) {
      json::set(whole, {"spec", "finalizers"}, *finalizers);
    } else {
      json::erase(whole, {"spec", "finalizers"});
    }
    wanted = std::move(whole);
  } else {
    keep_server_fields(current, wanted);
    if (kind.has("status")) keep_part(current, wanted, "status");
    if (kind.kind == "Namespace") json::set(wanted, {"spec"}, json::object_at(current, {"spec"}));
    if (kind.kind == "Service" && json::string_at(wanted, {"spec", "type"}) != "ExternalName") {
      for (const char* field : {"clusterIP", "clusterIPs"}) {
        const json::value* kept = json::find(current, {"spec", field});
        if (kept != nullptr && json::find(wanted, {"spec", field}) == nullptr)
          json::set(wanted, {"spec", field}, *kept);
      }
    }
    TRY(admit(target, wanted));
    TRY(check_immutable(kind, current, wanted));
    if (!same_but_metadata_and_status(current, wanted)) {
      json::set(wanted, {"metadata", "generation"}, json::int_at(current, {"metadata", "generation"}) + 1);
    }
  }
  if (wanted == current.as_object()) return std::make_shared<const json::value>(current);
  const std::string key = kind.key(target.ns, target.name);
  if (target.dry_run) return std::make_shared<const json::value>(std::move(wanted));
  if (is_deleting(current) && !has_finalizers(wanted) && !waits_for_node(wanted)) {
    return store_.remove(key, revision_of(current));
  }
  return store_.put(key, std::move(wanted), revision_of(current));
}

Result<ObjectWriter::Deletion> ObjectWriter::remove(const Target& target, const DeleteRequest& request) {
  for (int attempt = 0; attempt < kRaceAttempts; ++attempt) {
    std::optional<Deletion> done = TRY(try_remove(target, request));
    if (!done) continue;
    if (done->gone && target.kind->kind == "CustomResourceDefinition") registry_.reload();
    return *std::move(done);
  }
  return conflict(target.kind->subject(target.name), kChanged);
}

// Nothing: lost a race, look again.
Result<std::optional<ObjectWriter::Deletion>> ObjectWriter::try_remove(const Target& target,
                                                                       const DeleteRequest& request) {
  const ResourceKind& kind = *target.kind;
  const Object current = TRY(get(target));
  const std::string subject = kind.subject(target.name);
  const std::string uid = json::string_at(*current, {"metadata", "uid"});
  if (!request.uid.empty() && request.uid != uid) {
    return conflict(
        subject, fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", request.uid, uid));
  }
  const std::string version = json::string_at(*current, {"metadata", "resourceVersion"});
  if (!request.resource_version.empty() && request.resource_version != version) {
    return conflict(subject, "Precondition failed: ResourceVersion in precondition: " + request.resource_version);
  }
  json::object marked = current->as_object();
  json::object& meta = json::make_object(marked, {"metadata"});
  std::vector<std::string> finalizers = json::strings(json::array_at(meta, {"finalizers"}));
  for (const auto& [policy, finalizer] :
       {std::pair{"Foreground", "foregroundDeletion"}, std::pair{"Orphan", "orphan"}}) {
    std::erase(finalizers, finalizer);
    if (request.propagation == policy) finalizers.emplace_back(finalizer);
  }
  if (finalizers.empty()) {
    meta.erase("finalizers");
  } else {
    meta["finalizers"] = json::from_strings(finalizers);
  }
  int64_t grace = 0;
  const std::string phase = json::string_at(marked, {"status", "phase"});
  if (kind.kind == "Pod" && kind.group.empty() && !json::string_at(marked, {"spec", "nodeName"}).empty() &&
      phase != "Succeeded" && phase != "Failed") {
    grace = request.grace_seconds.value_or(json::int_at(marked, {"spec", "terminationGracePeriodSeconds"}, 30));
    if (is_deleting(*current)) grace = std::min(grace, json::int_at(meta, {"deletionGracePeriodSeconds"}));
  }
  const bool first = !is_deleting(*current);
  if (first || grace < json::int_at(meta, {"deletionGracePeriodSeconds"})) {
    meta["deletionTimestamp"] = format_rfc3339(clock_.now() + std::chrono::seconds(grace));
    meta["deletionGracePeriodSeconds"] = grace;
  }
  if (kind.kind == "Namespace") json::set(marked, {"status", "phase"}, "Terminating");
  const std::string key = kind.key(target.ns, target.name);
  const bool goes = grace == 0 && !has_finalizers(marked);
  if (request.dry_run) return std::optional(Deletion{goes, std::make_shared<const json::value>(std::move(marked))});
  if (!goes && marked == current->as_object()) return std::optional(Deletion{false, current});
  Result<Object> written =
      goes ? store_.remove(key, revision_of(*current)) : store_.put(key, std::move(marked), revision_of(*current));
  if (written.is(ErrorCode::conflict)) return std::optional<Deletion>();
  if (written.is(ErrorCode::not_found)) return not_found(subject);
  return std::optional(Deletion{goes, TRY(std::move(written))});
}

}  // namespace holdfast::sandbox
