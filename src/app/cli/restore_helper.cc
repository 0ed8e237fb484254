// `holdfast restore-helper`: the init container of a restored pod; and `holdfast mover`: the one container of a pod
// that holds a claim which no other pod mounts.
#include <fmt/format.h>

#include "app/cli/commands.h"
#include "app/cli/signals.h"
#include "node/restore_wait.h"

namespace holdfast::app {

namespace {

using config::Kind;

Result<int> wait_for_restore(const Surroundings& surroundings, const config::Arguments& arguments) {
  if (arguments.given("give-up")) {
    TRY(node::give_up_volumes(arguments.text("restores"), arguments.positional(0), arguments.text("give-up")));
    return 0;
  }
  const EndSignals end;
  node::RestoreWait wait;
  for (std::string& volume : arguments.list("keep-marks")) wait.keep_marks.insert(std::move(volume));
  wait.refusal = arguments.text("refuse");
  wait.root = arguments.text("restores");
  wait.restore_uid = arguments.positional(0);
  wait.limit = arguments.duration("timeout");
  wait.clock = surroundings.clock;
  wait.log = log::Logger(log::descriptor_sink(2, log::Level::info, log::Format::text));
  TRY(node::wait_for_volumes(wait, end.token()));
  return 0;
}

Result<int> hold_mount(const Surroundings& surroundings, const config::Arguments&) {
  const EndSignals end;
  while (surroundings.clock->sleep(end.token(), std::chrono::hours(1))) {
  }
  return 0;
}

}  // namespace

config::Command restore_helper_command(const Surroundings& surroundings) {
  config::Command command;
  command.name = "restore-helper";
  command.summary = "Wait until the volumes of this pod are restored (what the init container restore-wait starts)";
  command.examples = {"holdfast restore-helper 7d4b2c60-0f7e-4a3c-9c53-2b8e4f1d0a11 --timeout 30m"};
  command.options = {
      {.name = "timeout",
       .kind = Kind::duration,
       .help = "fail after this long, naming the volumes that are missing",
       .fallback = "4h0m0s",
       .old_names = {"deadline"}},
      {.name = "keep-marks",
       .kind = Kind::repeated,
       .help = "leave the marks in this volume: other pods wait for them too",
       .value_name = "VOLUME"},
      {.name = "refuse",
       .help = "fail with this reason once the volumes are restored: other data of the pod is missing",
       .value_name = "REASON"},
      {.name = "give-up",
       .help = "do not wait: mark every volume that is not restored as failed, with this reason",
       .value_name = "REASON"},
      {.name = "restores", .help = "directory below which the volumes are mounted", .fallback = "/restores"}};
  command.positionals = {{"RESTORE-UID", "uid of the Restore that is waited for"}};
  command.run = runs(surroundings, wait_for_restore);
  return command;
}

config::Command mover_command(const Surroundings& surroundings) {
  config::Command command;
  command.name = "mover";
  command.summary = "Hold the mounts of this pod until it is deleted (what a mover pod starts)";
  command.examples = {"holdfast mover"};
  command.run = runs(surroundings, hold_mount);
  return command;
}

}  // namespace holdfast::app
