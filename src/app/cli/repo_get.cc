#include "app/cli/commands.h"
#include "app/cli/output.h"

namespace holdfast::app {

config::Command repo_get_command(const Surroundings& surroundings) {
  return {.name = "get",
          .summary = "List the repositories of volumes that an installation uses",
          .examples = {"holdfast repo get"},
          .options = get_options(),
          .positionals = {{"NAME", "only these", false, true, names_of<velero::BackupRepository>(surroundings)}},
          .run = runs(surroundings, get_verb<velero::BackupRepository>)};
}

}  // namespace holdfast::app
