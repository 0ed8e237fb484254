#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/cli/backup_flags.h"
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/selection.h"
#include "velero/validate.h"

namespace holdfast::app {

namespace {

using config::Kind;
using velero::Schedule;

Result<Schedule> schedule_object(const Cluster& cluster, const config::Arguments& arguments) {
  Schedule out;
  out.metadata.name = arguments.positional(0);
  out.metadata.namespace_ = cluster.ns;
  out.metadata.labels = arguments.map("labels");
  out.metadata.annotations = arguments.map("annotations");
  out.spec.schedule = arguments.text("schedule");
  if (out.spec.schedule.empty()) return Error(ErrorCode::invalid, "--schedule is required");
  out.spec.template_ = TRY(backup_spec(arguments));
  out.spec.paused = arguments.boolean("paused");
  out.spec.use_owner_references_in_backup = arguments.boolean("use-owner-references-in-backup");
  out.spec.skip_immediately = arguments.optional_boolean("skip-immediately");
  const velero::StringList faults = validate(out);
  if (!faults.empty())
    return Error(ErrorCode::invalid, fmt::format("{}", fmt::join(faults, "; ")),
                 "nothing was created; write it like \"0 3 * * *\" or \"@every 5m\"")
        .in("schedule " + out.metadata.name);
  return out;
}

Result<int> create(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const Schedule schedule = TRY(schedule_object(cluster, arguments));
  if (const auto format = output_format(arguments); format) {
    surroundings.out(new_object_text(*format, surroundings.clock->now(), schedule));
    return 0;
  }
  TRY(create_object(cluster, schedule));
  surroundings.out(fmt::format("Schedule \"{}\" created successfully.\n", schedule.metadata.name));
  return 0;
}

Result<int> describe(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  bool first = true;
  for (const Schedule& schedule :
       TRY(named_objects<Schedule>(cluster, arguments.positionals(), arguments.text("selector")))) {
    surroundings.out((first ? "" : "\n\n") + velero::describe(schedule));
    first = false;
  }
  return 0;
}

enum class Pause { no, yes };

Result<int> set_paused(const Surroundings& surroundings, const config::Arguments& arguments, Pause pause) {
  TRY(check_selection(arguments, "schedules"));
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const auto schedules = TRY(selected<Schedule>(surroundings, cluster, arguments));
  if (schedules.empty()) surroundings.out("No schedules found\n");
  const bool paused = pause == Pause::yes;
  for (const Schedule& schedule : schedules) {
    const std::string& name = schedule.metadata.name;
    if (schedule.spec.paused == paused) {
      surroundings.out(fmt::format("Schedule {} is already {}, skip\n", name, paused ? "paused" : "unpaused"));
      continue;
    }
    TRY(change_object<Schedule>(cluster, name, [&](Schedule& object) -> Status {
      object.spec.paused = paused;
      if (arguments.given("skip-immediately")) object.spec.skip_immediately = arguments.boolean("skip-immediately");
      return {};
    }));
    surroundings.out(fmt::format("Schedule {} {} successfully\n", name, paused ? "paused" : "unpaused"));
  }
  return 0;
}
Result<int> pause(const Surroundings& surroundings, const config::Arguments& arguments) {
  return set_paused(surroundings, arguments, Pause::yes);
}
Result<int> unpause(const Surroundings& surroundings, const config::Arguments& arguments) {
  return set_paused(surroundings, arguments, Pause::no);
}

Result<int> remove(const Surroundings& surroundings, const config::Arguments& arguments) {
  TRY(check_selection(arguments, "schedules"));
  if (!confirmed(surroundings, arguments)) return 0;
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const auto schedules = TRY(selected<Schedule>(surroundings, cluster, arguments));
  if (schedules.empty()) surroundings.out("No schedules found\n");
  for (const Schedule& schedule : schedules) {
    const std::string& name = schedule.metadata.name;
    TRY(cluster.api->remove(type_of<Schedule>(), cluster.ns, name).in("delete schedule " + name));
    surroundings.out(fmt::format("Schedule deleted: {}\n", name));
  }
  return 0;
}

config::Command pause_command(const Surroundings& surroundings, const std::string& name, Work work) {
  std::vector<config::Option> options = selection_options(name, "schedules", Confirm::no);
  options.push_back({.name = "skip-immediately", .kind = Kind::boolean, .help = "leave out the run that is due next"});
  return {.name = name,
          .summary = name == "pause" ? "Stop schedules from making backups" : "Let paused schedules make backups again",
          .examples = {fmt::format("holdfast schedule {} shop-hourly", name),
                       fmt::format("holdfast schedule {} --all", name)},
          .options = std::move(options),
          .positionals = {{"NAME", "schedules", false, true, names_of<velero::Schedule>(surroundings)}},
          .run = runs(surroundings, work)};
}

}  // namespace

config::Command schedule_create_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = backup_options();
  options.push_back({.name = "schedule",
                     .help = "cron expression (\"0 */6 * * *\", \"CRON_TZ=Europe/Vienna 30 2 * * *\") or \"@every 6h\"",
                     .value_name = "CRON"});
  options.push_back({.name = "paused", .kind = Kind::boolean, .help = "make no backups until it is unpaused"});
  options.push_back({.name = "use-owner-references-in-backup",
                     .kind = Kind::boolean,
                     .help = "the backups belong to the schedule: deleting it deletes them"});
  options.push_back({.name = "skip-immediately", .kind = Kind::boolean, .help = "leave out the run that is due next"});
  return {.name = "create",
          .summary = "Create a schedule",
          .examples = {"holdfast schedule create shop-hourly --schedule \"@every 1h\" --include-namespaces shop",
                       "holdfast schedule create weekly --schedule \"0 3 * * 0\" --ttl 2160h0m0s"},
          .options = std::move(options),
          .positionals = {{"NAME", "name of the schedule"}},
          .run = runs(surroundings, create)};
}

config::Command schedule_get_command(const Surroundings& surroundings) {
  return {.name = "get",
          .summary = "List schedules",
          .examples = {"holdfast schedule get"},
          .options = get_options(),
          .positionals = {{"NAME", "only these", false, true, names_of<velero::Schedule>(surroundings)}},
          .run = runs(surroundings, get_verb<Schedule>)};
}

config::Command schedule_describe_command(const Surroundings& surroundings) {
  return {.name = "describe",
          .summary = "Show a schedule and its backups' template",
          .examples = {"holdfast schedule describe shop-hourly"},
          .options = {{.name = "selector", .help = "only schedules with these labels", .letter = 'l'}},
          .positionals = {{"NAME", "schedules to describe; none: all", false, true,
                           names_of<velero::Schedule>(surroundings)}},
          .run = runs(surroundings, describe)};
}

config::Command schedule_delete_command(const Surroundings& surroundings) {
  return {.name = "delete",
          .summary = "Delete schedules; their backups stay",
          .examples = {"holdfast schedule delete shop-hourly --confirm"},
          .options = selection_options("delete", "schedules", Confirm::yes),
          .positionals = {{"NAME", "schedules to delete", false, true, names_of<velero::Schedule>(surroundings)}},
          .run = runs(surroundings, remove)};
}

config::Command schedule_command(const Surroundings& surroundings) {
  return {.name = "schedule",
          .summary = "Work with schedules",
          .examples = {"holdfast schedule create shop --schedule \"@every 5m\" --include-namespaces shop",
                       "holdfast schedule pause shop"},
          .subcommands = {schedule_create_command(surroundings), schedule_get_command(surroundings),
                          schedule_describe_command(surroundings), pause_command(surroundings, "pause", pause),
                          pause_command(surroundings, "unpause", unpause), schedule_delete_command(surroundings)},
          .aliases = {"schedules"}};
}

}  // namespace holdfast::app
