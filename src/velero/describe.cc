#include "velero/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "velero/describe_parts.h"
#include "velero/names.h"
#include "velero/tab_text.h"

namespace holdfast::velero {

namespace {

constexpr size_t kPadding = 2;

/// phase -> "NAMESPACE/POD" -> volumes
using PodVolumes = std::map<std::string, std::map<std::string, StringList>>;

std::string pod_volumes_text(const PodVolumes& volumes, const std::string& indent, bool details) {
  std::string out;
  for (const auto& [phase, pods] : volumes) {
    if (!details) {
      size_t count = 0;
      for (const auto& [pod, names] : pods) count += names.size();
      out += fmt::format("{}{}:\t{}\n", indent, phase, count);
      continue;
    }
    out += fmt::format("{}{}:\n", indent, phase);
    for (const auto& [pod, names] : pods) {
      StringList sorted = names;
      std::sort(sorted.begin(), sorted.end());
      out += fmt::format("{}\t{}: {}\n", indent, pod, parts::list_or(sorted, ""));
    }
  }
  return out;
}

std::string csi_text(const BackupVolumeInfo& info, bool details) {
  std::string out = fmt::format("\t\t{}/{}:\n", info.pvc_namespace, info.pvc_name);
  if (!details) return out + "\t\t\tSnapshot: included, specify --details for more information\n";
  const CsiSnapshotInfo csi = info.csi_snapshot_info.value_or(CsiSnapshotInfo{});
  out += "\t\t\tSnapshot:\n";
  if (!csi.operation_id.empty()) out += fmt::format("\t\t\t\tOperation ID: {}\n", csi.operation_id);
  out += fmt::format(
      "\t\t\t\tSnapshot Content Name: {}\n\t\t\t\tStorage Snapshot ID: {}\n"
      "\t\t\t\tSnapshot Size (bytes): {}\n\t\t\t\tCSI Driver: {}\n",
      csi.vsc_name, csi.snapshot_handle, csi.size, csi.driver);
  if (!info.result.empty()) out += fmt::format("\t\t\t\tResult: {}\n", info.result);
  return out;
}

std::string volumes_text(const BackupDescription& in) {
  std::string out = "Backup Volumes:\n";
  std::string native;
  std::string csi;
  std::string uploader;
  PodVolumes pods;
  for (const BackupVolumeInfo& info : in.volumes.value_or(std::vector<BackupVolumeInfo>{})) {
    if (info.backup_method == "CSISnapshot") csi += csi_text(info, in.details);
    if (info.backup_method == "NativeSnapshot") {
      native += fmt::format("\t\t{}:{}\n", info.pv_name, in.details ? "" : "\tspecify --details for more information");
      if (in.details && info.native_snapshot_info)
        native +=
            fmt::format("\t\t\tSnapshot ID:\t{}\n\t\t\tType:\t{}\n\t\t\tAvailability Zone:\t{}\n\t\t\tIOPS:\t{}\n",
                        info.native_snapshot_info->snapshot_handle, info.native_snapshot_info->volume_type,
                        info.native_snapshot_info->volume_az, info.native_snapshot_info->iops);
    }
    if (!info.pvb_info) continue;
    uploader = info.pvb_info->uploader_type;
    const std::string name = parts::pod_volume_name(info);
    const std::string phase = info.pvb_info->phase.empty() ? "Completed" : info.pvb_info->phase;
    pods[phase][fmt::format("{}/{}", info.pvb_info->pod_namespace, info.pvb_info->pod_name)].push_back(name);
  }
  out += native.empty() ? "\tVelero-Native Snapshots: <none included>\n\n"
                        : "\tVelero-Native Snapshots:\n" + native + "\n";
  const std::string_view no_csi = in.volumes ? "<none included>" : "<none included or not detectable>";
  out += csi.empty() ? fmt::format("\tCSI Snapshots: {}\n\n", no_csi) : "\tCSI Snapshots:\n" + csi + "\n";
  if (pods.empty()) return out + "\tPod Volume Backups: <none included>\n";
  return out +
         fmt::format("\tPod Volume Backups - {}{}:\n", uploader.empty() ? "restic" : uploader,
                     in.details ? "" : " (specify --details for more information)") +
         pod_volumes_text(pods, "\t\t", in.details);
}

std::string operations_text(const std::vector<BackupOperation>& operations) {
  std::string out = "Backup Item Operations:\n";
  const auto name = [](const ResourceIdentifier& id) {
    return fmt::format("{}{}{} {}/{}", id.resource, id.group.empty() ? "" : ".", id.group, id.namespace_, id.name);
  };
  for (const BackupOperation& operation : operations) {
    out += fmt::format("\tOperation for {}:\n\t\tBackup Item Action Plugin:\t{}\n\t\tOperation ID:\t{}\n",
                       name(operation.spec.resource), operation.spec.backup_item_action, operation.spec.operation_id);
    if (!operation.spec.post_operation_items.empty()) out += "\t\tItems to Update:\n";
    for (const ResourceIdentifier& id : operation.spec.post_operation_items) out += fmt::format("\t\t\t{}\n", name(id));
    out += fmt::format("\t\tPhase:\t{}\n", operation.status.phase);
    if (!operation.status.error.empty()) out += fmt::format("\t\tOperation Error:\t{}\n", operation.status.error);
    for (const auto& [title, time] :
         {std::pair("Created", operation.status.created), std::pair("Started", operation.status.started),
          std::pair("Updated", operation.status.updated)})
      if (time) out += fmt::format("\t\t{}:\t{}\n", title, parts::time_text(*time));
  }
  return out;
}

std::string phase_text(const std::string& phase, const std::string& name, std::string_view kind, char quote) {
  const std::string shown = phase.empty() ? "New" : phase;
  if (shown != phase::kFailed && shown != phase::kPartiallyFailed) return shown;
  return fmt::format("{} (run {}velero {} logs {}{} for more information)", shown, quote, kind, name, quote);
}

std::string backup_status(const BackupDescription& in) {
  const BackupStatus& status = in.backup->status;
  std::string out = fmt::format("\nBackup Format Version:\t{}\n\n", status.format_version);
  out += fmt::format("Started:\t{}\nCompleted:\t{}\n\nExpiration:\t{}\n\n",
                     parts::time_or(status.start_timestamp, "<n/a>"),
                     parts::time_or(status.completion_timestamp, "<n/a>"), parts::time_or(status.expiration, "<nil>"));
  if (status.progress) {
    const bool running = status.phase == phase::kInProgress;
    out += fmt::format("{}:\t{}\n{}:\t{}\n\n",
                       running ? "Estimated total items to be backed up" : "Total items to be backed up",
                       status.progress->total_items, running ? "Items backed up so far" : "Items backed up",
                       status.progress->items_backed_up);
  }
  if (in.details && !in.operations.empty()) out += operations_text(in.operations);
  if (in.details && in.resources) out += parts::resource_list(*in.resources) + "\n";
  out += volumes_text(in);
  if (status.hook_status)
    out += fmt::format("\nHooksAttempted:\t{}\nHooksFailed:\t{}\n", status.hook_status->hooks_attempted,
                       status.hook_status->hooks_failed);
  return out;
}

std::string restore_volumes(const RestoreDescription& in) {
  if (in.volumes.empty()) return {};
  PodVolumes pods;
  for (const PodVolumeRestore& pvr : in.volumes) {
    std::string name = pvr.spec.volume;
    // Who notes the size of the snapshot shows the size of what was restored; older Veleros show none.
    if (pvr.spec.snapshot_size > 0 && pvr.status.progress.total_bytes > 0)
      name += fmt::format(" (size: {})", pvr.status.progress.total_bytes);
    pods[pvr.status.phase.empty() ? "New" : pvr.status.phase]
        [fmt::format("{}/{}", pvr.spec.pod.namespace_, pvr.spec.pod.name)]
            .push_back(name);
  }
  const std::string& type = in.volumes.front().spec.uploader_type;
  return fmt::format("{} Restores{}:\n", type.empty() ? "restic" : type,
                     in.details ? "" : " (specify --details for more information)") +
         pod_volumes_text(pods, "\t", in.details) + "\n";
}

std::string csi_restores(const RestoreDescription& in) {
  std::string out;
  for (const RestoreVolumeInfo& info : in.infos) {
    if (info.restore_method != "CSISnapshot") continue;
    out += fmt::format("\t{}/{}:\n", info.pvc_namespace, info.pvc_name);
    if (!in.details) {
      out += "\t\tSnapshot: specify --details for more information\n";
      continue;
    }
    const CsiSnapshotInfo csi = info.csi_snapshot_info.value_or(CsiSnapshotInfo{});
    out += fmt::format(
        "\t\tSnapshot:\n\t\t\tSnapshot Content Name: {}\n\t\t\tStorage Snapshot ID: {}\n\t\t\tCSI Driver: {}\n",
        csi.vsc_name, csi.snapshot_handle, csi.driver);
  }
  return out.empty() ? "CSI Snapshot Restores: <none included>\n" : "CSI Snapshot Restores:\n" + out;
}

std::string restore_head(const RestoreDescription& in) {
  const RestoreStatus& status = in.restore->status;
  std::string out = parts::metadata(in.restore->metadata) + "\n";
  out += fmt::format("Phase:\t{}\n", phase_text(status.phase, in.restore->metadata.name, "restore", '\''));
  if (status.progress) {
    const bool running = status.phase == phase::kInProgress;
    out += fmt::format("{}:\t{}\n{}:\t{}\n",
                       running ? "Estimated total items to be restored" : "Total items to be restored",
                       status.progress->total_items, running ? "Items restored so far" : "Items restored",
                       status.progress->items_restored);
  }
  out += fmt::format("\nStarted:\t{}\nCompleted:\t{}\n", parts::time_or(status.start_timestamp, "<n/a>"),
                     parts::time_or(status.completion_timestamp, "<n/a>"));
  if (!status.validation_errors.empty()) out += "\n" + parts::slice(0, "Validation errors", status.validation_errors);
  if (!status.failure_reason.empty()) out += fmt::format("\nFailure Reason:\t{}\n", status.failure_reason);
  if (in.results && in.results->warnings.count() > 0) out += "\n" + parts::findings("Warnings", in.results->warnings);
  if (in.results && in.results->errors.count() > 0) out += "\n" + parts::findings("Errors", in.results->errors);
  return out;
}

bool everything(const StringList& list) {
  return list.empty() || (list.size() == 1 && list[0] == "*");
}

}  // namespace

std::string describe(const BackupDescription& in) {
  const Backup& backup = *in.backup;
  std::string out = parts::metadata(backup.metadata) + "\n";
  out += fmt::format("Phase:\t{}\n", phase_text(backup.status.phase, backup.metadata.name, "backup", '`'));
  if (!backup.status.failure_reason.empty())
    out += fmt::format("\nFailure Reason:\t{}\n", backup.status.failure_reason);
  if (!backup.status.validation_errors.empty())
    out += "\n" + parts::slice(0, "Validation errors", backup.status.validation_errors);
  out += "\n";
  if (in.results && in.results->warnings.count() > 0) out += "\n" + parts::findings("Warnings", in.results->warnings);
  if (in.results && in.results->errors.count() > 0) out += "\n" + parts::findings("Errors", in.results->errors);
  out += "\n" + parts::backup_spec(backup.spec) + backup_status(in);
  return align_tabs(out, kPadding);
}

std::string describe(const RestoreDescription& in) {
  const RestoreSpec& spec = in.restore->spec;
  std::string out = restore_head(in);
  out += spec.backup_name.empty() ? fmt::format("\nSchedule:\t{}\n\n", spec.schedule_name)
                                  : fmt::format("\nBackup:\t{}\n\n", spec.backup_name);
  out += fmt::format("Namespaces:\n\tIncluded:\t{}\n\tExcluded:\t{}\n\n",
                     everything(spec.included_namespaces) ? "all namespaces found in the backup"
                                                          : parts::list_or(spec.included_namespaces, ""),
                     parts::list_or(spec.excluded_namespaces, "<none>"));
  out += fmt::format("Resources:\n\tIncluded:\t{}\n\tExcluded:\t{}\n\tCluster-scoped:\t{}\n\n",
                     parts::list_or(spec.included_resources, "*"), parts::list_or(spec.excluded_resources, "<none>"),
                     !spec.include_cluster_resources   ? "auto"
                     : *spec.include_cluster_resources ? "included"
                                                       : "excluded");
  std::string mappings;
  for (const auto& [from, to] : spec.namespace_mapping)
    mappings +=
        mappings.empty() ? fmt::format("Namespace mappings:\t{}={}\n", from, to) : fmt::format("\t{}={}\n", from, to);
  out += (mappings.empty() ? "Namespace mappings:\t<none>\n" : mappings) + "\n";
  out += parts::selectors(spec.label_selector, spec.or_label_selectors);
  out += fmt::format("\nRestore PVs:\t{}\n\n", parts::tri_state(spec.restore_pvs));
  out += restore_volumes(in) + csi_restores(in) + "\n";
  out += fmt::format("Existing Resource Policy: \t{}\nItemOperationTimeout:\t{}\n\nPreserve Service NodePorts:\t{}\n\n",
                     spec.existing_resource_policy.empty() ? "<none>" : spec.existing_resource_policy,
                     format_go_duration(spec.item_operation_timeout.value_or(Duration{})),
                     parts::tri_state(spec.preserve_node_ports));
  out += "Uploader config:\n\n\n";
  if (in.restore->status.hook_status)
    out += fmt::format("HooksAttempted: \t{}\nHooksFailed: \t{}\n", in.restore->status.hook_status->hooks_attempted,
                       in.restore->status.hook_status->hooks_failed);
  if (in.details && in.resources) out += "\n" + parts::resource_list(*in.resources);
  return align_tabs(out, kPadding);
}

std::string describe(const Schedule& schedule) {
  std::string out = parts::metadata(schedule.metadata) + "\n";
  out += fmt::format("Phase:\t{}\n", schedule.status.phase.empty() ? "New" : schedule.status.phase);
  if (!schedule.status.validation_errors.empty())
    out += "\n" + parts::slice(0, "Validation errors", schedule.status.validation_errors);
  out += fmt::format("\nPaused:\t{}\n\nSchedule:\t{}\n\nBackup Template:\n", schedule.spec.paused ? "true" : "false",
                     schedule.spec.schedule);
  std::string spec = parts::backup_spec(schedule.spec.template_);
  spec.pop_back();
  for (const std::string& line : split(spec, '\n')) out += "\t" + line + "\n";
  out += fmt::format("\nLast Backup:\t{}\n", parts::time_or(schedule.status.last_backup, "<never>"));
  return align_tabs(out, kPadding);
}

}  // namespace holdfast::velero
