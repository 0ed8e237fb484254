// Claims and volumes: binding, provisioning of directories, release.
//
// A claim of a class with WaitForFirstConsumer waits until the scheduler has written the node it chose into the claim's
// annotation; then a `local` volume of that node is made. The directory lies on this machine: a sandbox site has one.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const char kSelectedNode[] = "volume.kubernetes.io/selected-node";
const char kProvisionedBy[] = "pv.kubernetes.io/provisioned-by";

const kube::ResourceType& storage_classes() {
  static const kube::ResourceType type = resource_type("storage.k8s.io", "v1", "storageclasses", "StorageClass", false);
  return type;
}
const kube::ResourceType& claims() {
  return kube::types::persistent_volume_claims();
}
const kube::ResourceType& volumes() {
  return kube::types::persistent_volumes();
}

struct Present {
  Objects classes, claims, volumes, pods;
};

std::string ns_of(const json::value& object) {
  return json::string_at(object, {"metadata", "namespace"});
}

const json::value* class_of(const Present& present, const json::value& claim) {
  const std::string name = json::string_at(claim, {"spec", "storageClassName"});
  const auto found = std::find_if(present.classes.begin(), present.classes.end(),
                                  [&](const json::value& c) { return name_of(c) == name; });
  return found == present.classes.end() ? nullptr : &*found;
}

bool is_for(const json::value& volume, const json::value& claim) {
  const std::string uid = json::string_at(volume, {"spec", "claimRef", "uid"});
  return json::string_at(volume, {"spec", "claimRef", "name"}) == name_of(claim) &&
         json::string_at(volume, {"spec", "claimRef", "namespace"}) == ns_of(claim) &&
         (uid.empty() || uid == uid_of(claim));
}

bool fits(const json::value& volume, const json::value& claim) {
  return json::find(volume, {"spec", "claimRef"}) == nullptr && !is_deleting(volume) &&
         json::string_at(volume, {"spec", "storageClassName"}) == json::string_at(claim, {"spec", "storageClassName"});
}

Status without_finalizer(const ControllerFacts& facts, const kube::ResourceType& type, const json::value& object,
                         std::string_view finalizer) {
  std::vector<std::string> left = json::strings(json::array_at(object, {"metadata", "finalizers"}));
  if (std::erase(left, finalizer) == 0) return {};
  const json::value patch =
      json::object{{"metadata", json::object{{"uid", uid_of(object)}, {"finalizers", json::from_strings(left)}}}};
  const Result<json::value> done =
      facts.api.patch(type, ns_of(object), name_of(object), kube::PatchKind::merge, patch, {}, facts.stop);
  if (!done.ok() && !done.is(ErrorCode::not_found)) return done.error();
  return {};
}

Status bind(const ControllerFacts& facts, const json::value& claim, json::value volume) {
  if (json::string_at(volume, {"spec", "claimRef", "uid"}) != uid_of(claim)) {
    const json::value reference = json::object{{"apiVersion", "v1"},
                                               {"kind", "PersistentVolumeClaim"},
                                               {"namespace", ns_of(claim)},
                                               {"name", name_of(claim)},
                                               {"uid", uid_of(claim)}};
    json::set(volume.as_object(), {"spec", "claimRef"}, reference);
    volume = TRY(facts.api.update(volumes(), "", volume, {}, facts.stop));
  }
  TRY(write_status(facts.api, volumes(), volume, {{"phase", "Bound"}}, facts.stop));
  json::value bound = claim;
  if (json::string_at(claim, {"spec", "volumeName"}) != name_of(volume)) {
    json::set(bound.as_object(), {"spec", "volumeName"}, json::value(name_of(volume)));
    json::set(bound.as_object(), {"metadata", "annotations", "pv.kubernetes.io/bind-completed"}, "yes");
    bound = TRY(facts.api.update(claims(), ns_of(claim), bound, {}, facts.stop));
  }
  return write_status(facts.api, claims(), bound,
                      {{"phase", "Bound"},
                       {"accessModes", json::array_at(volume, {"spec", "accessModes"})},
                       {"capacity", json::object_at(volume, {"spec", "capacity"})}},
                      facts.stop);
}

Result<json::value> provision(const ControllerFacts& facts, const json::value& claim, const json::value& storage_class,
                              const std::string& node) {
  const std::string name = "pvc-" + uid_of(claim);
  const std::string path = facts.options.volume_directory + "/" + name;
  TRY(make_directories(path));
  if (::chmod(path.c_str(), 0777) != 0) return errno_error(errno, path);  // whatever user the pod runs as
  const json::object term{{"matchExpressions", json::array{json::object{{"key", "kubernetes.io/hostname"},
                                                                        {"operator", "In"},
                                                                        {"values", json::array{json::value(node)}}}}}};
  json::object volume{
      {"metadata",
       json::object{{"name", name}, {"annotations", json::object{{kProvisionedBy, facts.options.provisioner}}}}}};
  volume["spec"] = json::object{
      {"capacity", json::object_at(claim, {"spec", "resources", "requests"})},
      {"accessModes", json::array_at(claim, {"spec", "accessModes"})},
      {"persistentVolumeReclaimPolicy", json::string_at(storage_class, {"reclaimPolicy"}, "Delete")},
      {"storageClassName", name_of(storage_class)},
      {"claimRef", json::object{{"apiVersion", "v1"},
                                {"kind", "PersistentVolumeClaim"},
                                {"namespace", ns_of(claim)},
                                {"name", name_of(claim)},
                                {"uid", uid_of(claim)}}},
      {"local", json::object{{"path", path}}},
      {"nodeAffinity", json::object{{"required", json::object{{"nodeSelectorTerms", json::array{term}}}}}}};
  Result<json::value> made = facts.api.create(volumes(), "", volume, {}, facts.stop);
  if (made.is(ErrorCode::exists)) return facts.api.get(volumes(), "", name, facts.stop);
  return made;
}

/// A claim that names no class gets the default one, as the admission of a real cluster gives it; "" means none on
/// purpose.
Result<bool> give_default_class(const ControllerFacts& facts, const Present& present, const json::value& claim) {
  if (json::find(claim, {"spec", "storageClassName"}) != nullptr) return false;
  for (const json::value& storage_class : present.classes) {
    if (json::string_at(storage_class, {"metadata", "annotations", "storageclass.kubernetes.io/is-default-class"}) !=
        "true") {
      continue;
    }
    const json::value patch = json::object{{"metadata", json::object{{"uid", uid_of(claim)}}},
                                           {"spec", json::object{{"storageClassName", name_of(storage_class)}}}};
    TRY(facts.api.patch(claims(), ns_of(claim), name_of(claim), kube::PatchKind::merge, patch, {}, facts.stop));
    return true;
  }
  return false;
}

Status sync_claim(const ControllerFacts& facts, Present& present, const json::value& claim) {
  if (is_deleting(claim)) {
    const bool used = std::any_of(present.pods.begin(), present.pods.end(), [&](const json::value& pod) {
      const json::array& mounts = json::array_at(pod, {"spec", "volumes"});
      const std::string phase = json::string_at(pod, {"status", "phase"});
      return ns_of(pod) == ns_of(claim) && phase != "Succeeded" && phase != "Failed" &&
             std::any_of(mounts.begin(), mounts.end(), [&](const json::value& v) {
               return json::string_at(v, {"persistentVolumeClaim", "claimName"}) == name_of(claim);
             });
    });
    return used ? Status() : without_finalizer(facts, claims(), claim, "kubernetes.io/pvc-protection");
  }
  if (json::string_at(claim, {"status", "phase"}) == "Bound") return {};
  // The change is seen by the watch, and the claim comes again.
  if (TRY(give_default_class(facts, present, claim))) return {};
  const std::string wanted = json::string_at(claim, {"spec", "volumeName"});
  for (json::value& volume : present.volumes) {
    const bool chosen = wanted.empty() ? is_for(volume, claim) || fits(volume, claim)
                                       : name_of(volume) == wanted && (is_for(volume, claim) || fits(volume, claim));
    if (!chosen) continue;
    TRY(bind(facts, claim, volume));
    json::set(volume.as_object(), {"spec", "claimRef"},
              json::object{{"name", name_of(claim)}, {"namespace", ns_of(claim)}, {"uid", uid_of(claim)}});
    return {};
  }
  const json::value* storage_class = class_of(present, claim);
  if (!wanted.empty() || storage_class == nullptr ||
      json::string_at(*storage_class, {"provisioner"}) != facts.options.provisioner) {
    return {};
  }
  std::string node = json::string_at(claim, {"metadata", "annotations", kSelectedNode});
  if (node.empty() && json::string_at(*storage_class, {"volumeBindingMode"}) != "WaitForFirstConsumer") {
    const Objects nodes = TRY(list(facts.api, kube::types::nodes(), "", facts.stop));
    if (!nodes.empty()) node = name_of(nodes.front());
  }
  if (node.empty()) return {};
  json::value volume = TRY(provision(facts, claim, *storage_class, node));
  return bind(facts, claim, std::move(volume));
}

Status sync_volume(const ControllerFacts& facts, const Present& present, const json::value& volume) {
  const bool has_claim = std::any_of(present.claims.begin(), present.claims.end(),
                                     [&](const json::value& claim) { return is_for(volume, claim); });
  if (has_claim) return {};
  if (is_deleting(volume)) return without_finalizer(facts, volumes(), volume, "kubernetes.io/pv-protection");
  if (json::string_at(volume, {"spec", "claimRef", "uid"}).empty()) {
    return write_status(facts.api, volumes(), volume, {{"phase", "Available"}}, facts.stop);
  }
  const bool ours = json::string_at(volume, {"metadata", "annotations", kProvisionedBy}) == facts.options.provisioner;
  if (ours && json::string_at(volume, {"spec", "persistentVolumeReclaimPolicy"}) == "Delete") {
    const std::string path = json::string_at(volume, {"spec", "local", "path"});
    // Only what provision() made, wherever the object says it lies.
    if (path == facts.options.volume_directory + "/" + name_of(volume)) {
      std::error_code failure;
      std::filesystem::remove_all(path, failure);
      if (failure) return Error(ErrorCode::unavailable, "remove " + path + ": " + failure.message());
    }
    return remove_if_there(facts.api, volumes(), volume, {}, facts.stop);
  }
  return write_status(facts.api, volumes(), volume, {{"phase", "Released"}}, facts.stop);
}

Result<kube::After> reconcile(const ControllerFacts& facts) {
  Present present;
  // Volumes first: a claim listed later than its volume is never taken for missing.
  present.volumes = TRY(list(facts.api, volumes(), "", facts.stop));
  present.claims = TRY(list(facts.api, claims(), "", facts.stop));
  present.classes = TRY(list(facts.api, storage_classes(), "", facts.stop));
  present.pods = TRY(list(facts.api, kube::types::pods(), "", facts.stop));
  for (const json::value& volume : present.volumes)
    TRY(sync_volume(facts, present, volume).in("PersistentVolume " + name_of(volume)));
  for (const json::value& claim : present.claims) {
    TRY(sync_claim(facts, present, claim).in("PersistentVolumeClaim " + ns_of(claim) + "/" + name_of(claim)));
  }
  return kube::After::done();
}

}  // namespace

ControllerSpec volume_controller() {
  return {.name = "volume",
          .scope = ControllerSpec::Scope::cluster,
          .watches = {volumes(), claims(), storage_classes(), kube::types::pods()},
          .reconcile = reconcile};
}

}  // namespace holdfast::sandbox
