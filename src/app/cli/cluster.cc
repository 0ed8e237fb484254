#include "app/cli/cluster.h"

#include <fmt/format.h>

namespace holdfast::app {

std::vector<config::Option> cluster_options() {
  using config::Kind;
  return {
      {.name = "namespace",
       .help = "namespace of the installation",
       .fallback = "velero",
       .letter = 'n',
       .environment = "VELERO_NAMESPACE"},
      {.name = "kubeconfig",
       .help = "kubeconfig file; without it KUBECONFIG, then ~/.kube/config, then the pod's service account",
       .value_name = "FILE"},
      {.name = "kubecontext", .help = "context of the kubeconfig; without it the current one", .value_name = "NAME"},
      {.name = "features", .kind = Kind::list, .help = "taken for Velero's sake; no feature needs a switch here"},
      {.name = "colorized", .kind = Kind::boolean, .help = "taken for Velero's sake; the output has no colours"},
  };
}

Error plainly(const Error& error, const kube::ResourceType& type, const std::string& name) {
  const std::string sentence = fmt::format("{} \"{}\" ", type.group_resource(), name);
  const size_t at = error.message().find(sentence);
  if (at == std::string::npos || at == 0) return error;
  return Error(error.code(), error.message().substr(at), error.hint());
}

Result<Cluster> open_cluster(const Surroundings& surroundings, const config::Arguments& arguments, Duration patience) {
  std::shared_ptr<kube::Api> api =
      TRY(surroundings.open({arguments.text("kubeconfig"), arguments.text("kubecontext"), patience}));
  return Cluster{std::move(api), arguments.text("namespace")};
}

}  // namespace holdfast::app
