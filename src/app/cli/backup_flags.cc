#include "app/cli/backup_flags.h"

#include <fmt/format.h>

#include "app/cli/output.h"
#include "base/text.h"
#include "kube/selector.h"

namespace holdfast::app {

namespace {

using config::Kind;

std::vector<config::Option> filter_options() {
  return {
      {.name = "include-namespaces", .kind = Kind::list, .help = "namespaces to take; * for all", .fallback = "*"},
      {.name = "exclude-namespaces", .kind = Kind::list, .help = "namespaces to leave out"},
      {.name = "include-resources", .kind = Kind::list, .help = "types to take, as RESOURCE.GROUP; * for all"},
      {.name = "exclude-resources", .kind = Kind::list, .help = "types to leave out, as RESOURCE.GROUP"},
      {.name = "include-cluster-resources",
       .kind = Kind::boolean,
       .help = "take cluster-scoped objects; not given: those that belong to what is taken"},
      {.name = "include-cluster-scoped-resources",
       .kind = Kind::list,
       .help = "cluster-scoped types to take; not together with the four flags above"},
      {.name = "exclude-cluster-scoped-resources", .kind = Kind::list, .help = "cluster-scoped types to leave out"},
      {.name = "include-namespace-scoped-resources", .kind = Kind::list, .help = "namespaced types to take"},
      {.name = "exclude-namespace-scoped-resources", .kind = Kind::list, .help = "namespaced types to leave out"},
      {.name = "selector", .help = "only objects with these labels", .letter = 'l', .value_name = "SELECTOR"},
      {.name = "or-selector",
       .help = "only objects that match one of several selectors, written \"a=b or c=d\"",
       .value_name = "SELECTORS"},
  };
}

std::vector<config::Option> volume_options() {
  return {
      {.name = "default-volumes-to-fs-backup",
       .kind = Kind::boolean,
       .help = "back up the files of all volumes of pods, unless a pod says otherwise"},
      {.name = "snapshot-volumes", .kind = Kind::boolean, .help = "take snapshots of volumes by the storage"},
      {.name = "snapshot-move-data", .kind = Kind::boolean, .help = "move the data of snapshots to the location"},
      {.name = "data-mover", .help = "who moves the data of snapshots; velero is the built-in one"},
      {.name = "volume-snapshot-locations", .kind = Kind::list, .help = "where snapshots of volumes are kept"},
      {.name = "csi-snapshot-timeout", .kind = Kind::duration, .help = "how long a CSI snapshot may take"},
      {.name = "item-operation-timeout",
       .kind = Kind::duration,
       .help = "how long operations that run on after the objects are taken may take"},
      {.name = "parallel-files-upload", .kind = Kind::number, .help = "files of a volume read at the same time"},
  };
}

/// "pods=ns1/a,ns1/b;persistentvolumeclaims=ns1/c"
Result<velero::StringMap> ordered_resources(const std::string& text) {
  velero::StringMap out;
  if (text.empty()) return out;
  for (const std::string& part : split(text, ';')) {
    const std::vector<std::string> sides = split(part, '=');
    if (sides.size() != 2 || trim(sides[0]).empty())
      return Error(ErrorCode::invalid, fmt::format("--ordered-resources: \"{}\" is not RESOURCE=NAME,NAME", part));
    out[std::string(trim(sides[0]))] = trim(sides[1]);
  }
  return out;
}

}  // namespace

std::vector<config::Option> backup_options() {
  std::vector<config::Option> out = filter_options();
  for (config::Option& option : volume_options()) out.push_back(std::move(option));
  out.push_back({.name = "labels", .kind = Kind::map, .help = "labels of the backup"});
  out.push_back({.name = "annotations", .kind = Kind::map, .help = "annotations of the backup"});
  out.push_back({.name = "storage-location", .help = "backup location to use; not given: the default one"});
  out.push_back({.name = "ttl", .kind = Kind::duration, .help = "how long the backup is kept"});
  out.push_back({.name = "ordered-resources",
                 .help = "objects to take in this order: \"pods=ns1/a,ns1/b;persistentvolumeclaims=ns1/c\"",
                 .value_name = "LISTS"});
  out.push_back({.name = "resource-policies-configmap", .help = "ConfigMap with rules for volumes and objects"});
  for (config::Option& option : create_output_options()) out.push_back(std::move(option));
  return out;
}

velero::TypedLocalReference config_map_reference(const std::string& name) {
  velero::TypedLocalReference out{.kind = "configmap", .name = name, .extra = {}};
  out.extra["apiGroup"] = nullptr;
  return out;
}

Result<velero::LabelSelector> label_selector(const std::string& text) {
  const kube::LabelSelector parsed = TRY(kube::LabelSelector::parse(text));
  velero::LabelSelector out;
  using Op = kube::LabelRequirement::Op;
  for (const kube::LabelRequirement& need : parsed.requirements()) {
    if (need.op == Op::in && need.values.size() == 1) {
      out.match_labels[need.key] = need.values.front();
      continue;
    }
    if (need.op == Op::greater || need.op == Op::less)
      return Error(ErrorCode::invalid, fmt::format("label selector \"{}\": < and > cannot be stored in a spec", text));
    const char* op = need.op == Op::in       ? "In"
                     : need.op == Op::not_in ? "NotIn"
                     : need.op == Op::exists ? "Exists"
                                             : "DoesNotExist";
    out.match_expressions.push_back({need.key, op, need.values, {}});
  }
  return out;
}

Result<std::vector<velero::LabelSelector>> or_label_selectors(const std::string& text) {
  std::vector<velero::LabelSelector> out;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(" or ", begin), text.size());
    out.push_back(TRY(label_selector(text.substr(begin, end - begin))));
    begin = end == text.size() ? end : end + 4;
  }
  return out;
}

Result<velero::BackupSpec> backup_spec(const config::Arguments& arguments) {
  velero::BackupSpec spec;
  spec.included_namespaces = arguments.list("include-namespaces");
  spec.excluded_namespaces = arguments.list("exclude-namespaces");
  spec.included_resources = arguments.list("include-resources");
  spec.excluded_resources = arguments.list("exclude-resources");
  spec.include_cluster_resources = arguments.optional_boolean("include-cluster-resources");
  spec.included_cluster_scoped_resources = arguments.list("include-cluster-scoped-resources");
  spec.excluded_cluster_scoped_resources = arguments.list("exclude-cluster-scoped-resources");
  spec.included_namespace_scoped_resources = arguments.list("include-namespace-scoped-resources");
  spec.excluded_namespace_scoped_resources = arguments.list("exclude-namespace-scoped-resources");
  if (const std::string text = arguments.text("selector"); !text.empty())
    spec.label_selector = TRY(label_selector(text).in("--selector"));
  spec.or_label_selectors = TRY(or_label_selectors(arguments.text("or-selector")).in("--or-selector"));
  if (spec.label_selector && !spec.or_label_selectors.empty())
    return Error(ErrorCode::invalid, "--selector and --or-selector cannot be used together");
  spec.default_volumes_to_fs_backup = arguments.optional_boolean("default-volumes-to-fs-backup");
  spec.snapshot_volumes = arguments.optional_boolean("snapshot-volumes");
  spec.snapshot_move_data = arguments.optional_boolean("snapshot-move-data");
  spec.data_mover = arguments.text("data-mover");
  spec.volume_snapshot_locations = arguments.list("volume-snapshot-locations");
  // Zero stands for the server's default, as velero sends it.
  spec.ttl = arguments.duration("ttl");
  spec.csi_snapshot_timeout = arguments.duration("csi-snapshot-timeout");
  spec.item_operation_timeout = arguments.duration("item-operation-timeout");
  if (const int64_t parallel = arguments.number("parallel-files-upload"); parallel > 0)
    spec.uploader_config = velero::UploaderConfigForBackup{parallel, {}};
  spec.storage_location = arguments.text("storage-location");
  spec.ordered_resources = TRY(ordered_resources(arguments.text("ordered-resources")));
  if (const std::string name = arguments.text("resource-policies-configmap"); !name.empty())
    spec.resource_policy = config_map_reference(name);
  return spec;
}

}  // namespace holdfast::app
