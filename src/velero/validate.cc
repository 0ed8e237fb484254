#include "velero/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "velero/layout.h"
#include "velero/names.h"
#include "velero/schedule.h"

namespace holdfast::velero {

namespace {

constexpr std::string_view kMixedFilters =
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
    "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
    "exclude-namespace-scoped-resources are new filter parameters.\n"
    "They cannot be used together";

void add(StringList& out, const StringList& faults, std::string_view lists) {
  for (const std::string& fault : faults)
    out.push_back(fmt::format("Invalid included/excluded {} lists: {}", lists, fault));
}

void add_selectors(StringList& out, const std::optional<LabelSelector>& one, const std::vector<LabelSelector>& any,
                   std::string_view kind) {
  if (one && !any.empty())
    out.push_back(fmt::format(
        "encountered labelSelector as well as orLabelSelectors in {} spec, only one can be specified", kind));
  std::vector<LabelSelector> all = any;
  if (one) all.push_back(*one);
  for (const LabelSelector& selector : all)
    if (const Status status = check_selector(selector); !status.ok()) out.push_back(status.error().message());
}

void add_backup_lists(StringList& out, const BackupSpec& spec) {
  if (uses_old_filters(spec) && uses_scoped_filters(spec)) out.emplace_back(kMixedFilters);
  add(out, check_lists({spec.included_resources, spec.excluded_resources}), "resource");
  add(out, check_scoped_lists({spec.included_cluster_scoped_resources, spec.excluded_cluster_scoped_resources}),
      "cluster-scoped resource");
  add(out, check_scoped_lists({spec.included_namespace_scoped_resources, spec.excluded_namespace_scoped_resources}),
      "namespace-scoped resource");
  add(out, check_namespace_lists({spec.included_namespaces, spec.excluded_namespaces}), "namespace");
}

void add_location(StringList& out, const Backup& backup, const BackupStorageLocation* location) {
  const std::string& name = backup.spec.storage_location;
  if (name.empty()) {
    out.emplace_back(
        "an existing backup storage location wasn't specified at backup creation time and the default "
        "location wasn't found. Please create a location or mark one as the default");
  } else if (location == nullptr) {
    out.push_back(
        fmt::format("an existing backup storage location wasn't specified at backup creation time and the "
                    "default '{}' wasn't found. Please address this issue (see `velero backup-location -h` "
                    "for options) and create a new backup. Error: BackupStorageLocation.velero.io \"{}\" not "
                    "found",
                    name, name));
  } else if (location->read_only()) {
    out.push_back(
        fmt::format("backup can't be created because backup storage location {} is currently in read-only mode", name));
  } else if (location->status.phase == phase::kUnavailable) {
    out.push_back(fmt::format(
        "backup can't be created because backup storage location {} is currently in {} status. please fix it first.",
        name, location->status.phase));
  }
}

bool init_container_ok(const json::value& container) {
  return !json::string_at(container, {"name"}).empty() && !json::string_at(container, {"image"}).empty() &&
         !json::array_at(container, {"command"}).empty();
}

void add_restore_hooks(StringList& out, const RestoreHooks& hooks) {
  for (const RestoreResourceHookSpec& spec : hooks.resources)
    for (const RestoreResourceHook& hook : spec.post_hooks) {
      if (!hook.init) continue;
      const json::array& containers = hook.init->init_containers;
      if (!std::all_of(containers.begin(), containers.end(), init_container_ok)) {
        out.emplace_back("invalid InitContainer in restore hook, it doesn't have Command, Name or Image field");
        return;
      }
    }
}

void add_restore_source(StringList& out, const Restore& restore, const RestoreLookups& lookups) {
  const RestoreSpec& spec = restore.spec;
  if (spec.backup_name.empty() == spec.schedule_name.empty()) {
    out.emplace_back("Either a backup or schedule must be specified as a source for the restore, but not both");
    return;
  }
  if (!spec.schedule_name.empty()) {
    if (lookups.schedule_backups == 0) out.emplace_back("No backups found for schedule");
    if (lookups.schedule_backups_completed == 0) out.emplace_back("No completed backups found for schedule");
    if (lookups.schedule_backups_completed == 0) return;
  } else if (!lookups.backup_exists) {
    out.push_back(fmt::format("Error retrieving backup: can't find backup {}/{}: Backup.velero.io \"{}\" not found",
                              restore.metadata.namespace_, spec.backup_name, spec.backup_name));
    return;
  }
  if (lookups.location == nullptr)
    out.emplace_back("Error retrieving backup: the backup's storage location does not exist");
  else if (lookups.location->status.phase == phase::kUnavailable)
    out.push_back(
        fmt::format("the BSL {} is unavailable, cannot retrieve the backup. please set BSL to available "
                    "before restore",
                    lookups.location->metadata.name));
}

}  // namespace

StringList validate(const Backup& backup, const BackupLookups& lookups) {
  StringList out;
  const BackupSpec& spec = backup.spec;
  add_location(out, backup, lookups.location);
  for (const std::string& name : spec.volume_snapshot_locations) {
    const StringList& known = lookups.volume_snapshot_locations;
    if (std::find(known.begin(), known.end(), name) == known.end())
      out.push_back(
          fmt::format("a VolumeSnapshotLocation CRD for the location {} with the name specified in the backup "
                      "spec needs to be created before this snapshot can be executed. Error: "
                      "VolumeSnapshotLocation.velero.io \"{}\" not found",
                      name, name));
  }
  add_backup_lists(out, spec);
  for (const std::string& name : missing_namespaces({spec.included_namespaces, {}}, lookups.namespaces))
    add(out, {fmt::format("Namespace \"{}\" not found", name)}, "namespace");
  add_selectors(out, spec.label_selector, spec.or_label_selectors, "backup");
  if (spec.resource_policy && !lookups.resource_policy_fault.empty()) {
    const std::string& name = spec.resource_policy->name;
    out.push_back(lookups.resource_policy_fault);
    // Velero goes on with an empty ConfigMap where there is none.
    if (lookups.resource_policy_fault == missing_policy_text(backup.metadata.namespace_, name))
      out.push_back(fmt::format("resource policies {}/{}: illegal resource policies / configmap",
                                backup.metadata.namespace_, name));
  }
  return out;
}

StringList validate(const Restore& restore, const RestoreLookups& lookups) {
  StringList out;
  const RestoreSpec& spec = restore.spec;
  IncludesExcludes resources{spec.included_resources, spec.excluded_resources};
  for (const std::string& name : non_restorable_resources()) {
    if (std::find(spec.included_resources.begin(), spec.included_resources.end(), name) !=
        spec.included_resources.end())
      out.push_back(fmt::format("{} are non-restorable resources", name));
    if (std::find(resources.excludes.begin(), resources.excludes.end(), name) == resources.excludes.end())
      resources.excludes.push_back(name);
  }
  add(out, check_lists(resources), "resource");
  add(out, check_namespace_lists({spec.included_namespaces, spec.excluded_namespaces}), "namespace");
  add_selectors(out, spec.label_selector, spec.or_label_selectors, "restore");
  if (!spec.existing_resource_policy.empty() && spec.existing_resource_policy != "none" &&
      spec.existing_resource_policy != "update")
    out.push_back(fmt::format("Invalid ExistingResourcePolicy: {}", spec.existing_resource_policy));
  add_restore_hooks(out, spec.hooks);
  add_restore_source(out, restore, lookups);
  if (spec.resource_modifier && !lookups.resource_modifier_fault.empty())
    out.push_back(lookups.resource_modifier_fault);
  return out;
}

StringList validate(const BackupStorageLocation& location) {
  StringList out;
  const BackupStorageLocationSpec& spec = location.spec;
  if (spec.provider.empty()) out.emplace_back("spec.provider: missing");
  const bool in_directory = spec.provider == "holdfast.dev/directory";
  if (in_directory) {
    const auto path = spec.config.find("path");
    if (path == spec.config.end() || !path->second.starts_with('/'))
      out.emplace_back("spec.config.path: an absolute path is needed for provider holdfast.dev/directory");
  } else if (!spec.object_storage || spec.object_storage->bucket.empty()) {
    out.emplace_back("spec.objectStorage.bucket: missing");
  }
  if (spec.object_storage) {
    const std::string& bucket = spec.object_storage->bucket;
    if (!bucket.starts_with("arn:") && bucket.find('/') != std::string::npos)
      out.push_back(
          fmt::format("backup storage location's bucket name \"{}\" must not contain a '/' (if using a prefix, "
                      "put it in the 'Prefix' field instead)",
                      bucket));
    if (const Result<Layout> layout = Layout::at(spec.object_storage->prefix); !layout)
      out.push_back(layout.error().message());
  }
  if (!spec.access_mode.empty() && spec.access_mode != "ReadOnly" && spec.access_mode != "ReadWrite")
    out.push_back(fmt::format("spec.accessMode: \"{}\" is neither ReadOnly nor ReadWrite", spec.access_mode));
  for (const auto& [name, period] : {std::pair("backupSyncPeriod", spec.backup_sync_period),
                                     std::pair("validationFrequency", spec.validation_frequency)})
    if (period && period->count() < 0) out.push_back(fmt::format("spec.{}: must not be negative", name));
  return out;
}

StringList validate(const Schedule& schedule) {
  StringList out;
  if (const Result<Cron> cron = schedule_cron(schedule); !cron) out.push_back(cron.error().message());
  const BackupSpec& spec = schedule.spec.template_;
  add_backup_lists(out, spec);
  add_selectors(out, spec.label_selector, spec.or_label_selectors, "backup");
  return out;
}

std::string unavailable_message(std::string_view location, std::string_view why) {
  return fmt::format("BackupStorageLocation \"{}\" is unavailable: {}", location, why);
}
std::string missing_policy_text(std::string_view namespace_, std::string_view config_map) {
  return fmt::format("failed to get resource policies {}/{} configmap with err ConfigMap \"{}\" not found", namespace_,
                     config_map, config_map);
}
std::string missing_modifier_text(std::string_view namespace_, std::string_view config_map) {
  return fmt::format("failed to get resource modifiers configmap {}/{}", namespace_, config_map);
}

}  // namespace holdfast::velero
