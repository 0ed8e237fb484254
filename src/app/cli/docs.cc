#include "app/cli/commands.h"

namespace holdfast::app {

namespace {

Result<int> print_manual(const Surroundings& surroundings, const config::Arguments& /*arguments*/) {
  surroundings.out(config::markdown(root_command(surroundings)));
  return 0;
}

}  // namespace

config::Command docs_command(const Surroundings& surroundings) {
  return {.name = "docs-cli",
          .summary = "Print the manual of all verbs as Markdown",
          .examples = {"holdfast docs-cli > docs/cli.md"},
          .hidden = true,
          .run = runs(surroundings, print_manual)};
}

}  // namespace holdfast::app
