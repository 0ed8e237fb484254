#include "install/parts.h"

namespace holdfast::install {

namespace {

constexpr std::string_view kProgram = "/usr/bin/holdfast";

json::object from_field(std::string_view name, std::string_view field) {
  return {{"name", name}, {"valueFrom", json::object{{"fieldRef", json::object{{"fieldPath", field}}}}}};
}

json::array environment() {
  return {from_field("NODE_NAME", "spec.nodeName"), from_field("POD_NAME", "metadata.name"),
          from_field("POD_NAMESPACE", "metadata.namespace"), from_field("VELERO_NAMESPACE", "metadata.namespace"),
          json::object{{"name", "VELERO_SCRATCH_DIR"}, {"value", "/scratch"}}};
}

json::object resources(const ResourceOptions& options) {
  json::object limits;
  json::object requests;
  const auto add = [](json::object& to, std::string_view what, const std::string& quantity) {
    if (!quantity.empty() && quantity != "0") to[what] = quantity;
  };
  add(limits, "cpu", options.cpu_limit);
  add(limits, "memory", options.memory_limit);
  add(requests, "cpu", options.cpu_request);
  add(requests, "memory", options.memory_request);
  json::object out;
  if (!limits.empty()) out["limits"] = std::move(limits);
  if (!requests.empty()) out["requests"] = std::move(requests);
  return out;
}

void add_store(const Options& options, json::array& mounts, json::array& volumes) {
  if (options.store_directory.empty()) return;
  mounts.push_back(json::object{{"name", "store"}, {"mountPath", options.store_directory}});
  volumes.push_back(json::object{
      {"name", "store"}, {"hostPath", json::object{{"path", options.store_directory}, {"type", "DirectoryOrCreate"}}}});
}

void add_scratch(json::array& mounts, json::array& volumes) {
  mounts.push_back(json::object{{"name", "scratch"}, {"mountPath", "/scratch"}});
  volumes.push_back(json::object{{"name", "scratch"}, {"emptyDir", json::object{}}});
}

json::object pod_metadata(const Options& options, const StringMap& own_labels, const StringMap& own_annotations) {
  StringMap labels = options.pod_labels;
  StringMap annotations = options.pod_annotations;
  for (const auto& [key, value] : own_labels) labels[key] = value;
  for (const auto& [key, value] : own_annotations) annotations.emplace(key, value);
  json::object out{{"labels", string_object(labels)}};
  if (!annotations.empty()) out["annotations"] = string_object(annotations);
  return out;
}

std::string image_of(const Options& options) {
  return options.image.empty() ? default_image() : options.image;
}

json::array controller_command(const Options& options) {
  json::array out{
      kProgram,       "controller", "--restore-helper-image", json::value(image_of(options)), "--restore-account",
      kRestoreAccount};
  if (!options.site.empty()) {
    out.push_back("--site");
    out.push_back(json::value(options.site));
  }
  for (const std::string& word : options.controller_arguments) out.push_back(json::value(word));
  return out;
}

}  // namespace

json::object controller_deployment(const Options& options) {
  json::array mounts;
  json::array volumes;
  add_scratch(mounts, volumes);
  add_store(options, mounts, volumes);
  json::object container{{"name", "velero"},
                         {"image", image_of(options)},
                         {"imagePullPolicy", "IfNotPresent"},
                         {"command", controller_command(options)},
                         {"env", environment()},
                         {"ports", json::array{json::object{{"name", "metrics"}, {"containerPort", 8085}}}},
                         {"readinessProbe", json::object{{"httpGet", json::object{{"path", "/readyz"}, {"port", 8085}}},
                                                         {"periodSeconds", 2}}},
                         {"resources", resources(options.controller_resources)},
                         {"volumeMounts", std::move(mounts)}};
  json::object pod{{"serviceAccountName", kControllerAccount},
                   {"restartPolicy", "Always"},
                   {"containers", json::array{std::move(container)}},
                   {"volumes", std::move(volumes)}};
  json::object pod_meta = pod_metadata(
      options, {{"component", "velero"}, {"deploy", "velero"}},
      {{"prometheus.io/path", "/metrics"}, {"prometheus.io/port", "8085"}, {"prometheus.io/scrape", "true"}});
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", metadata("velero", options.ns)},
      {"spec", json::object{{"replicas", options.replicas},
                            {"selector", json::object{{"matchLabels", json::object{{"deploy", "velero"}}}}},
                            {"template", json::object{{"metadata", std::move(pod_meta)}, {"spec", std::move(pod)}}}}}};
}

json::object agent_daemon_set(const Options& options) {
  const std::string pods_directory = options.kubelet_root + "/pods";
  // The kubelet mounts volumes after this pod has started; they have to appear in it.
  json::array mounts{
      json::object{{"name", "host-pods"}, {"mountPath", "/host_pods"}, {"mountPropagation", "HostToContainer"}}};
  json::array volumes{json::object{{"name", "host-pods"}, {"hostPath", json::object{{"path", pods_directory}}}}};
  add_scratch(mounts, volumes);
  add_store(options, mounts, volumes);
  json::object container{{"name", "node-agent"},
                         {"image", image_of(options)},
                         {"imagePullPolicy", "IfNotPresent"},
                         {"command", json::array{kProgram, "node-agent"}},
                         {"env", environment()},
                         {"ports", json::array{json::object{{"name", "metrics"}, {"containerPort", 8085}}}},
                         {"resources", resources(options.agent_resources)},
                         {"securityContext", json::object{{"privileged", options.privileged_node_agent}}},
                         {"volumeMounts", std::move(mounts)}};
  json::object pod{{"serviceAccountName", kAgentAccount},
                   {"securityContext", json::object{{"runAsUser", 0}}},
                   {"containers", json::array{std::move(container)}},
                   {"volumes", std::move(volumes)}};
  json::object pod_meta = pod_metadata(options, {{"component", "velero"}, {"name", "node-agent"}}, {});
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "DaemonSet"},
      {"metadata", metadata("node-agent", options.ns)},
      {"spec", json::object{{"selector", json::object{{"matchLabels", json::object{{"name", "node-agent"}}}}},
                            {"template", json::object{{"metadata", std::move(pod_meta)}, {"spec", std::move(pod)}}}}}};
}

}  // namespace holdfast::install
