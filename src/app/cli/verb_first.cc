// `holdfast get backups` beside `holdfast backup get`: the same commands under the verb.
#include "app/cli/commands.h"

namespace holdfast::app {

namespace {

config::Command renamed(config::Command command, std::string name, std::string alias) {
  command.name = std::move(name);
  command.aliases = {std::move(alias)};
  return command;
}

}  // namespace

std::vector<config::Command> verb_first_commands(const Surroundings& s) {
  return {
      {.name = "create",
       .summary = "Create backups, restores, schedules and backup locations",
       .examples = {"holdfast create backup b1 --wait"},
       .subcommands = {renamed(backup_create_command(s), "backup", "backups"),
                       renamed(restore_create_command(s), "restore", "restores"),
                       renamed(schedule_create_command(s), "schedule", "schedules"),
                       renamed(backup_location_create_command(s), "backup-location", "backup-locations")}},
      {.name = "get",
       .summary = "List backups, restores, schedules and backup locations",
       .examples = {"holdfast get backups"},
       .subcommands = {renamed(backup_get_command(s), "backups", "backup"),
                       renamed(restore_get_command(s), "restores", "restore"),
                       renamed(schedule_get_command(s), "schedules", "schedule"),
                       renamed(backup_location_get_command(s), "backup-locations", "backup-location")}},
      {.name = "describe",
       .summary = "Describe backups, restores and schedules",
       .examples = {"holdfast describe backup b1"},
       .subcommands = {renamed(backup_describe_command(s), "backups", "backup"),
                       renamed(restore_describe_command(s), "restores", "restore"),
                       renamed(schedule_describe_command(s), "schedules", "schedule")}},
      {.name = "delete",
       .summary = "Delete backups, restores, schedules and backup locations",
       .examples = {"holdfast delete backup b1"},
       .subcommands = {renamed(backup_delete_command(s), "backup", "backups"),
                       renamed(restore_delete_command(s), "restore", "restores"),
                       renamed(schedule_delete_command(s), "schedule", "schedules"),
                       renamed(backup_location_delete_command(s), "backup-location", "backup-locations")}},
  };
}

}  // namespace holdfast::app
