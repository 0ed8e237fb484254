#include "sandbox/apiserver/defaults.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace holdfast::sandbox {

namespace {

using json::object;
using json::value;

void fill(object& o, std::string_view name, value v) {
  if (!o.contains(name)) o[name] = std::move(v);
}

void fill_text(object& o, std::string_view name, const std::string& text) {
  fill(o, name, value(text));
}

// The element as an object to fill in; null for anything else.
object* element(value& v) {
  return v.if_object();
}

template <typename F>
void each(object& o, std::string_view list, F f) {
  value* found = o.if_contains(list);
  if (found == nullptr || !found->is_array()) return;
  for (value& entry : found->as_array()) {
    if (object* fields = element(entry)) f(*fields);
  }
}

void default_probe(object& container, std::string_view name) {
  value* probe = container.if_contains(name);
  if (probe == nullptr || !probe->is_object()) return;
  object& fields = probe->as_object();
  fill(fields, "timeoutSeconds", 1);
  fill(fields, "periodSeconds", 10);
  fill(fields, "successThreshold", 1);
  fill(fields, "failureThreshold", 3);
  if (value* get = fields.if_contains("httpGet"); get != nullptr && get->is_object()) {
    fill(get->as_object(), "path", "/");
    fill(get->as_object(), "scheme", "HTTP");
  }
}

void default_container(object& container) {
  const std::string image = json::string_at(container, {"image"});
  const bool latest = image.rfind(':') == std::string::npos || image.ends_with(":latest");
  fill(container, "imagePullPolicy", value(latest ? "Always" : "IfNotPresent"));
  fill(container, "resources", object{});
  fill(container, "terminationMessagePath", "/dev/termination-log");
  fill(container, "terminationMessagePolicy", "File");
  each(container, "ports", [](object& port) { fill(port, "protocol", "TCP"); });
  each(container, "env", [](object& variable) {
    if (json::find(variable, {"valueFrom", "fieldRef"}) != nullptr) {
      fill(json::make_object(variable, {"valueFrom", "fieldRef"}), "apiVersion", "v1");
    }
  });
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) default_probe(container, probe);
}

void default_volume(object& volume) {
  for (const char* source : {"configMap", "secret", "projected", "downwardAPI"}) {
    value* found = volume.if_contains(source);
    if (found != nullptr && found->is_object()) fill(found->as_object(), "defaultMode", 420);
  }
}

void default_pod_spec(object& spec) {
  fill(spec, "restartPolicy", "Always");
  fill(spec, "terminationGracePeriodSeconds", 30);
  fill(spec, "dnsPolicy", "ClusterFirst");
  fill(spec, "securityContext", object{});
  fill(spec, "schedulerName", "default-scheduler");
  each(spec, "containers", default_container);
  each(spec, "initContainers", default_container);
  each(spec, "volumes", default_volume);
}

void default_template(object& o) {
  if (json::find(o, {"spec", "template", "spec"}) != nullptr) {
    default_pod_spec(json::make_object(o, {"spec", "template", "spec"}));
  }
}

void default_pod(object& o) {
  object& spec = json::make_object(o, {"spec"});
  default_pod_spec(spec);
  fill_text(spec, "serviceAccountName", json::string_at(spec, {"serviceAccount"}, "default"));
  fill_text(spec, "serviceAccount", json::string_at(spec, {"serviceAccountName"}));
  fill(spec, "enableServiceLinks", true);
  fill(spec, "preemptionPolicy", "PreemptLowerPriority");
  fill(spec, "priority", 0);
}

void default_deployment(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
  fill(spec, "progressDeadlineSeconds", 600);
  fill(spec, "strategy", object{});
  object& strategy = json::make_object(spec, {"strategy"});
  fill(strategy, "type", "RollingUpdate");
  if (json::string_at(strategy, {"type"}) == "RollingUpdate") {
    object& rolling = json::make_object(strategy, {"rollingUpdate"});
    fill(rolling, "maxSurge", "25%");
    fill(rolling, "maxUnavailable", "25%");
  }
}

void default_stateful_set(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
  fill(spec, "podManagementPolicy", "OrderedReady");
  fill(json::make_object(spec, {"updateStrategy"}), "type", "RollingUpdate");
  fill(json::make_object(spec, {"persistentVolumeClaimRetentionPolicy"}), "whenDeleted", "Retain");
  fill(json::make_object(spec, {"persistentVolumeClaimRetentionPolicy"}), "whenScaled", "Retain");
  each(spec, "volumeClaimTemplates", [](object& claim) {
    fill(json::make_object(claim, {"spec"}), "volumeMode", "Filesystem");
    fill(claim, "apiVersion", "v1");
    fill(claim, "kind", "PersistentVolumeClaim");
  });
}

void default_replication_controller(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "replicas", 1);
  const object labels = json::object_at(spec, {"template", "metadata", "labels"});
  if (json::object_at(spec, {"selector"}).empty() && !labels.empty()) spec["selector"] = labels;
}

void default_deployment_config(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
  fill(json::make_object(spec, {"strategy"}), "type", "Rolling");
  const object labels = json::object_at(spec, {"template", "metadata", "labels"});
  if (json::object_at(spec, {"selector"}).empty() && !labels.empty()) spec["selector"] = labels;
  fill(spec, "triggers", json::array{object{{"type", "ConfigChange"}}});
}

void default_job(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "parallelism", 1);
  fill(spec, "completions", 1);
  fill(spec, "backoffLimit", 6);
  fill(spec, "completionMode", "NonIndexed");
  fill(spec, "suspend", false);
}

void default_service(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "type", "ClusterIP");
  fill(spec, "sessionAffinity", "None");
  each(spec, "ports", [](object& port) {
    fill(port, "protocol", "TCP");
    if (const value* number = port.if_contains("port")) fill(port, "targetPort", value(*number));
  });
}

void default_secret(object& o) {
  fill(o, "type", "Opaque");
  const object plain = json::object_at(o, {"stringData"});
  for (const auto& [name, text] : plain) {
    if (text.is_string()) json::make_object(o, {"data"})[name] = to_base64(std::string_view(text.as_string()));
  }
  o.erase("stringData");
}

void default_definition(object& o) {
  object& names = json::make_object(o, {"spec", "names"});
  fill_text(names, "singular", to_lower(json::string_at(names, {"kind"})));
  fill_text(names, "listKind", json::string_at(names, {"kind"}) + "List");
  fill(json::make_object(o, {"spec"}), "conversion", object{{"strategy", "None"}});
}

void default_volume_object(object& o) {
  object& spec = json::make_object(o, {"spec"});
  fill(spec, "persistentVolumeReclaimPolicy", "Retain");
  fill(spec, "volumeMode", "Filesystem");
}

void add_finalizer(object& o, const char* name) {
  object& meta = json::make_object(o, {"metadata"});
  std::vector<std::string> finalizers = json::strings(json::array_at(meta, {"finalizers"}));
  if (std::find(finalizers.begin(), finalizers.end(), name) == finalizers.end()) finalizers.emplace_back(name);
  meta["finalizers"] = json::from_strings(finalizers);
}

// The projected volume by which containers reach the API server, as a real cluster's admission injects it.
void inject_token_volume(object& o) {
  object& spec = json::make_object(o, {"spec"});
  if (!json::bool_at(spec, {"automountServiceAccountToken"}, true)) return;
  static constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
  const std::string name = "kube-api-access-" + random_name_suffix();
  bool used = false;
  const auto mount = [&](object& container) {
    const json::array& mounts = json::array_at(container, {"volumeMounts"});
    const bool has = std::any_of(mounts.begin(), mounts.end(),
                                 [](const value& m) { return json::string_at(m, {"mountPath"}) == kMountPath; });
    if (has) return;
    used = true;
    if (!container.contains("volumeMounts")) container["volumeMounts"] = json::array{};
    container["volumeMounts"].as_array().push_back(
        object{{"name", name}, {"readOnly", true}, {"mountPath", kMountPath}});
  };
  each(spec, "initContainers", mount);
  each(spec, "containers", mount);
  if (!used) return;
  const object ca{{"configMap", object{{"name", "kube-root-ca.crt"},
                                       {"items", json::array{object{{"key", "ca.crt"}, {"path", "ca.crt"}}}}}}};
  const object token{{"serviceAccountToken", object{{"expirationSeconds", 3607}, {"path", "token"}}}};
  const object field{{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}};
  const object ns{{"downwardAPI", object{{"items", json::array{object{{"path", "namespace"}, {"fieldRef", field}}}}}}};
  if (!spec.contains("volumes")) spec["volumes"] = json::array{};
  spec["volumes"].as_array().push_back(
      object{{"name", name}, {"projected", object{{"sources", json::array{token, ca, ns}}, {"defaultMode", 420}}}});
}

void own_job_pods(object& o) {
  if (json::bool_at(o, {"spec", "manualSelector"}) || json::find(o, {"spec", "selector"}) != nullptr) return;
  const std::string uid = json::string_at(o, {"metadata", "uid"});
  const std::string name = json::string_at(o, {"metadata", "name"});
  object& labels = json::make_object(o, {"spec", "template", "metadata", "labels"});
  labels["batch.kubernetes.io/controller-uid"] = uid;
  labels["batch.kubernetes.io/job-name"] = name;
  labels["controller-uid"] = uid;
  labels["job-name"] = name;
  json::set(o, {"spec", "selector", "matchLabels"}, object{{"batch.kubernetes.io/controller-uid", uid}});
}

void establish(object& o, Time now) {
  const object names = json::object_at(o, {"spec", "names"});
  json::array versions;
  for (const value& version : json::array_at(o, {"spec", "versions"})) {
    if (json::bool_at(version, {"storage"})) versions.push_back(value(json::string_at(version, {"name"})));
  }
  json::array conditions;
  for (const auto& [type, reason] :
       {std::pair{"NamesAccepted", "NoConflicts"}, std::pair{"Established", "InitialNamesAccepted"}}) {
    conditions.push_back(object{{"type", type},
                                {"status", "True"},
                                {"reason", reason},
                                {"message", ""},
                                {"lastTransitionTime", format_rfc3339(now)}});
  }
  o["status"] = object{{"conditions", conditions}, {"acceptedNames", names}, {"storedVersions", versions}};
}

}  // namespace

void apply_defaults(const ResourceKind& kind, object& o) {
  const std::string& name = kind.kind;
  if (kind.custom) return;
  default_template(o);
  if (name == "Pod") default_pod(o);
  if (name == "Deployment") default_deployment(o);
  if (name == "StatefulSet") default_stateful_set(o);
  if (name == "ReplicaSet") fill(json::make_object(o, {"spec"}), "replicas", 1);
  if (name == "ReplicationController") default_replication_controller(o);
  if (name == "DeploymentConfig") default_deployment_config(o);
  if (name == "DaemonSet") fill(json::make_object(o, {"spec", "updateStrategy"}), "type", "RollingUpdate");
  if (name == "Job") default_job(o);
  if (name == "Service") default_service(o);
  if (name == "Secret") default_secret(o);
  if (name == "CustomResourceDefinition") default_definition(o);
  if (name == "PersistentVolume") default_volume_object(o);
  if (name == "PersistentVolumeClaim") fill(json::make_object(o, {"spec"}), "volumeMode", "Filesystem");
  if (name == "StorageClass") {
    fill(o, "reclaimPolicy", "Delete");
    fill(o, "volumeBindingMode", "Immediate");
  }
  if (name == "Namespace") {
    json::set(o, {"metadata", "labels", "kubernetes.io/metadata.name"}, json::string_at(o, {"metadata", "name"}));
  }
}

void apply_create_defaults(const ResourceKind& kind, object& o, Time now) {
  const std::string& name = kind.kind;
  if (kind.custom) return;
  if (name == "Pod") {
    inject_token_volume(o);
    o["status"] = object{{"phase", "Pending"}, {"qosClass", "BestEffort"}};
  }
  if (name == "Namespace") {
    json::set(o, {"spec", "finalizers"}, json::array{"kubernetes"});
    json::set(o, {"status", "phase"}, "Active");
  }
  if (name == "PersistentVolumeClaim") {
    add_finalizer(o, "kubernetes.io/pvc-protection");
    json::set(o, {"status", "phase"}, "Pending");
  }
  if (name == "PersistentVolume") {
    add_finalizer(o, "kubernetes.io/pv-protection");
    json::set(o, {"status", "phase"}, "Pending");
  }
  if (name == "Service") json::set(o, {"status", "loadBalancer"}, object{});
  if (name == "Job") own_job_pods(o);
  if (name == "CustomResourceDefinition") establish(o, now);
}

}  // namespace holdfast::sandbox
