#include <fmt/format.h>

#include <cstdio>

#include "app/cli/commands.h"

namespace holdfast::app {

static int print_script(const config::Arguments& arguments) {
  const Result<std::string> script = config::completion_script(arguments.positional(0), "holdfast");
  if (!script) {
    fmt::print(stderr, "holdfast completion: {}\n", script.error().to_string());
    return 1;
  }
  fmt::print("{}", *script);
  return 0;
}

config::Command completion_command() {
  return {.name = "completion",
          .summary = "Print a completion script for a shell",
          .examples = {"source <(holdfast completion bash)", "holdfast completion fish | source"},
          .positionals = {{"SHELL", "bash, zsh or fish"}},
          .run = print_script};
}

}  // namespace holdfast::app
