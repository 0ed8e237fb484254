// restore describe and logs.
#include <fmt/format.h>

#include "app/cli/commands.h"
#include "app/cli/download.h"
#include "app/cli/output.h"
#include "velero/describe.h"
#include "velero/names.h"

namespace holdfast::app {

namespace {

using velero::Restore;

Result<velero::RestoreDescription> description(const Surroundings& surroundings, const Cluster& cluster,
                                               const Restore& restore, bool details, const DownloadOptions& options) {
  velero::RestoreDescription out;
  out.restore = &restore;
  out.details = details;
  const std::string& name = restore.metadata.name;
  const bool files = has_files(restore.status.phase);
  if (files && (restore.status.errors > 0 || restore.status.warnings > 0))
    out.results = decoded(surroundings, download_text(surroundings, cluster, "RestoreResults", name, options),
                          velero::decode_results);
  if (files && details)
    out.resources = decoded(surroundings, download_text(surroundings, cluster, "RestoreResourceList", name, options),
                            velero::decode_resource_list);
  if (files) {
    const Result<std::string> text = download_text(surroundings, cluster, "RestoreVolumeInfo", name, options);
    const bool older = text.is(ErrorCode::not_found);  // before 1.14 there was no such file
    if (const auto infos = older ? std::nullopt : decoded(surroundings, text, velero::decode_restore_volume_infos))
      out.infos = *infos;
  }
  out.volumes = TRY(list_objects<velero::PodVolumeRestore>(
      cluster, fmt::format("{}={}", velero::label::kRestoreName, velero::label_value(name))));
  return out;
}

Result<int> describe(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const DownloadOptions options = TRY(download_options_of(arguments));
  const auto restores = TRY(named_objects<Restore>(cluster, arguments.positionals(), arguments.text("selector")));
  bool first = true;
  for (const Restore& restore : restores) {
    const auto in = TRY(description(surroundings, cluster, restore, arguments.boolean("details"), options));
    surroundings.out((first ? "" : "\n\n") + velero::describe(in));
    first = false;
  }
  return 0;
}

Result<int> logs(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const std::string name = arguments.positional(0);
  const Restore restore = TRY(get_object<Restore>(cluster, name));
  if (!has_files(restore.status.phase))
    return Error(ErrorCode::unavailable,
                 fmt::format("logs for restore \"{}\" are not available until it's finished processing, please wait "
                             "until the restore has a phase of Completed or Failed and try again",
                             name));
  const DownloadOptions options = TRY(download_options_of(arguments));
  surroundings.out(TRY(download_text(surroundings, cluster, "RestoreLog", name, options)));
  return 0;
}

}  // namespace

config::Command restore_describe_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = download_options();
  options.push_back({.name = "details", .kind = config::Kind::boolean, .help = "the objects and volumes one by one"});
  options.push_back({.name = "selector", .help = "only restores with these labels", .letter = 'l'});
  return {.name = "describe",
          .summary = "Show what a restore brought back and how it went",
          .examples = {"holdfast restore describe try --details"},
          .options = std::move(options),
          .positionals = {{"NAME", "restores to describe; none: all", false, true,
                           names_of<velero::Restore>(surroundings)}},
          .run = runs(surroundings, describe)};
}

config::Command restore_logs_command(const Surroundings& surroundings) {
  return {.name = "logs",
          .summary = "Print the log of a restore",
          .examples = {"holdfast restore logs try"},
          .options = download_options(),
          .positionals = {{"RESTORE", "name of the restore", true, false, names_of<velero::Restore>(surroundings)}},
          .run = runs(surroundings, logs)};
}

}  // namespace holdfast::app
