// backup describe, logs, download: what is known about a backup, from the cluster and from the bucket.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "app/cli/commands.h"
#include "app/cli/download.h"
#include "app/cli/output.h"
#include "base/file.h"
#include "velero/describe.h"
#include "velero/names.h"

namespace holdfast::app {

namespace {

using velero::Backup;

struct BackupFiles {
  std::optional<velero::Results> results;
  std::optional<velero::ResourceList> resources;
  std::optional<std::vector<velero::BackupVolumeInfo>> volumes;
};

BackupFiles files_of(const Surroundings& surroundings, const Cluster& cluster, const Backup& backup, bool details,
                     const DownloadOptions& options) {
  BackupFiles out;
  if (!has_files(backup.status.phase)) return out;
  const auto text = [&](const char* kind) {
    return download_text(surroundings, cluster, kind, backup.metadata.name, options);
  };
  if (backup.status.errors > 0 || backup.status.warnings > 0)
    out.results = decoded(surroundings, text("BackupResults"), velero::decode_results);
  if (details) out.resources = decoded(surroundings, text("BackupResourceList"), velero::decode_resource_list);
  out.volumes = decoded(surroundings, text("BackupVolumeInfos"), velero::decode_backup_volume_infos);
  return out;
}

Result<int> describe(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const DownloadOptions options = TRY(download_options_of(arguments));
  const auto backups = TRY(named_objects<Backup>(cluster, arguments.positionals(), arguments.text("selector")));
  const bool as_json = arguments.text("output") == "json";
  if (as_json && backups.size() != 1)
    return Error(ErrorCode::invalid, "-o json describes one backup", "name exactly one");
  bool first = true;
  for (const Backup& backup : backups) {
    BackupFiles files = files_of(surroundings, cluster, backup, arguments.boolean("details"), options);
    velero::BackupDescription in;
    in.backup = &backup;
    in.results = std::move(files.results);
    in.resources = std::move(files.resources);
    in.volumes = std::move(files.volumes);
    in.details = arguments.boolean("details");
    if (as_json) {
      surroundings.out(wide_json(velero::describe_json(in)) + "\n");
    } else {
      surroundings.out((first ? "" : "\n\n") + velero::describe(in));
    }
    first = false;
  }
  return 0;
}

Result<int> logs(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const std::string name = arguments.positional(0);
  const Backup backup = TRY(get_object<Backup>(cluster, name));
  if (!has_files(backup.status.phase))
    return Error(ErrorCode::unavailable,
                 fmt::format("logs for backup \"{}\" are not available until it's finished processing, please wait "
                             "until the backup has a phase of Completed or Failed and try again",
                             name));
  const DownloadOptions options = TRY(download_options_of(arguments));
  surroundings.out(TRY(download_text(surroundings, cluster, "BackupLog", name, options)));
  return 0;
}

/// O_EXCL: without --force an existing file is never touched, however late it appears.
Status write_new(const std::string& path, std::string_view bytes) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) {
    Error error = errno_error(errno, path);
    return errno == EEXIST ? std::move(error).hinted("--force overwrites it") : error;
  }
  return write_all(file.get(), bytes, path);
}

Result<int> fetch_contents(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const std::string name = arguments.positional(0);
  TRY(get_object<Backup>(cluster, name));
  const DownloadOptions options = TRY(download_options_of(arguments));
  const std::string path = arguments.text("output").empty() ? name + "-data.tar.gz" : arguments.text("output");
  const std::string bytes = TRY(download(surroundings, cluster, "BackupContents", name, options));
  TRY(arguments.boolean("force") ? write_file_atomically(path, bytes, 0600) : write_new(path, bytes));
  surroundings.out(fmt::format("Backup {} has been successfully downloaded to {}\n", name, path));
  return 0;
}

}  // namespace

config::Command backup_describe_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = download_options();
  options.push_back({.name = "details", .kind = config::Kind::boolean, .help = "the objects and volumes one by one"});
  options.push_back({.name = "selector", .help = "only backups with these labels", .letter = 'l'});
  options.push_back({.name = "output",
                     .help = "plaintext, or json for one backup",
                     .fallback = "plaintext",
                     .letter = 'o',
                     .choices = {"plaintext", "json"}});
  return {
      .name = "describe",
      .summary = "Show what a backup holds and how it went",
      .examples = {"holdfast backup describe nightly --details"},
      .options = std::move(options),
      .positionals = {{"NAME", "backups to describe; none: all", false, true, names_of<velero::Backup>(surroundings)}},
      .run = runs(surroundings, describe)};
}

config::Command backup_logs_command(const Surroundings& surroundings) {
  return {.name = "logs",
          .summary = "Print the log of a backup",
          .examples = {"holdfast backup logs nightly"},
          .options = download_options(),
          .positionals = {{"BACKUP", "name of the backup", true, false, names_of<velero::Backup>(surroundings)}},
          .run = runs(surroundings, logs)};
}

config::Command backup_download_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = download_options();
  options.push_back({.name = "output", .help = "file to write; NAME-data.tar.gz without it", .letter = 'o'});
  options.push_back({.name = "force", .kind = config::Kind::boolean, .help = "overwrite an existing file"});
  return {.name = "download",
          .summary = "Fetch the objects of a backup as a tarball",
          .examples = {"holdfast backup download nightly -o nightly.tar.gz"},
          .options = std::move(options),
          .positionals = {{"NAME", "name of the backup", true, false, names_of<velero::Backup>(surroundings)}},
          .run = runs(surroundings, fetch_contents)};
}

}  // namespace holdfast::app
