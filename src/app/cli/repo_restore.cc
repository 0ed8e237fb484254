#include "app/cli/repo_session.h"
#include "base/text.h"
#include "repo/restore.h"

namespace holdfast::app {
namespace {

Result<repo::RestoreOptions> restore_options(const config::Arguments& arguments) {
  repo::RestoreOptions options;
  options.target = arguments.text("target");
  if (options.target.empty()) return Error(ErrorCode::invalid, "no target is given", "give --target DIRECTORY");
  for (const std::string& pattern : arguments.list("include")) TRY(options.include.add(pattern));
  for (const std::string& pattern : arguments.list("iinclude")) {
    TRY(options.include.add(pattern, repo::LetterCase::ignored));
  }
  for (const std::string& pattern : arguments.list("exclude")) TRY(options.exclude.add(pattern));
  for (const std::string& pattern : arguments.list("iexclude")) {
    TRY(options.exclude.add(pattern, repo::LetterCase::ignored));
  }
  options.overwrite = arguments.text("overwrite") == "never" ? repo::Overwrite::never : repo::Overwrite::always;
  options.sparse = arguments.boolean("sparse");
  options.verify = arguments.boolean("verify");
  return options;
}

void print_result(const RepoSession& session, const repo::RestoreResult& result, double seconds) {
  if (session.json()) {
    for (const repo::ItemError& item : result.errors) {
      const json::object line{{"message_type", "error"},
                              {"error", json::object{{"message", item.error.message()}}},
                              {"during", "restore"},
                              {"item", item.path}};
      fmt::print(stderr, "{}\n", json::compact(line));
    }
    const json::object line{{"message_type", "summary"},
                            {"seconds_elapsed", seconds},
                            {"files_restored", result.files + result.links + result.others + result.directories},
                            {"files_skipped", result.skipped},
                            {"files_verified", result.verified},
                            {"bytes_restored", result.bytes},
                            {"errors", result.errors.size()}};
    fmt::print("{}\n", json::compact(line));
    return;
  }
  for (const repo::ItemError& item : result.errors) {
    fmt::print(stderr, "error: {}: {}\n", item.path, item.error.to_string());
  }
  if (session.quiet()) return;
  fmt::print("restored {} files, {} directories, {} hard links and {} links and special files, {} in {:.1f} s\n",
             result.files, result.directories, result.links, result.others, format_bytes(result.bytes), seconds);
  if (result.skipped > 0) fmt::print("{} entries were there already and stay as they are\n", result.skipped);
  if (result.verified > 0) fmt::print("{} files were read again and are right\n", result.verified);
  if (!result.errors.empty()) fmt::print(stderr, "{} entries could not be restored\n", result.errors.size());
}

int restore(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    repo::RestoreOptions options = TRY(restore_options(arguments));
    std::string name = arguments.positional(0);
    if (const size_t colon = name.find(':'); colon != std::string::npos) {
      options.subfolder = name.substr(colon + 1);
      name.resize(colon);
    }
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, RepoSession::MayGoWithout::yes));
    const std::vector<repo::Snapshot> snapshots = TRY(session.repository().snapshots(session.stop()));
    const repo::Snapshot snapshot = TRY(repo::find_snapshot(snapshots, name, session.filter()));
    TRY(session.load_index());
    const BootTime start = system_clock().boottime();
    const repo::RestoreResult result =
        TRY(repo::restore(session.repository(), snapshot, options, session.progress(), session.stop()));
    session.progress().clear();
    print_result(session, result, std::chrono::duration<double>(system_clock().boottime() - start).count());
    return result.errors.empty() ? kExitDone : kExitFailed;
  });
}

}  // namespace

config::Command repo_restore_command() {
  using config::Kind;
  std::vector<config::Option> options = {
      {.name = "target",
       .help = "directory to restore into; made where it is missing",
       .letter = 't',
       .value_name = "DIRECTORY"},
      {.name = "include", .kind = Kind::repeated, .help = "restore only paths that match", .letter = 'i'},
      {.name = "iinclude", .kind = Kind::repeated, .help = "the same, upper and lower case alike"},
      {.name = "exclude", .kind = Kind::repeated, .help = "leave out paths that match", .letter = 'e'},
      {.name = "iexclude", .kind = Kind::repeated, .help = "the same, upper and lower case alike"},
      {.name = "overwrite", .help = "what is in the way", .fallback = "always", .choices = {"always", "never"}},
      {.name = "sparse", .kind = Kind::boolean, .help = "leave blocks of zeros as holes"},
      {.name = "verify", .kind = Kind::boolean, .help = "read every file again and compare"}};
  for (config::Option& option : snapshot_filter_options()) options.push_back(std::move(option));
  return {.name = "restore",
          .summary = "Restore a snapshot, or a part of it, into a directory",
          .description =
              "Exit codes: 0 all restored, 1 something was not (each is named), 10 no repository, 11 locked, "
              "12 wrong password, 130 interrupted.",
          .examples = {"holdfast repo -r /srv/backup restore latest --target /tmp/look",
                       "# only a folder, as the target's content",
                       "holdfast repo -r /srv/backup restore latest:/home/ann --target /home/ann --sparse --verify"},
          .options = std::move(options),
          .positionals = {{"SNAPSHOT[:PATH]", "\"latest\" or the beginning of an id"}},
          .run = restore};
}

}  // namespace holdfast::app
