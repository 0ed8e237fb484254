// restore create, get, delete; the verbs that read files are in restore_inspect.cc.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/backup_flags.h"
#include "app/cli/commands.h"
#include "app/cli/follow.h"
#include "app/cli/output.h"
#include "app/cli/selection.h"
#include "base/text.h"
#include "velero/layout.h"
#include "velero/restore_options.h"
#include "velero/schedule.h"

namespace holdfast::app {

namespace {

using config::Kind;
using velero::Backup;
using velero::Restore;

Result<velero::StringMap> namespace_mapping(const std::vector<std::string>& words) {
  velero::StringMap out;
  for (const std::string& word : words) {
    const size_t colon = word.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == word.size())
      return Error(ErrorCode::invalid, fmt::format("--namespace-mappings: \"{}\" is not FROM:TO", word));
    out[word.substr(0, colon)] = word.substr(colon + 1);
  }
  return out;
}

Result<velero::RestoreSpec> restore_spec(const config::Arguments& arguments) {
  velero::RestoreSpec spec;
  spec.backup_name = arguments.text("from-backup");
  spec.schedule_name = arguments.text("from-schedule");
  spec.included_namespaces = arguments.list("include-namespaces");
  spec.excluded_namespaces = arguments.list("exclude-namespaces");
  spec.included_resources = arguments.list("include-resources");
  spec.excluded_resources = arguments.list("exclude-resources");
  spec.include_cluster_resources = arguments.optional_boolean("include-cluster-resources");
  spec.namespace_mapping = TRY(namespace_mapping(arguments.list("namespace-mappings")));
  if (const std::string text = arguments.text("selector"); !text.empty())
    spec.label_selector = TRY(label_selector(text).in("--selector"));
  spec.or_label_selectors = TRY(or_label_selectors(arguments.text("or-selector")).in("--or-selector"));
  if (spec.label_selector && !spec.or_label_selectors.empty())
    return Error(ErrorCode::invalid, "--selector and --or-selector cannot be used together");
  spec.restore_pvs = arguments.optional_boolean("restore-volumes");
  spec.preserve_node_ports = arguments.optional_boolean("preserve-nodeports");
  spec.existing_resource_policy = arguments.text("existing-resource-policy");
  spec.item_operation_timeout = arguments.duration("item-operation-timeout");
  const std::vector<std::string> with_status = arguments.list("status-include-resources");
  const std::vector<std::string> without_status = arguments.list("status-exclude-resources");
  if (!with_status.empty() || !without_status.empty())
    spec.restore_status = velero::RestoreStatusSpec{with_status, without_status, {}};
  if (const std::string name = arguments.text("resource-modifier-configmap"); !name.empty())
    spec.resource_modifier = config_map_reference(name);
  if (arguments.given("write-sparse-files") || arguments.given("parallel-files-download"))
    spec.uploader_config = velero::UploaderConfigForRestore{
        arguments.optional_boolean("write-sparse-files"), arguments.number("parallel-files-download"), {}};
  return spec;
}

/// Checks that there is something to restore from, as velero does. Someone who waits may come before the backup is
/// synced from the bucket: the server waits for it.
Status check_source(const Surroundings& surroundings, const Cluster& cluster, const config::Arguments& arguments,
                    const velero::RestoreSpec& spec) {
  if (spec.backup_name.empty() == spec.schedule_name.empty())
    return Error(ErrorCode::invalid, "either a backup or schedule must be specified, but not both",
                 "use --from-backup or --from-schedule");
  const bool patient = arguments.boolean("wait");
  if (!spec.backup_name.empty()) {
    const Result<Backup> backup = get_object<Backup>(cluster, spec.backup_name);
    if (backup.ok()) return {};
    if (!patient || !backup.is(ErrorCode::not_found)) return backup.error();
    surroundings.err(fmt::format("Backup \"{}\" is not known here yet; the restore waits for it.\n", spec.backup_name));
    return {};
  }
  const std::string of_schedule =
      fmt::format("{}={}", velero::label::kScheduleName, velero::label_value(spec.schedule_name));
  const std::vector<Backup> backups = TRY(list_objects<Backup>(cluster, of_schedule));
  if (backups.empty() && !patient)
    return Error(ErrorCode::not_found, fmt::format("No backups found for the schedule {}", spec.schedule_name));
  return {};
}

Result<Restore> restore_object(const Surroundings& surroundings, const Cluster& cluster,
                               const config::Arguments& arguments) {
  Restore out;
  out.spec = TRY(restore_spec(arguments));
  const std::string source = out.spec.backup_name.empty() ? out.spec.schedule_name : out.spec.backup_name;
  TRY(check_source(surroundings, cluster, arguments, out.spec));
  out.metadata.name = arguments.positional(0).empty() ? velero::scheduled_backup_name(source, surroundings.clock->now())
                                                      : arguments.positional(0);
  out.metadata.namespace_ = cluster.ns;
  out.metadata.labels = arguments.map("labels");
  out.metadata.annotations = arguments.map("annotations");
  // The server chooses: it knows what the locations hold just now.
  if (arguments.boolean("allow-partially-failed"))
    out.metadata.annotations[std::string(velero::annotation::kAllowPartiallyFailed)] = "true";
  if (const auto claims = arguments.list("start-without-data"); !claims.empty())
    out.metadata.annotations[std::string(velero::annotation::kStartWithoutData)] =
        fmt::format("{}", fmt::join(claims, ","));
  if (!velero::valid_object_name(out.metadata.name))
    return Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be the name of an object", out.metadata.name),
                 "small letters, digits, - and . are allowed");
  return out;
}

Result<int> create(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const Restore restore = TRY(restore_object(surroundings, cluster, arguments));
  const std::string& name = restore.metadata.name;
  if (const auto format = output_format(arguments); format) {
    surroundings.out(new_object_text(*format, surroundings.clock->now(), restore));
    return 0;
  }
  TRY(create_object(cluster, restore));
  surroundings.out(fmt::format("Restore request \"{}\" submitted successfully.\n", name));
  if (!arguments.boolean("wait")) {
    surroundings.out(
        fmt::format("Run `holdfast restore describe {0}` or `holdfast restore logs {0}` for more details.\n", name));
    return 0;
  }
  surroundings.out(
      "Waiting for restore to complete. You may safely press ctrl-c to stop waiting - your restore will continue in "
      "the background.\n");
  const Restore done = TRY(follow<Restore>(surroundings, cluster, name));
  surroundings.out(fmt::format(
      "\nRestore completed with status: {1}. You may check for more information using the commands `holdfast restore "
      "describe {0}` and `holdfast restore logs {0}`.\n",
      name, done.status.phase));
  return tell_end(surroundings, "restore", done,
                  failed_volumes<velero::PodVolumeRestore>(cluster, velero::label::kRestoreName, name));
}

Result<int> remove(const Surroundings& surroundings, const config::Arguments& arguments) {
  TRY(check_selection(arguments, "restores"));
  if (!confirmed(surroundings, arguments)) return 0;
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const auto restores = TRY(selected<Restore>(surroundings, cluster, arguments));
  if (restores.empty()) surroundings.out("No restores found\n");
  for (const Restore& restore : restores) {
    const std::string& name = restore.metadata.name;
    TRY(cluster.api->remove(type_of<Restore>(), cluster.ns, name).in("delete restore " + name));
    surroundings.out(
        fmt::format("Request to delete restore \"{}\" submitted successfully.\n"
                    "The restore will be fully deleted after all associated data (restore files in "
                    "object storage) are removed.\n",
                    name));
  }
  return 0;
}

std::vector<config::Option> create_options(const Surroundings& surroundings) {
  std::vector<config::Option> out{
      {.name = "from-backup",
       .help = "backup to restore",
       .value_name = "NAME",
       .candidates = names_of<velero::Backup>(surroundings)},
      {.name = "from-schedule",
       .help = "restore the newest completed backup of this schedule",
       .value_name = "NAME",
       .candidates = names_of<velero::Schedule>(surroundings)},
      {.name = "allow-partially-failed",
       .kind = Kind::boolean,
       .help = "with --from-schedule: partially failed backups count as well"},
      {.name = "include-namespaces", .kind = Kind::list, .help = "namespaces to take; * for all", .fallback = "*"},
      {.name = "exclude-namespaces", .kind = Kind::list, .help = "namespaces to leave out"},
      {.name = "namespace-mappings", .kind = Kind::list, .help = "FROM:TO, restore a namespace under another name"},
      {.name = "include-resources", .kind = Kind::list, .help = "types to take, as RESOURCE.GROUP; * for all"},
      {.name = "exclude-resources", .kind = Kind::list, .help = "types to leave out, as RESOURCE.GROUP"},
      {.name = "include-cluster-resources", .kind = Kind::boolean, .help = "take cluster-scoped objects"},
      {.name = "selector", .help = "only objects with these labels", .letter = 'l', .value_name = "SELECTOR"},
      {.name = "or-selector",
       .help = "only objects that match one of several selectors, written \"a=b or c=d\"",
       .value_name = "SELECTORS"},
      {.name = "restore-volumes", .kind = Kind::boolean, .help = "bring volumes back from snapshots"},
      {.name = "start-without-data",
       .kind = Kind::list,
       .help = "claims that may come back empty where the backup lacks the data it should hold; * for all",
       .value_name = "NAMESPACE/CLAIM"},
      {.name = "preserve-nodeports", .kind = Kind::boolean, .help = "keep the node ports of Services"},
      {.name = "existing-resource-policy",
       .help = "what to do with objects that are there already: leave them (none) or change them (update)",
       .choices = {"none", "update"}},
      {.name = "status-include-resources", .kind = Kind::list, .help = "types whose status is restored as well"},
      {.name = "status-exclude-resources", .kind = Kind::list, .help = "types whose status is not restored"},
      {.name = "resource-modifier-configmap", .help = "ConfigMap with changes to make to objects"},
      {.name = "write-sparse-files", .kind = Kind::boolean, .help = "write holes instead of zeros"},
      {.name = "parallel-files-download", .kind = Kind::number, .help = "files of a volume written at the same time"},
      {.name = "item-operation-timeout", .kind = Kind::duration, .help = "how long operations that run on may take"},
      {.name = "labels", .kind = Kind::map, .help = "labels of the restore"},
      {.name = "annotations", .kind = Kind::map, .help = "annotations of the restore"},
      {.name = "wait", .kind = Kind::boolean, .help = "return when the restore has ended", .letter = 'w'},
  };
  for (config::Option& option : create_output_options()) out.push_back(std::move(option));
  return out;
}

}  // namespace

config::Command restore_create_command(const Surroundings& surroundings) {
  return {.name = "create",
          .summary = "Restore a backup",
          .examples = {"holdfast restore create --from-backup nightly --wait",
                       "holdfast restore create --from-schedule shop-hourly --wait", "# beside the original",
                       "holdfast restore create try --from-backup nightly --namespace-mappings shop:shop-copy"},
          .options = create_options(surroundings),
          .positionals = {{"NAME", "name of the restore; the backup's with the time without it", false}},
          .run = runs(surroundings, create)};
}

config::Command restore_get_command(const Surroundings& surroundings) {
  return {.name = "get",
          .summary = "List restores",
          .examples = {"holdfast restore get"},
          .options = get_options(),
          .positionals = {{"NAME", "only these", false, true, names_of<velero::Restore>(surroundings)}},
          .run = runs(surroundings, get_verb<Restore>)};
}

config::Command restore_delete_command(const Surroundings& surroundings) {
  return {.name = "delete",
          .summary = "Delete restores: their records, not what they brought back",
          .examples = {"holdfast restore delete try --confirm"},
          .options = selection_options("delete", "restores", Confirm::yes),
          .positionals = {{"NAME", "restores to delete", false, true, names_of<velero::Restore>(surroundings)}},
          .run = runs(surroundings, remove)};
}

config::Command restore_command(const Surroundings& surroundings) {
  return {.name = "restore",
          .summary = "Work with restores",
          .examples = {"holdfast restore create --from-schedule shop --wait", "holdfast restore describe r1 --details"},
          .subcommands = {restore_create_command(surroundings), restore_get_command(surroundings),
                          restore_describe_command(surroundings), restore_logs_command(surroundings),
                          restore_delete_command(surroundings)},
          .aliases = {"restores"}};
}

}  // namespace holdfast::app
