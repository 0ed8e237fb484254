#include "sandbox/node/container_plan.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "sandbox/node/volumes.h"

namespace holdfast::sandbox {

std::string expand_variables(std::string_view text, const std::map<std::string, std::string>& variables) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$' || at + 1 >= text.size()) {
      out.push_back(text[at]);
      continue;
    }
    if (text[at + 1] == '$') {
      out.push_back('$');
      ++at;
      continue;
    }
    const size_t end = text[at + 1] == '(' ? text.find(')', at) : std::string_view::npos;
    const auto found = end == std::string_view::npos ? variables.end()
                                                     : variables.find(std::string(text.substr(at + 2, end - at - 2)));
    if (found == variables.end()) {
      out.push_back('$');
      continue;
    }
    out += found->second;
    at = end;
  }
  return out;
}

Result<std::string> image_root(const std::string& images_directory, const std::string& image) {
  const Error missing(ErrorCode::not_found, fmt::format("image {} is not on this node and nothing is pulled", image),
                      "images of the sandbox are named localhost/NAME:VERSION and lie in its image directory");
  if (!image.starts_with("localhost/")) return missing;
  const std::string rest = image.substr(10);
  const size_t colon = rest.find(':');
  const std::string name = rest.substr(0, colon);
  if (colon == std::string::npos || rest.substr(colon + 1) == "latest" || name.empty() ||
      name.find('/') != std::string::npos || name.starts_with('.')) {
    return missing;
  }
  std::string root = images_directory + "/" + name;
  if (!std::filesystem::is_directory(root)) return missing;
  return root;
}

namespace {

using Variables = std::map<std::string, std::string>;

Result<json::value> source_object(kube::Api& api, const kube::ResourceType& type, const std::string& ns,
                                  const std::string& name) {
  Result<json::value> object = api.get(type, ns, name);
  if (object.is(ErrorCode::not_found)) return Error(ErrorCode::unavailable, object.error().message());
  return object;
}

Result<Variables> data_of(const json::value& object, bool encoded) {
  Variables out;
  for (const auto& [key, value] : json::object_at(object, {"data"})) {
    const std::string text(value.is_string() ? std::string_view(value.get_string()) : std::string_view());
    out[key] = encoded ? TRY(from_base64(text)) : text;
  }
  return out;
}

class EnvironmentPlan {
 public:
  EnvironmentPlan(const PlanContext& context, const json::value& pod)
      : context_(context), pod_(pod), ns_(json::string_at(pod, {"metadata", "namespace"})) {}

  Result<std::vector<std::string>> build(const json::value& container, Variables& variables) {
    variables["KUBERNETES_SERVICE_HOST"] = context_.kubernetes_service_host;
    variables["KUBERNETES_SERVICE_PORT"] = context_.kubernetes_service_port;
    variables["KUBERNETES_SERVICE_PORT_HTTPS"] = context_.kubernetes_service_port;
    variables["HOSTNAME"] = json::string_at(pod_, {"metadata", "name"});
    for (const json::value& source : json::array_at(container, {"envFrom"})) TRY(add_all(source, variables));
    for (const json::value& entry : json::array_at(container, {"env"})) {
      const std::string name = json::string_at(entry, {"name"});
      const json::value* from = json::find(entry, {"valueFrom"});
      if (from == nullptr) {
        variables[name] = expand_variables(json::string_at(entry, {"value"}), variables);
      } else if (std::optional<std::string> value = TRY(value_from(*from).in("variable " + name))) {
        variables[name] = *value;
      }
    }
    std::vector<std::string> out;
    for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
    return out;
  }

 private:
  Status add_all(const json::value& source, Variables& variables) const {
    const bool secret = json::find(source, {"secretRef"}) != nullptr;
    const char* field = secret ? "secretRef" : "configMapRef";
    const Result<json::value> object =
        source_object(context_.api, secret ? kube::types::secrets() : kube::types::config_maps(), ns_,
                      json::string_at(source, {field, "name"}));
    if (!object) {
      if (json::bool_at(source, {field, "optional"})) return {};
      return object.error();
    }
    for (const auto& [key, value] : TRY(data_of(*object, secret))) {
      variables[json::string_at(source, {"prefix"}) + key] = value;
    }
    return {};
  }

  Result<std::optional<std::string>> value_from(const json::value& from) const {
    if (const json::value* field = json::find(from, {"fieldRef"})) {
      return std::optional(
          TRY(downward_field(pod_, json::string_at(*field, {"fieldPath"}), context_.node_ip, context_.pod_ip)));
    }
    const bool secret = json::find(from, {"secretKeyRef"}) != nullptr;
    const json::value* reference = json::find(from, {secret ? "secretKeyRef" : "configMapKeyRef"});
    if (reference == nullptr) {
      return Error(ErrorCode::unsupported, "the sandbox has only fieldRef, configMapKeyRef and secretKeyRef");
    }
    const bool optional = json::bool_at(*reference, {"optional"});
    const Result<json::value> object =
        source_object(context_.api, secret ? kube::types::secrets() : kube::types::config_maps(), ns_,
                      json::string_at(*reference, {"name"}));
    if (!object) {
      if (optional) return std::optional<std::string>();
      return object.error();
    }
    const Variables data = TRY(data_of(*object, secret));
    const auto found = data.find(json::string_at(*reference, {"key"}));
    if (found != data.end()) return std::optional(found->second);
    if (optional) return std::optional<std::string>();
    return Error(ErrorCode::unavailable, fmt::format("key {} is missing", json::string_at(*reference, {"key"})));
  }

  const PlanContext& context_;
  const json::value& pod_;
  const std::string ns_;
};

Status plan_mounts(const PlanContext& context, const json::value& container, const Variables& variables,
                   ContainerSpec& spec) {
  for (const json::value& mount : json::array_at(container, {"volumeMounts"})) {
    const std::string name = json::string_at(mount, {"name"});
    const auto volume = context.volumes.find(name);
    if (volume == context.volumes.end()) return Error(ErrorCode::invalid, fmt::format("there is no volume {}", name));
    std::string source = volume->second;
    std::string sub = json::string_at(mount, {"subPath"});
    if (sub.empty()) sub = expand_variables(json::string_at(mount, {"subPathExpr"}), variables);
    if (!sub.empty()) {
      if (sub.starts_with('/') || sub.find("..") != std::string::npos) {
        return Error(ErrorCode::invalid, fmt::format("subPath {} leads out of the volume", sub));
      }
      source += "/" + sub;
      std::error_code error;
      std::filesystem::create_directories(source, error);
    }
    spec.mounts.push_back({source, json::string_at(mount, {"mountPath"}), json::bool_at(mount, {"readOnly"})});
  }
  return {};
}

}  // namespace

Result<ContainerSpec> plan_container(const PlanContext& context, const json::value& pod, const json::value& container) {
  for (const char* field : {"lifecycle", "volumeDevices"}) {
    if (json::find(container, {field}) != nullptr) {
      return Error(ErrorCode::unsupported, fmt::format("the sandbox has no container field {}", field));
    }
  }
  ContainerSpec spec;
  spec.image_root = TRY(image_root(context.images_directory, json::string_at(container, {"image"})));
  Variables variables;
  spec.environment = TRY(EnvironmentPlan(context, pod).build(container, variables));
  for (const char* part : {"command", "args"}) {
    for (const std::string& word : json::strings(json::array_at(container, {part}))) {
      spec.argv.push_back(expand_variables(word, variables));
    }
  }
  if (json::array_at(container, {"command"}).empty()) {
    return Error(ErrorCode::invalid, "no command specified", "images of the sandbox have no entry point: set command");
  }
  spec.directory = json::string_at(container, {"workingDir"}, "/");
  spec.hostname = json::string_at(pod, {"spec", "hostname"}, json::string_at(pod, {"metadata", "name"}));
  const auto identity = [&](const char* field) {
    return static_cast<unsigned>(
        json::int_at(container, {"securityContext", field}, json::int_at(pod, {"spec", "securityContext", field})));
  };
  spec.uid = identity("runAsUser");
  spec.gid = identity("runAsGroup");
  for (const json::value& group : json::array_at(pod, {"spec", "securityContext", "supplementalGroups"})) {
    spec.groups.push_back(static_cast<unsigned>(json::int_at(group, {})));
  }
  if (const json::value* group = json::find(pod, {"spec", "securityContext", "fsGroup"})) {
    spec.groups.push_back(static_cast<unsigned>(json::int_at(*group, {})));
  }
  TRY(plan_mounts(context, container, variables, spec));
  return spec;
}

}  // namespace holdfast::sandbox
