// backup create, get, delete; the verbs that read files are in backup_inspect.cc.
#include <fmt/format.h>

#include "app/cli/backup_flags.h"
#include "app/cli/commands.h"
#include "app/cli/follow.h"
#include "app/cli/output.h"
#include "app/cli/selection.h"
#include "velero/layout.h"
#include "velero/schedule.h"

namespace holdfast::app {

namespace {

Status check_name(const std::string& name) {
  if (velero::valid_object_name(name)) return {};
  return Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be the name of an object", name),
               "small letters, digits, - and . are allowed");
}

velero::Backup backup_from_schedule(const velero::Schedule& schedule, const std::string& name, Time now) {
  velero::Backup out = velero::backup_from(schedule, now);
  if (!name.empty()) out.metadata.name = name;
  return out;
}

Result<velero::Backup> backup_object(const Surroundings& surroundings, const Cluster& cluster,
                                     const config::Arguments& arguments) {
  const std::string name = arguments.positional(0);
  if (const std::string schedule = arguments.text("from-schedule"); !schedule.empty()) {
    surroundings.err("Creating backup from schedule, all other filters are ignored.\n");
    velero::Backup out =
        backup_from_schedule(TRY(get_object<velero::Schedule>(cluster, schedule)), name, surroundings.clock->now());
    for (const auto& [key, value] : arguments.map("labels")) out.metadata.labels[key] = value;
    for (const auto& [key, value] : arguments.map("annotations")) out.metadata.annotations[key] = value;
    return out;
  }
  if (name.empty())
    return Error(ErrorCode::invalid, "a backup name is required, unless you are creating based on a schedule");
  velero::Backup out;
  out.metadata.name = name;
  out.metadata.namespace_ = cluster.ns;
  out.metadata.labels = arguments.map("labels");
  out.metadata.annotations = arguments.map("annotations");
  out.spec = TRY(backup_spec(arguments));
  return out;
}

Result<int> create(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const velero::Backup backup = TRY(backup_object(surroundings, cluster, arguments));
  const std::string& name = backup.metadata.name;
  TRY(check_name(name));
  if (const auto format = output_format(arguments); format) {
    surroundings.out(new_object_text(*format, surroundings.clock->now(), backup));
    return 0;
  }
  if (!backup.spec.storage_location.empty())
    TRY(get_object<velero::BackupStorageLocation>(cluster, backup.spec.storage_location));
  TRY(create_object(cluster, backup));
  surroundings.out(fmt::format("Backup request \"{}\" submitted successfully.\n", name));
  if (!arguments.boolean("wait")) {
    surroundings.out(
        fmt::format("Run `holdfast backup describe {0}` or `holdfast backup logs {0}` for more details.\n", name));
    return 0;
  }
  surroundings.out(
      "Waiting for backup to complete. You may safely press ctrl-c to stop waiting - your backup will continue in the "
      "background.\n");
  const velero::Backup done = TRY(follow<velero::Backup>(surroundings, cluster, name));
  surroundings.out(fmt::format(
      "\nBackup completed with status: {1}. You may check for more information using the commands `holdfast backup "
      "describe {0}` and `holdfast backup logs {0}`.\n",
      name, done.status.phase));
  return tell_end(surroundings, "backup", done,
                  failed_volumes<velero::PodVolumeBackup>(cluster, velero::label::kBackupName, name));
}

velero::DeleteBackupRequest delete_request(const Cluster& cluster, const velero::Backup& backup) {
  velero::DeleteBackupRequest out;
  out.metadata.generate_name = backup.metadata.name + "-";
  out.metadata.namespace_ = cluster.ns;
  out.metadata.labels[std::string(velero::label::kBackupName)] = velero::label_value(backup.metadata.name);
  out.metadata.labels[std::string(velero::label::kBackupUid)] = backup.metadata.uid;
  out.spec.backup_name = backup.metadata.name;
  return out;
}

Result<int> remove(const Surroundings& surroundings, const config::Arguments& arguments) {
  TRY(check_selection(arguments, "backups"));
  if (!confirmed(surroundings, arguments)) return 0;
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const auto backups = TRY(selected<velero::Backup>(surroundings, cluster, arguments));
  if (backups.empty()) surroundings.out("No backups found\n");
  for (const velero::Backup& backup : backups) {
    TRY(create_object(cluster, delete_request(cluster, backup)).in("delete backup " + backup.metadata.name));
    surroundings.out(
        fmt::format("Request to delete backup \"{}\" submitted successfully.\n"
                    "The backup will be fully deleted after all associated data (disk snapshots, backup "
                    "files, restores) are removed.\n",
                    backup.metadata.name));
  }
  return 0;
}

}  // namespace

config::Command backup_create_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = backup_options();
  options.push_back({.name = "from-schedule",
                     .help = "take the template of this schedule",
                     .value_name = "NAME",
                     .candidates = names_of<velero::Schedule>(surroundings)});
  options.push_back(
      {.name = "wait", .kind = config::Kind::boolean, .help = "return when the backup has ended", .letter = 'w'});
  return {.name = "create",
          .summary = "Create a backup",
          .examples = {"holdfast backup create nightly --include-namespaces shop --wait",
                       "# with the template of a schedule, under a name with the time in it",
                       "holdfast backup create --from-schedule shop-hourly", "# look at the object without sending it",
                       "holdfast backup create b3 --snapshot-volumes=false -o yaml"},
          .options = std::move(options),
          .positionals = {{"NAME", "name of the backup; may be left out with --from-schedule", false}},
          .run = runs(surroundings, create)};
}

config::Command backup_get_command(const Surroundings& surroundings) {
  return {.name = "get",
          .summary = "List backups",
          .examples = {"holdfast backup get", "holdfast backup get nightly -o json"},
          .options = get_options(),
          .positionals = {{"NAME", "only these", false, true, names_of<velero::Backup>(surroundings)}},
          .run = runs(surroundings, get_verb<velero::Backup>)};
}

config::Command backup_delete_command(const Surroundings& surroundings) {
  return {.name = "delete",
          .summary = "Delete backups with their data",
          .examples = {"holdfast backup delete nightly --confirm",
                       "holdfast backup delete --selector velero.io/schedule-name=shop-hourly"},
          .options = selection_options("delete", "backups", Confirm::yes),
          .positionals = {{"NAME", "backups to delete", false, true, names_of<velero::Backup>(surroundings)}},
          .run = runs(surroundings, remove)};
}

config::Command backup_command(const Surroundings& surroundings) {
  return {.name = "backup",
          .summary = "Work with backups",
          .examples = {"holdfast backup create b1 --include-namespaces shop --wait", "holdfast backup get",
                       "holdfast backup describe b1 --details"},
          .subcommands = {backup_create_command(surroundings), backup_get_command(surroundings),
                          backup_describe_command(surroundings), backup_logs_command(surroundings),
                          backup_download_command(surroundings), backup_delete_command(surroundings)},
          .aliases = {"backups"}};
}

}  // namespace holdfast::app
