// The verbs of the program: one function each, wired together in root.cc. A Surroundings outlives its Commands.
#pragma once

#include "app/cli/surroundings.h"
#include "config/command.h"

namespace holdfast::app {

/// Everything: `holdfast VERB`.
[[nodiscard]] config::Command root_command(const Surroundings& surroundings);

[[nodiscard]] config::Command completion_command();
[[nodiscard]] config::Command demo_command(const Surroundings& surroundings);
[[nodiscard]] config::Command sandbox_command(const Surroundings& surroundings);
[[nodiscard]] config::Command sandbox_internal_command();

[[nodiscard]] config::Command backup_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_create_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_get_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_describe_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_logs_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_download_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_delete_command(const Surroundings& surroundings);

[[nodiscard]] config::Command restore_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_create_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_get_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_describe_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_logs_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_delete_command(const Surroundings& surroundings);

[[nodiscard]] config::Command schedule_command(const Surroundings& surroundings);
[[nodiscard]] config::Command schedule_create_command(const Surroundings& surroundings);
[[nodiscard]] config::Command schedule_get_command(const Surroundings& surroundings);
[[nodiscard]] config::Command schedule_describe_command(const Surroundings& surroundings);
[[nodiscard]] config::Command schedule_delete_command(const Surroundings& surroundings);

[[nodiscard]] config::Command backup_location_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_location_create_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_location_get_command(const Surroundings& surroundings);
[[nodiscard]] config::Command backup_location_delete_command(const Surroundings& surroundings);

/// `repo`: the repository engine, and `repo get`.
[[nodiscard]] config::Command repo_command(const Surroundings& surroundings);
/// `repo get`: the BackupRepository objects.
[[nodiscard]] config::Command repo_get_command(const Surroundings& surroundings);

/// What the pods of an installation run, and how clients read through them.
[[nodiscard]] config::Command controller_command();
[[nodiscard]] config::Command read_object_command();
[[nodiscard]] config::Command install_command(const Surroundings& surroundings);
[[nodiscard]] config::Command uninstall_command(const Surroundings& surroundings);
[[nodiscard]] config::Command kit_command(const Surroundings& surroundings);
[[nodiscard]] config::Command debug_command(const Surroundings& surroundings);
/// `docs-cli`, hidden: the manual of all verbs as Markdown.
[[nodiscard]] config::Command docs_command(const Surroundings& surroundings);
[[nodiscard]] config::Command version_command(const Surroundings& surroundings);

/// What the pods of an installation, and those that it makes, start.
[[nodiscard]] config::Command node_agent_command(const Surroundings& surroundings);
[[nodiscard]] config::Command restore_helper_command(const Surroundings& surroundings);
[[nodiscard]] config::Command mover_command(const Surroundings& surroundings);

/// create, get, describe, delete with the noun behind: aliases of the nouns' own verbs.
[[nodiscard]] std::vector<config::Command> verb_first_commands(const Surroundings& surroundings);

}  // namespace holdfast::app
