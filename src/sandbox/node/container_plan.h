// From a pod's container to what is started: command, environment, user, mounts. No processes here; the API is read for
// ConfigMaps and Secrets that the environment names.
#pragma once

#include <map>
#include <string>

#include "kube/api.h"
#include "sandbox/node/container_process.h"

namespace holdfast::sandbox {

struct PlanContext {
  kube::Api& api;
  std::string images_directory;  ///< NAME below it is the root of localhost/NAME:VERSION
  std::string kubernetes_service_host;
  std::string kubernetes_service_port;
  std::string node_ip;
  std::string pod_ip;
  std::map<std::string, std::string> volumes;  ///< host path by volume name
};

/// The image's root directory. not_found for an image that is not there: nothing is ever pulled.
[[nodiscard]] Result<std::string> image_root(const std::string& images_directory, const std::string& image);

/// unavailable: something it names may still come; unsupported or invalid: it never will.
[[nodiscard]] Result<ContainerSpec> plan_container(const PlanContext& context, const json::value& pod,
                                                   const json::value& container);

/// Kubernetes' $(NAME) expansion; $$(NAME) stays literal, unknown names stay as they are.
[[nodiscard]] std::string expand_variables(std::string_view text, const std::map<std::string, std::string>& variables);

}  // namespace holdfast::sandbox
