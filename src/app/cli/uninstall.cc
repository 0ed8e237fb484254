#include <fmt/format.h>

#include "app/cli/apply.h"
#include "app/cli/cluster.h"
#include "app/cli/commands.h"
#include "app/cli/selection.h"
#include "install/installation.h"
#include "velero/names.h"

namespace holdfast::app {

namespace {

constexpr Duration kWait = std::chrono::minutes(5);

Status remove_if_there(kube::Api& api, const kube::ResourceType& type, const std::string& ns, const std::string& name) {
  const Status status = api.remove(type, ns, name, {.propagation = "Background"});
  if (status.is(ErrorCode::not_found)) return {};
  return Status(status).in(fmt::format("{}/{}", type.kind, name));
}

kube::ResourceType cluster_type(std::string plural, std::string kind) {
  return {.group = "rbac.authorization.k8s.io",
          .version = "v1",
          .plural = std::move(plural),
          .kind = std::move(kind),
          .namespaced = false,
          .singular = {},
          .short_names = {},
          .verbs = {}};
}

/// A Restore's finalizer would have the controller, which is about to go, delete its files from the bucket.
Status release_restores(const Cluster& cluster) {
  Result<std::vector<velero::Restore>> restores = list_objects<velero::Restore>(cluster);
  if (restores.is(ErrorCode::not_found)) return {};  // no such type: the definitions are gone already
  for (const velero::Restore& restore : TRY(std::move(restores))) {
    if (restore.metadata.finalizers.empty()) continue;
    TRY(change_object<velero::Restore>(cluster, restore.metadata.name, [](velero::Restore& object) -> Status {
      std::erase(object.metadata.finalizers, std::string(velero::finalizer::kRestoreExternalResources));
      return {};
    }));
  }
  return {};
}

Status wait_until_gone(const Surroundings& surroundings, const Cluster& cluster) {
  const BootTime deadline = surroundings.clock->boottime() + kWait;
  while (true) {
    const Result<json::value> ns = cluster.api->get(kube::types::namespaces(), "", cluster.ns);
    if (ns.is(ErrorCode::not_found)) return {};
    if (!ns) return ns.error();
    if (surroundings.clock->boottime() >= deadline)
      return Error(ErrorCode::timeout, fmt::format("namespace {} is still there after five minutes", cluster.ns),
                   "kubectl get namespace -o yaml shows what keeps it");
    TRY(surroundings.clock->sleep({}, std::chrono::milliseconds(500)));
  }
}

Result<int> uninstall(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  if (!arguments.boolean("force")) {
    surroundings.out(
        fmt::format("You are about to uninstall holdfast from namespace {}: its records of backups and "
                    "restores go, the backups themselves stay in their locations.\n",
                    cluster.ns));
    if (!confirmed(surroundings, arguments)) return 0;
  }
  // Controllers first: they must not act on what goes next.
  kube::ResourceType deployments{.group = "apps",
                                 .version = "v1",
                                 .plural = "deployments",
                                 .kind = "Deployment",
                                 .singular = {},
                                 .short_names = {},
                                 .verbs = {}};
  TRY(remove_if_there(*cluster.api, deployments, cluster.ns, "velero"));
  TRY(release_restores(cluster));
  TRY(remove_if_there(*cluster.api, kube::types::namespaces(), "", cluster.ns));
  const install::ClusterNames names = install::cluster_names(cluster.ns);
  for (const std::string& name : names.bindings)
    TRY(remove_if_there(*cluster.api, cluster_type("clusterrolebindings", "ClusterRoleBinding"), "", name));
  for (const std::string& name : names.roles)
    TRY(remove_if_there(*cluster.api, cluster_type("clusterroles", "ClusterRole"), "", name));
  TRY(wait_until_gone(surroundings, cluster));
  for (const json::value& crd : install::definitions())
    TRY(remove_if_there(*cluster.api, kube::types::custom_resource_definitions(), "",
                        json::string_at(crd, {"metadata", "name"})));
  surroundings.out("holdfast is uninstalled.\n");
  return 0;
}

}  // namespace

config::Command uninstall_command(const Surroundings& surroundings) {
  return {.name = "uninstall",
          .summary = "Remove holdfast from a cluster; what is in the backup locations stays",
          .examples = {"holdfast uninstall --force"},
          .options = {{.name = "force", .kind = config::Kind::boolean, .help = "do it without asking"},
                      {.name = "confirm", .kind = config::Kind::boolean, .help = "the same"},
                      {.name = "wait", .kind = config::Kind::boolean, .help = "taken for Velero's sake; it waits"}},
          .run = runs(surroundings, uninstall)};
}

}  // namespace holdfast::app
