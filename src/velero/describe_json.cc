#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "velero/describe.h"
#include "velero/describe_parts.h"
#include "velero/filter.h"
#include "velero/selector.h"

namespace holdfast::velero {

namespace {

json::object map_json(const StringMap& map) {
  json::object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

json::object lists_json(const StringList& included, const StringList& excluded) {
  json::object out;
  out["excluded"] = parts::list_or(excluded, "<none>");
  out["included"] = parts::list_or(included, "*");
  return out;
}

json::array hooks_json(const std::vector<BackupResourceHook>& hooks) {
  json::array out;
  for (const BackupResourceHook& hook : hooks) {
    if (!hook.exec) continue;
    json::object exec;
    exec["command"] = fmt::format("{}", fmt::join(hook.exec->command, " "));
    exec["container"] = hook.exec->container;
    exec["onError:"] = hook.exec->on_error;  // with the colon: so it is in Velero's output
    exec["timeout"] = format_go_duration(hook.exec->timeout.value_or(Duration{}));
    out.push_back(exec);
  }
  return out;
}

json::object spec_json(const BackupSpec& spec) {
  json::object out;
  out["CSISnapshotTimeout"] = format_go_duration(spec.csi_snapshot_timeout.value_or(Duration{}));
  out["TTL"] = format_go_duration(spec.ttl.value_or(Duration{}));
  out["dataMover"] = spec.data_mover.empty() ? "<none>" : spec.data_mover;
  for (const BackupResourceHookSpec& hook : spec.hooks.resources) {
    json::object entry;
    entry["labelSelector"] = hook.label_selector ? format_selector(*hook.label_selector) : "<none>";
    entry["namespaces"] = lists_json(hook.included_namespaces, hook.excluded_namespaces);
    if (!hook.post.empty()) entry["postExecHook"] = hooks_json(hook.post);
    if (!hook.pre.empty()) entry["preExecHook"] = hooks_json(hook.pre);
    entry["resources"] = lists_json(hook.included_resources, hook.excluded_resources);
    json::set(out, {"hooks", "resources", hook.name}, entry);
  }
  out["labelSelector"] = spec.label_selector ? format_selector(*spec.label_selector) : "<none>";
  out["namespaces"] = lists_json(spec.included_namespaces, spec.excluded_namespaces);
  json::object resources = lists_json(spec.included_resources, spec.excluded_resources);
  const std::optional<bool>& cluster = spec.include_cluster_resources;
  resources["clusterScoped"] = !cluster ? "auto" : *cluster ? "included" : "excluded";
  // Velero's JSON leaves these out, though its text has them.
  if (uses_scoped_filters(spec)) {
    resources["excludedClusterScoped"] = parts::list_or(spec.excluded_cluster_scoped_resources, "<none>");
    resources["excludedNamespaceScoped"] = parts::list_or(spec.excluded_namespace_scoped_resources, "<none>");
    resources["includedClusterScoped"] = parts::list_or(spec.included_cluster_scoped_resources, "<none>");
    resources["includedNamespaceScoped"] = parts::list_or(spec.included_namespace_scoped_resources, "*");
  }
  out["resources"] = resources;
  out["storageLocation"] = spec.storage_location;
  out["veleroNativeSnapshotPVs"] = parts::tri_state(spec.snapshot_volumes);
  out["veleroSnapshotMoveData"] = parts::tri_state(spec.snapshot_move_data);
  return out;
}

json::value csi_json(const BackupVolumeInfo& info, bool details) {
  if (!details) return "included, specify --details for more information";
  const CsiSnapshotInfo csi = info.csi_snapshot_info.value_or(CsiSnapshotInfo{});
  json::object out;
  out["csiDriver"] = csi.driver;
  if (!csi.operation_id.empty()) out["operationID"] = csi.operation_id;
  if (!info.result.empty()) out["result"] = info.result;
  out["snapshotContentName"] = csi.vsc_name;
  out["snapshotSize(bytes)"] = csi.size;
  out["storageSnapshotID"] = csi.snapshot_handle;
  return out;
}

json::object volumes_json(const BackupDescription& in) {
  json::object csi;
  json::object native;
  std::map<std::string, std::map<std::string, StringList>> pods;
  std::string uploader;
  for (const BackupVolumeInfo& info : in.volumes.value_or(std::vector<BackupVolumeInfo>{})) {
    if (info.backup_method == "CSISnapshot")
      json::set(csi, {fmt::format("{}/{}", info.pvc_namespace, info.pvc_name), "snapshot"}, csi_json(info, in.details));
    if (info.backup_method == "NativeSnapshot")
      native[info.pv_name] = info.native_snapshot_info ? info.native_snapshot_info->snapshot_handle : "";
    if (!info.pvb_info) continue;
    uploader = info.pvb_info->uploader_type;
    const std::string phase = info.pvb_info->phase.empty() ? "Completed" : info.pvb_info->phase;
    pods[phase][fmt::format("{}/{}", info.pvb_info->pod_namespace, info.pvb_info->pod_name)].push_back(
        parts::pod_volume_name(info));
  }
  json::object details;
  for (auto& [phase, entries] : pods) {
    json::array list;
    int64_t count = 0;
    for (auto& [pod, names] : entries) {
      std::sort(names.begin(), names.end());
      count += static_cast<int64_t>(names.size());
      json::object entry;
      entry[pod] = parts::list_or(names, "");
      list.push_back(entry);
    }
    if (in.details)
      details[phase] = list;
    else
      details[phase] = count;
  }
  json::object out;
  if (csi.empty())
    out["csiSnapshots"] = in.volumes ? "<none included>" : "<none included or not detectable>";
  else
    out["csiSnapshots"] = csi;
  if (native.empty())
    out["nativeSnapshots"] = "<none included>";
  else
    out["nativeSnapshots"] = native;
  out["podVolumeBackups"] = "<none included>";
  if (!pods.empty()) {
    json::object volumes;
    volumes["podVolumeBackupsDetails"] = details;
    volumes["uploderType"] = uploader;  // so spelled in Velero's output
    out["podVolumeBackups"] = volumes;
  }
  return out;
}

json::object findings_json(const Findings& findings) {
  json::object out;
  if (findings.count() == 0) return out;
  json::object namespaces;
  for (const auto& [name, list] : findings.namespaces) namespaces[name] = json::from_strings(list);
  out["cluster"] = json::from_strings(findings.cluster);
  out["namespace"] = namespaces;
  out["velero"] = json::from_strings(findings.velero);
  return out;
}

json::object status_json(const BackupDescription& in) {
  const BackupStatus& status = in.backup->status;
  json::object out;
  out["backupFormatVersion"] = status.format_version;
  out["backupVolumes"] = volumes_json(in);
  out["completed"] = parts::time_or(status.completion_timestamp, "<n/a>");
  out["expiration"] = parts::time_or(status.expiration, "<nil>");
  if (status.hook_status) {
    out["hooksAttempted"] = status.hook_status->hooks_attempted;
    out["hooksFailed"] = status.hook_status->hooks_failed;
  }
  if (status.progress) out["itemsBackedUp"] = status.progress->items_backed_up;
  if (in.details && in.resources) {
    json::object list;
    for (const auto& [type, entries] : *in.resources) list[type] = json::from_strings(entries);
    out["resourceList"] = list;
  }
  out["started"] = parts::time_or(status.start_timestamp, "<n/a>");
  if (status.progress) out["totalItemsToBeBackedUp"] = status.progress->total_items;
  return out;
}

}  // namespace

json::object describe_json(const BackupDescription& in) {
  const Backup& backup = *in.backup;
  json::object out;
  const bool found = in.results && in.results->errors.count() + in.results->warnings.count() > 0;
  if (found) out["errors"] = findings_json(in.results->errors);
  json::object metadata;
  metadata["annotations"] = map_json(backup.metadata.annotations);
  metadata["labels"] = map_json(backup.metadata.labels);
  metadata["name"] = backup.metadata.name;
  metadata["namespace"] = backup.metadata.namespace_;
  out["metadata"] = metadata;
  out["phase"] = backup.status.phase.empty() ? "New" : backup.status.phase;
  out["spec"] = spec_json(backup.spec);
  out["status"] = status_json(in);
  if (!backup.status.validation_errors.empty())
    out["validationErrors"] = json::from_strings(backup.status.validation_errors);
  if (found) out["warnings"] = findings_json(in.results->warnings);
  return out;
}

}  // namespace holdfast::velero
