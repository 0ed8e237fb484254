// The program: its verbs, and nothing else.
#include <csignal>

#include "app/cli/commands.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  // A peer that has gone is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const app::Surroundings surroundings = app::process_surroundings();
  return config::run_main(app::root_command(surroundings), argc, argv);
}
