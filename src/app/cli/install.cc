// install: options into an installation, an installation into a cluster, in order, as often as wanted.
#include <fmt/format.h>

#include "app/cli/apply.h"
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "base/file.h"
#include "install/installation.h"

namespace holdfast::app {

namespace {

using config::Kind;

constexpr Duration kWait = std::chrono::minutes(5);

const kube::ResourceType kDeployments{.group = "apps",
                                      .version = "v1",
                                      .plural = "deployments",
                                      .kind = "Deployment",
                                      .singular = "deployment",
                                      .short_names = {},
                                      .verbs = {}};
const kube::ResourceType kDaemonSets{.group = "apps",
                                     .version = "v1",
                                     .plural = "daemonsets",
                                     .kind = "DaemonSet",
                                     .singular = "daemonset",
                                     .short_names = {},
                                     .verbs = {}};

Status location_from(const config::Arguments& arguments, install::Options& options) {
  options.store_directory = arguments.text("store-directory");
  options.default_location = !arguments.boolean("no-default-backup-location");
  if (!options.store_directory.empty() || arguments.boolean("no-default-backup-location")) return {};
  if (arguments.text("bucket").empty() || arguments.text("provider").empty())
    return Error(ErrorCode::invalid, "--provider and --bucket are required",
                 "or --store-directory, or --no-default-backup-location");
  install::LocationOptions location{.provider = arguments.text("provider"),
                                    .bucket = arguments.text("bucket"),
                                    .prefix = arguments.text("prefix"),
                                    .config = arguments.map("backup-location-config")};
  if (const std::string path = arguments.text("cacert"); !path.empty()) location.ca_certificate = TRY(read_file(path));
  options.location = std::move(location);
  if (arguments.text("secret-file").empty() && !arguments.boolean("no-secret"))
    return Error(ErrorCode::invalid, "one of --secret-file or --no-secret is required");
  return {};
}

/// Options of the controller that were given, as its own command line.
std::vector<std::string> controller_arguments(const config::Arguments& arguments) {
  std::vector<std::string> out;
  if (arguments.boolean("default-volumes-to-fs-backup")) out.push_back("--default-volumes-to-fs-backup");
  const std::pair<const char*, const char*> timed[] = {
      {"garbage-collection-frequency", "--garbage-collection-frequency"},
      {"pod-volume-operation-timeout", "--fs-backup-timeout"},
  };
  for (const auto& [option, flag] : timed) {
    if (!arguments.given(option)) continue;
    out.emplace_back(flag);
    out.push_back(arguments.text(option));
  }
  return out;
}

install::ResourceOptions resources_from(const config::Arguments& arguments, const std::string& pod) {
  return {.cpu_request = arguments.text(pod + "-cpu-request"),
          .memory_request = arguments.text(pod + "-mem-request"),
          .cpu_limit = arguments.text(pod + "-cpu-limit"),
          .memory_limit = arguments.text(pod + "-mem-limit")};
}

Result<install::Options> options_from(const config::Arguments& arguments) {
  install::Options options;
  options.ns = arguments.text("namespace");
  options.image = arguments.text("image");
  options.site = arguments.text("site");
  options.replicas = arguments.number("replicas");
  options.use_node_agent = arguments.boolean("use-node-agent");
  options.privileged_node_agent = arguments.boolean("privileged-node-agent");
  options.kubelet_root = arguments.text("kubelet-root-dir");
  options.pod_annotations = arguments.map("pod-annotations");
  options.pod_labels = arguments.map("pod-labels");
  options.account_annotations = arguments.map("sa-annotations");
  options.controller_resources = resources_from(arguments, "velero-pod");
  options.agent_resources = resources_from(arguments, "node-agent-pod");
  options.controller_arguments = controller_arguments(arguments);
  TRY(location_from(arguments, options));
  if (const std::string path = arguments.text("secret-file"); !path.empty())
    options.credentials = TRY(read_file(path, size_t{1} << 20));
  return options;
}

/// Objects of a CRD can be created once the server has taken its names.
Status wait_for_definition(const Surroundings& surroundings, kube::Api& api, const std::string& name) {
  const BootTime deadline = surroundings.clock->boottime() + kWait;
  while (true) {
    const json::value crd = TRY(api.get(kube::types::custom_resource_definitions(), "", name));
    for (const json::value& condition : json::array_at(crd, {"status", "conditions"}))
      if (json::string_at(condition, {"type"}) == "Established" && json::string_at(condition, {"status"}) == "True")
        return {};
    if (surroundings.clock->boottime() >= deadline)
      return Error(ErrorCode::timeout, fmt::format("CustomResourceDefinition/{}: not established in time", name));
    TRY(surroundings.clock->sleep({}, std::chrono::milliseconds(200)));
  }
}

bool rolled_out(const json::value& workload) {
  const int64_t generation = json::int_at(workload, {"metadata", "generation"});
  if (json::int_at(workload, {"status", "observedGeneration"}) < generation) return false;
  if (json::string_at(workload, {"kind"}) == "Deployment") {
    const int64_t wanted = json::int_at(workload, {"spec", "replicas"}, 1);
    return json::int_at(workload, {"status", "updatedReplicas"}) >= wanted &&
           json::int_at(workload, {"status", "availableReplicas"}) >= wanted;
  }
  const int64_t wanted = json::int_at(workload, {"status", "desiredNumberScheduled"});
  return json::int_at(workload, {"status", "updatedNumberScheduled"}) >= wanted &&
         json::int_at(workload, {"status", "numberReady"}) >= wanted;
}

Status wait_for_workload(const Surroundings& surroundings, kube::Api& api, const kube::ResourceType& type,
                         const std::string& ns, const std::string& name) {
  surroundings.out(fmt::format("Waiting for {} {} to be ready.\n", type.singular, name));
  const BootTime deadline = surroundings.clock->boottime() + kWait;
  while (true) {
    if (rolled_out(TRY(api.get(type, ns, name)))) return {};
    if (surroundings.clock->boottime() >= deadline)
      return Error(ErrorCode::timeout, fmt::format("{}/{} is not ready after five minutes", type.singular, name),
                   fmt::format("kubectl -n {} describe pods shows why", ns));
    TRY(surroundings.clock->sleep({}, std::chrono::milliseconds(500)));
  }
}

Status apply_all(const Surroundings& surroundings, kube::Api& api, const std::vector<json::value>& objects) {
  bool definitions = true;
  std::vector<std::string> defined;
  for (const json::value& object : objects) {
    const std::string kind = json::string_at(object, {"kind"});
    const std::string name = json::string_at(object, {"metadata", "name"});
    if (definitions && kind != "CustomResourceDefinition") {
      for (const std::string& crd : defined) TRY(wait_for_definition(surroundings, api, crd));
      definitions = false;
    }
    const Applied applied = TRY(apply(api, object));
    if (kind == "CustomResourceDefinition") defined.push_back(name);
    surroundings.out(
        fmt::format("{}/{}: {}\n", kind, name, applied == Applied::created ? "created" : "already exists, updated"));
  }
  return {};
}

Result<int> print_objects(const Surroundings& surroundings, const std::vector<json::value>& objects, Format format) {
  json::array items(objects.begin(), objects.end());
  surroundings.out(
      object_text(format, json::object{{"apiVersion", "v1"}, {"items", std::move(items)}, {"kind", "List"}}));
  return 0;
}

Result<int> install_verb(const Surroundings& surroundings, const config::Arguments& arguments) {
  const bool definitions_only = arguments.boolean("crds-only");
  install::Options options;
  if (!definitions_only) options = TRY(options_from(arguments));
  const std::vector<json::value> objects =
      definitions_only ? install::definitions() : TRY(install::installation(options));
  const std::optional<Format> format = output_format(arguments);
  if (format == Format::table) return Error(ErrorCode::invalid, "-o table is not for install", "use yaml or json");
  if (format) TRY(print_objects(surroundings, objects, *format));
  if (arguments.boolean("dry-run")) {
    if (!format) surroundings.out("Nothing was sent; -o yaml shows the objects.\n");
    return 0;
  }
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  TRY(apply_all(surroundings, *cluster.api, objects));
  if (definitions_only) return 0;
  if (arguments.boolean("wait")) {
    TRY(wait_for_workload(surroundings, *cluster.api, kDeployments, cluster.ns, "velero"));
    if (options.use_node_agent)
      TRY(wait_for_workload(surroundings, *cluster.api, kDaemonSets, cluster.ns, "node-agent"));
  }
  surroundings.out(
      fmt::format("holdfast is installed. 'kubectl logs deployment/velero -n {}' shows what it does.\n", cluster.ns));
  return 0;
}

std::vector<config::Option> location_options() {
  return {
      {.name = "provider", .help = "aws for everything that speaks S3"},
      {.name = "bucket", .help = "bucket of the default backup location"},
      {.name = "prefix", .help = "path in the bucket below which everything is kept"},
      {.name = "backup-location-config", .kind = Kind::map, .help = "settings of the default backup location"},
      {.name = "store-directory",
       .help = "instead of a bucket: a directory of the nodes, the same on all of them, as the backup location",
       .value_name = "PATH"},
      {.name = "secret-file", .help = "file with the object store's credentials", .value_name = "FILE"},
      {.name = "no-secret", .kind = Kind::boolean, .help = "make no Secret with credentials"},
      {.name = "no-default-backup-location",
       .kind = Kind::boolean,
       .help = "make no backup location; a store directory is mounted all the same"},
      {.name = "cacert", .help = "certificates to trust for the object store", .value_name = "FILE"},
  };
}

std::vector<config::Option> workload_options() {
  std::vector<config::Option> out{
      {.name = "image", .help = "image of all pods; localhost/holdfast with this program's version without it"},
      {.name = "site", .help = "name of this site in the backups it makes; the cluster's id without it"},
      {.name = "replicas", .kind = Kind::number, .help = "controllers; one works, the others wait", .fallback = "2"},
      {.name = "use-node-agent", .kind = Kind::boolean, .help = "run the node agent, which backs up volumes"},
      {.name = "privileged-node-agent", .kind = Kind::boolean, .help = "run the node agent privileged"},
      {.name = "kubelet-root-dir", .help = "the kubelet's directory", .fallback = "/var/lib/kubelet"},
      {.name = "default-volumes-to-fs-backup",
       .kind = Kind::boolean,
       .help = "back up the files of all volumes of pods, unless a backup or pod says otherwise"},
      {.name = "garbage-collection-frequency", .kind = Kind::duration, .help = "how often expired backups are deleted"},
      {.name = "pod-volume-operation-timeout", .kind = Kind::duration, .help = "how long a volume may take"},
      {.name = "pod-annotations", .kind = Kind::map, .help = "annotations of all pods"},
      {.name = "pod-labels", .kind = Kind::map, .help = "labels of all pods"},
      {.name = "sa-annotations", .kind = Kind::map, .help = "annotations of the service accounts"},
      {.name = "plugins", .kind = Kind::list, .help = "taken for Velero's sake; nothing is a plugin here"},
      {.name = "uploader-type", .help = "who moves the files of volumes", .fallback = "restic", .choices = {"restic"}},
      {.name = "use-volume-snapshots",
       .kind = Kind::boolean,
       .help = "taken for Velero's sake; snapshot locations are not made"},
  };
  const std::pair<const char*, const char*> pods[] = {{"velero-pod", "the controller's pods"},
                                                      {"node-agent-pod", "the node agent's pods"}};
  for (const auto& [pod, whose] : pods)
    for (const char* what : {"cpu-request", "mem-request", "cpu-limit", "mem-limit"})
      out.push_back({.name = fmt::format("{}-{}", pod, what),
                     .help = fmt::format("{} of {}; 0: none", what, whose),
                     .value_name = "QUANTITY"});
  return out;
}

}  // namespace

config::Command install_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = location_options();
  for (config::Option& option : workload_options()) options.push_back(std::move(option));
  options.push_back({.name = "crds-only", .kind = Kind::boolean, .help = "only the CustomResourceDefinitions"});
  options.push_back({.name = "dry-run", .kind = Kind::boolean, .help = "send nothing"});
  options.push_back(output_option("print the objects as json or yaml"));
  options.push_back({.name = "wait", .kind = Kind::boolean, .help = "return when the pods are ready"});
  return {.name = "install",
          .summary = "Install holdfast into a cluster, or update it there",
          .examples = {"holdfast install --provider aws --bucket backups --secret-file credentials --use-node-agent "
                       "--backup-location-config region=eu-central-1 --wait",
                       "# a directory as the store",
                       "holdfast install --store-directory /srv/store --use-node-agent --site a --wait",
                       "# for somebody else to apply",
                       "holdfast install --bucket backups --provider aws --no-secret --dry-run -o yaml"},
          .options = std::move(options),
          .run = runs(surroundings, install_verb)};
}

}  // namespace holdfast::app
