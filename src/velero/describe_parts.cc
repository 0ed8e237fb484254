#include "velero/describe_parts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "velero/filter.h"
#include "velero/selector.h"

namespace holdfast::velero::parts {

namespace {

std::string map_lines(std::string_view name, const StringMap& map) {
  if (map.empty()) return fmt::format("{}:\t<none>\n", name);
  std::string out;
  for (const auto& [key, value] : map)
    out += out.empty() ? fmt::format("{}:\t{}={}\n", name, key, value) : fmt::format("\t{}={}\n", key, value);
  return out;
}

std::string exec_hook(std::string_view title, const std::optional<ExecHook>& hook) {
  if (!hook) return {};
  return fmt::format(
      "\n\t\t\t{} Exec Hook:\n\t\t\t\tContainer:\t{}\n\t\t\t\tCommand:\t{}\n\t\t\t\tOn Error:\t{}\n"
      "\t\t\t\tTimeout:\t{}\n",
      title, hook->container, fmt::join(hook->command, " "), hook->on_error,
      format_go_duration(hook->timeout.value_or(Duration{})));
}

std::string hooks_text(const BackupHooks& hooks) {
  if (hooks.resources.empty()) return "Hooks:\t<none>\n";
  std::string out = "Hooks:\n\tResources:\n";
  for (const BackupResourceHookSpec& spec : hooks.resources) {
    out += fmt::format("\t\t{}:\n\t\t\tNamespaces:\n\t\t\t\tIncluded:\t{}\n\t\t\t\tExcluded:\t{}\n\n", spec.name,
                       list_or(spec.included_namespaces, "*"), list_or(spec.excluded_namespaces, "<none>"));
    out += fmt::format("\t\t\tResources:\n\t\t\t\tIncluded:\t{}\n\t\t\t\tExcluded:\t{}\n\n",
                       list_or(spec.included_resources, "*"), list_or(spec.excluded_resources, "<none>"));
    out += fmt::format("\t\t\tLabel selector:\t{}\n",
                       spec.label_selector ? format_selector(*spec.label_selector) : "<none>");
    for (const BackupResourceHook& hook : spec.pre) out += exec_hook("Pre", hook.exec);
    for (const BackupResourceHook& hook : spec.post) out += exec_hook("Post", hook.exec);
  }
  return out;
}

std::string resources_text(const BackupSpec& spec) {
  if (uses_scoped_filters(spec))
    return fmt::format(
        "Resources:\n\tIncluded cluster-scoped:\t{}\n\tExcluded cluster-scoped:\t{}\n"
        "\tIncluded namespace-scoped:\t{}\n\tExcluded namespace-scoped:\t{}\n",
        list_or(spec.included_cluster_scoped_resources, "<none>"),
        list_or(spec.excluded_cluster_scoped_resources, "<none>"),
        list_or(spec.included_namespace_scoped_resources, "*"),
        list_or(spec.excluded_namespace_scoped_resources, "<none>"));
  std::string cluster = "auto";
  if (spec.include_cluster_resources) cluster = *spec.include_cluster_resources ? "included" : "excluded";
  return fmt::format("Resources:\n\tIncluded:\t{}\n\tExcluded:\t{}\n\tCluster-scoped:\t{}\n",
                     list_or(spec.included_resources, "*"), list_or(spec.excluded_resources, "<none>"), cluster);
}

/// A server of 1.17 or later filled in the spec: its describe shows what older ones keep to themselves.
bool defaulted_since_117(const BackupSpec& spec) {
  return !spec.volume_group_snapshot_label_key.empty();
}

}  // namespace

std::string time_text(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return fmt::format("{:%Y-%m-%d %H:%M:%S} +0000 UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string time_or(const std::optional<Time>& time, std::string_view other) {
  return time ? time_text(*time) : std::string(other);
}

std::string tri_state(const std::optional<bool>& value) {
  if (!value) return "auto";
  return *value ? "true" : "false";
}

std::string list_or(const StringList& list, std::string_view other) {
  return list.empty() ? std::string(other) : fmt::format("{}", fmt::join(list, ", "));
}

std::string metadata(const ObjectMeta& metadata) {
  return fmt::format("Name:\t{}\nNamespace:\t{}\n", metadata.name, metadata.namespace_) +
         map_lines("Labels", metadata.labels) + map_lines("Annotations", metadata.annotations);
}

std::string selectors(const std::optional<LabelSelector>& one, const std::vector<LabelSelector>& any) {
  StringList texts;
  for (const LabelSelector& selector : any) texts.push_back(format_selector(selector));
  return fmt::format("Label selector:\t{}\n\nOr label selector:\t{}\n", one ? format_selector(*one) : "<none>",
                     texts.empty() ? "<none>" : fmt::format("{}", fmt::join(texts, " or ")));
}

std::string slice(size_t depth, std::string_view name, const StringList& list) {
  const std::string tabs(depth, '\t');
  if (list.empty()) return fmt::format("{}{}:\t\t<none>\n", tabs, name);
  std::string out;
  for (const std::string& text : list)
    out += out.empty() ? fmt::format("{}{}:\t{}\n", tabs, name, text) : fmt::format("{}\t{}\n", tabs, text);
  return out;
}

std::string findings(std::string_view title, const Findings& findings) {
  std::string out =
      fmt::format("{}:\n", title) + slice(1, "Velero", findings.velero) + slice(1, "Cluster", findings.cluster);
  if (findings.namespaces.empty()) return out + "\tNamespaces: <none>\n";
  out += "\tNamespaces:\n";
  for (const auto& [name, list] : findings.namespaces) out += slice(2, name, list);
  return out;
}

std::string resource_list(const ResourceList& list) {
  std::string out = "Resource List:\n";
  for (const auto& [type, entries] : list) {
    out += fmt::format("\t{}:\n", type);
    for (const std::string& entry : entries) out += fmt::format("\t\t- {}\n", entry);
  }
  return out;
}

std::string pod_volume_name(const BackupVolumeInfo& info) {
  const PodVolumeInfo& volume = *info.pvb_info;
  if (volume.incremental_size > 0)
    return fmt::format("{} (size: {}, incremental size: {})", volume.volume_name, volume.size, volume.incremental_size);
  // Files without results are of 1.14 and older, whose describe shows no sizes.
  if (volume.size > 0 && !info.result.empty()) return fmt::format("{} (size: {})", volume.volume_name, volume.size);
  return volume.volume_name;
}

std::string backup_spec(const BackupSpec& spec) {
  std::string out = fmt::format("Namespaces:\n\tIncluded:\t{}\n\tExcluded:\t{}\n\n",
                                list_or(spec.included_namespaces, "*"), list_or(spec.excluded_namespaces, "<none>"));
  out += resources_text(spec) + "\n" + selectors(spec.label_selector, spec.or_label_selectors);
  out += fmt::format("\nStorage Location:\t{}\n\n", spec.storage_location);
  out += fmt::format("Velero-Native Snapshot PVs:\t{}\n", tri_state(spec.snapshot_volumes));
  if (defaulted_since_117(spec) && spec.default_volumes_to_fs_backup)
    out += fmt::format("File System Backup (Default):\t{}\n", tri_state(spec.default_volumes_to_fs_backup));
  out += fmt::format("Snapshot Move Data:\t{}\nData Mover:\t{}\n\n", tri_state(spec.snapshot_move_data),
                     spec.data_mover.empty() ? "velero" : spec.data_mover);
  out += fmt::format("TTL:\t{}\n\n", format_go_duration(spec.ttl.value_or(Duration{})));
  out += fmt::format("CSISnapshotTimeout:\t{}\nItemOperationTimeout:\t{}\n\n",
                     format_go_duration(spec.csi_snapshot_timeout.value_or(Duration{})),
                     format_go_duration(spec.item_operation_timeout.value_or(Duration{})));
  return out + hooks_text(spec.hooks);
}

}  // namespace holdfast::velero::parts
