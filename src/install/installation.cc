#include "install/installation.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/version.h"
#include "install/parts.h"
#include "velero/crds.h"
#include "velero/types.h"
#include "velero/validate.h"

namespace holdfast::install {

namespace {

json::object namespace_object(const std::string& ns) {
  json::object meta = metadata(ns, "");
  json::object& labels = meta["labels"].as_object();
  // The agent reads the kubelet's directory and runs as root: no lesser pod security level lets it in.
  for (const std::string_view mode : {"audit", "enforce", "warn"}) {
    labels[fmt::format("pod-security.kubernetes.io/{}", mode)] = "privileged";
    labels[fmt::format("pod-security.kubernetes.io/{}-version", mode)] = "latest";
  }
  return {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", std::move(meta)}};
}

json::object credentials_secret(const Options& options) {
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", metadata("cloud-credentials", options.ns)},
          {"type", "Opaque"},
          {"data", json::object{{"cloud", to_base64(*options.credentials)}}}};
}

velero::BackupStorageLocation default_location(const Options& options) {
  velero::BackupStorageLocation out;
  out.metadata.name = "default";
  out.metadata.namespace_ = options.ns;
  out.metadata.labels["component"] = "velero";
  out.spec.is_default = true;
  velero::ObjectStorageLocation storage;
  if (!options.store_directory.empty()) {
    out.spec.provider = "holdfast.dev/directory";
    out.spec.config["path"] = options.store_directory;
    // The CRD demands a bucket; a directory has none, its last part names it for people.
    storage.bucket = options.store_directory.substr(options.store_directory.rfind('/') + 1);
  } else {
    out.spec.provider = options.location->provider;
    out.spec.config = options.location->config;
    storage.bucket = options.location->bucket;
    storage.prefix = options.location->prefix;
    if (!options.location->ca_certificate.empty()) storage.ca_cert = to_base64(options.location->ca_certificate);
  }
  out.spec.object_storage = std::move(storage);
  return out;
}

Status check(const Options& options) {
  const std::string& directory = options.store_directory;
  if (!directory.empty() && options.location)
    return Error(ErrorCode::invalid, "both a bucket and a store directory were given", "name one of the two");
  if (!directory.empty() && (directory.front() != '/' || directory.back() == '/'))
    return Error(
        ErrorCode::invalid,
        fmt::format("store directory \"{}\": an absolute path below / without slash at its end is needed", directory));
  if (options.kubelet_root.empty() || options.kubelet_root.front() != '/')
    return Error(ErrorCode::invalid, fmt::format("kubelet root \"{}\" is not an absolute path", options.kubelet_root));
  if (options.replicas < 1) return Error(ErrorCode::invalid, "at least one replica is needed");
  if (!directory.empty() || options.location) {
    const velero::StringList faults = validate(default_location(options));
    if (!faults.empty()) return Error(ErrorCode::invalid, "backup location: " + faults.front());
  }
  return {};
}

}  // namespace

json::object metadata(std::string_view name, std::string_view ns) {
  json::object out{{"name", name}};
  if (!ns.empty()) out["namespace"] = ns;
  out["labels"] = json::object{{"component", "velero"}};
  return out;
}

json::object string_object(const StringMap& map) {
  json::object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

std::string default_image() {
  return fmt::format("localhost/holdfast:{}", program_version());
}

std::vector<json::value> definitions() {
  std::vector<json::value> out;
  for (json::object& crd : velero::custom_resource_definitions()) out.emplace_back(std::move(crd));
  return out;
}

Result<std::vector<json::value>> installation(const Options& options) {
  TRY(check(options));
  std::vector<json::value> out = definitions();
  out.emplace_back(namespace_object(options.ns));
  for (json::value& object : rights(options)) out.push_back(std::move(object));
  if (options.credentials) out.emplace_back(credentials_secret(options));
  if (options.location || (options.default_location && !options.store_directory.empty())) {
    json::object location = encode(default_location(options));
    location.erase("status");
    out.emplace_back(std::move(location));
  }
  out.emplace_back(controller_deployment(options));
  if (options.use_node_agent) out.emplace_back(agent_daemon_set(options));
  return out;
}

}  // namespace holdfast::install
