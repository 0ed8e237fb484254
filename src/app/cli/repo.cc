#include "app/cli/commands.h"
#include "app/cli/open_files.h"
#include "app/cli/repo_session.h"

namespace holdfast::app {

config::Command repo_command(const Surroundings& surroundings) {
  config::Command command{
      .name = "repo",
      .summary = "Work with a repository of volume data (restic's format)",
      .description = "Repositories are those of restic: both programs read and write them, also at the same time.",
      .examples = {"export RESTIC_REPOSITORY=/srv/backup RESTIC_PASSWORD_FILE=pw", "holdfast repo init",
                   "holdfast repo backup /home", "holdfast repo restore latest --target /tmp/look"},
      .options = repo_options(),
  };
  for (config::Command& verb : repo_maintain_commands()) command.subcommands.push_back(std::move(verb));
  command.subcommands.push_back(repo_backup_command());
  command.subcommands.push_back(repo_restore_command());
  for (config::Command& verb : repo_view_commands()) command.subcommands.push_back(std::move(verb));
  for (config::Command& verb : command.subcommands) {
    verb.run = [run = std::move(verb.run)](const config::Arguments& arguments) {
      raise_open_files();
      return run(arguments);
    };
  }
  command.subcommands.push_back(repo_get_command(surroundings));
  return command;
}

}  // namespace holdfast::app
