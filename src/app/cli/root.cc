// The table of verbs.
#include "app/cli/cluster.h"
#include "app/cli/commands.h"

namespace holdfast::app {

config::Command root_command(const Surroundings& surroundings) {
  config::Command root{
      .name = "holdfast",
      .summary = "Disaster recovery for stateful applications on Kubernetes and OpenShift",
      .options = cluster_options(),
      .subcommands = {backup_command(surroundings),
                      restore_command(surroundings),
                      schedule_command(surroundings),
                      backup_location_command(surroundings),
                      repo_command(surroundings),
                      install_command(surroundings),
                      uninstall_command(surroundings),
                      version_command(surroundings),
                      kit_command(surroundings),
                      debug_command(surroundings),
                      docs_command(surroundings),
                      completion_command(),
                      controller_command(),
                      node_agent_command(surroundings),
                      restore_helper_command(surroundings),
                      mover_command(surroundings),
                      read_object_command(),
                      sandbox_command(surroundings),
                      sandbox_internal_command(),
                      demo_command(surroundings)},
  };
  for (config::Command& command : verb_first_commands(surroundings)) root.subcommands.push_back(std::move(command));
  return root;
}

}  // namespace holdfast::app
