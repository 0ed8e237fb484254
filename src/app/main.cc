// The program: its verbs, and nothing else.
#include <csignal>

#include "app/cli/commands.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  // A peer that has gone is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const config::Command root{
      .name = "holdfast",
      .summary = "Disaster recovery for stateful applications on Kubernetes and OpenShift",
      .subcommands = {app::completion_command()},
  };
  return config::run_main(root, argc, argv);
}
