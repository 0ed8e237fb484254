#include <ctime>
#include <iostream>

#include "app/cli/repo_session.h"
#include "base/file.h"
#include "base/text.h"
#include "repo/archive.h"
#include "repo/local_identity.h"

namespace holdfast::app {
namespace {

using repo::LetterCase;

/// "2026-11-21 06:18:56" of this machine's zone, or RFC 3339.
Result<Time> parse_time(const std::string& text) {
  if (Result<Time> time = parse_rfc3339(text)) return time;
  tm local{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &local);
  if (!end || *end != '\0') {
    return Error(ErrorCode::invalid, fmt::format("--time: \"{}\" is no time", text), "write 2026-11-21 06:18:56");
  }
  local.tm_isdst = -1;
  return Time(std::chrono::seconds(::mktime(&local)));
}

Status add_patterns(repo::ArchiveOptions& options, const std::vector<std::string>& patterns, LetterCase letter_case) {
  for (const std::string& pattern : patterns) {
    TRY(options.filter.add(pattern, letter_case));
    options.excludes.push_back(pattern);
  }
  return {};
}

/// Lines of a file; empty ones and comments left out.
Result<std::vector<std::string>> read_lines(const std::string& file) {
  std::vector<std::string> lines;
  for (const std::string& line : split(TRY(read_file(file, 64 << 20)), '\n')) {
    const std::string_view text = trim(line);
    if (!text.empty() && !text.starts_with('#')) lines.emplace_back(text);
  }
  return lines;
}

Result<repo::ArchiveOptions> archive_options(const config::Arguments& arguments) {
  repo::ArchiveOptions options;
  options.paths = arguments.positionals();
  options.hostname = arguments.text("host");
  for (const std::string& tags : arguments.list("tag")) {
    if (!tags.empty()) options.tags.push_back(tags);
  }
  if (arguments.given("time")) options.time = TRY(parse_time(arguments.text("time")));
  options.ignore_ctime = arguments.boolean("ignore-ctime");
  options.ignore_inode = arguments.boolean("ignore-inode");
  options.with_atime = arguments.boolean("with-atime");
  options.one_file_system = arguments.boolean("one-file-system");
  options.skip_if_unchanged = arguments.boolean("skip-if-unchanged");
  options.dry_run = arguments.boolean("dry-run");
  options.readers = static_cast<size_t>(std::max<int64_t>(0, arguments.number("read-concurrency")));
  TRY(add_patterns(options, arguments.list("exclude"), LetterCase::exact));
  TRY(add_patterns(options, arguments.list("iexclude"), LetterCase::ignored));
  for (const std::string& file : arguments.list("exclude-file")) {
    TRY(add_patterns(options, TRY(read_lines(file)), LetterCase::exact));
  }
  options.exclude_if_present = arguments.list("exclude-if-present");
  if (arguments.boolean("exclude-caches")) {
    options.exclude_if_present.emplace_back("CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55");
  }
  if (arguments.given("exclude-larger-than")) options.exclude_larger_than = arguments.size("exclude-larger-than");
  if (arguments.given("tree-profile")) options.profile = TRY(repo::parse_tree_profile(arguments.text("tree-profile")));
  return options;
}

Status choose_parent(RepoSession& session, repo::ArchiveOptions& options) {
  const config::Arguments& arguments = session.arguments();
  if (arguments.boolean("force")) return {};
  const std::vector<repo::Snapshot> snapshots = TRY(session.repository().snapshots(session.stop()));
  if (arguments.given("parent")) {
    options.parent = TRY(repo::find_snapshot(snapshots, arguments.text("parent")));
    return {};
  }
  const std::string host = options.hostname.empty() ? repo::local_identity().hostname : options.hostname;
  const Time latest = options.time.value_or(session.repository().clock().now());
  options.parent = repo::find_parent(snapshots, host, TRY(repo::snapshot_paths(options)), latest);
  return {};
}

void print_errors(const RepoSession& session, const std::vector<repo::ItemError>& errors) {
  for (const repo::ItemError& item : errors) {
    if (session.json()) {
      const json::object line{{"message_type", "error"},
                              {"error", json::object{{"message", item.error.message()}}},
                              {"during", "archival"},
                              {"item", item.path}};
      fmt::print(stderr, "{}\n", json::compact(line));
    } else {
      fmt::print(stderr, "error: {}: {}\n", item.path, item.error.to_string());
    }
  }
}

void print_summary(const RepoSession& session, const repo::ArchiveResult& result, double seconds) {
  const repo::SnapshotSummary& s = result.summary;
  if (session.json()) {
    json::object line{{"message_type", "summary"},
                      {"files_new", s.files_new},
                      {"files_changed", s.files_changed},
                      {"files_unmodified", s.files_unmodified},
                      {"dirs_new", s.dirs_new},
                      {"dirs_changed", s.dirs_changed},
                      {"dirs_unmodified", s.dirs_unmodified},
                      {"data_blobs", s.data_blobs},
                      {"tree_blobs", s.tree_blobs},
                      {"data_added", s.data_added},
                      {"data_added_packed", s.data_added_packed},
                      {"total_files_processed", s.total_files_processed},
                      {"total_bytes_processed", s.total_bytes_processed},
                      {"total_duration", seconds},
                      {"tree", result.tree.hex()}};
    if (result.snapshot) line["snapshot_id"] = result.snapshot->id.hex();
    fmt::print("{}\n", json::compact(line));
    return;
  }
  if (session.quiet()) return;
  fmt::print("Files:       {:5} new, {:5} changed, {:5} unmodified\n", s.files_new, s.files_changed,
             s.files_unmodified);
  fmt::print("Dirs:        {:5} new, {:5} changed, {:5} unmodified\n", s.dirs_new, s.dirs_changed, s.dirs_unmodified);
  fmt::print("Added to the repository: {} ({} stored)\n\n", format_bytes(s.data_added),
             format_bytes(s.data_added_packed));
  fmt::print("processed {} files, {} in {:.1f} s\n", s.total_files_processed, format_bytes(s.total_bytes_processed),
             seconds);
  if (result.snapshot) {
    fmt::print("snapshot {} saved\n", result.snapshot->id.short_hex());
  } else {
    fmt::print("no snapshot was made\n");
  }
}

int backup(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    repo::ArchiveOptions options = TRY(archive_options(arguments));
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, RepoSession::MayGoWithout::no));
    TRY(session.load_index());
    TRY(choose_parent(session, options));
    const BootTime start = system_clock().boottime();
    const repo::ArchiveResult result =
        TRY(repo::archive(session.repository(), *session.held_lock(), options, session.progress(), session.stop()));
    session.progress().clear();
    print_errors(session, result.errors);
    print_summary(session, result, std::chrono::duration<double>(system_clock().boottime() - start).count());
    return result.errors.empty() ? kExitDone : kExitIncomplete;
  });
}

}  // namespace

config::Command repo_backup_command() {
  using config::Kind;
  return {
      .name = "backup",
      .summary = "Save files and directories as a snapshot",
      .description =
          "Exit codes: 0 all saved, 1 no snapshot was made, 3 a snapshot was made but some files could not "
          "be read, 10 no repository, 11 locked, 12 wrong password, 130 interrupted.",
      .examples = {"holdfast repo -r /srv/backup backup /home", "# the content of a directory as the snapshot's root",
                   "cd /data && holdfast repo -r s3:https://s3.example/bucket/app backup . --host app --tag nightly"},
      .options = {{.name = "host", .help = "host name to record", .letter = 'H', .environment = "RESTIC_HOST"},
                  {.name = "tag", .kind = Kind::list, .help = "tags to record"},
                  {.name = "time", .help = "time to record instead of now"},
                  {.name = "parent", .help = "snapshot to compare with instead of the newest of this host and paths"},
                  {.name = "force", .kind = Kind::boolean, .help = "read every file again", .letter = 'f'},
                  {.name = "ignore-ctime", .kind = Kind::boolean, .help = "another ctime alone is no change"},
                  {.name = "ignore-inode", .kind = Kind::boolean, .help = "another inode or ctime is no change"},
                  {.name = "with-atime", .kind = Kind::boolean, .help = "record times of access"},
                  {.name = "one-file-system",
                   .kind = Kind::boolean,
                   .help = "stay on the file system of each path",
                   .letter = 'x'},
                  {.name = "skip-if-unchanged", .kind = Kind::boolean, .help = "make no snapshot equal to its parent"},
                  {.name = "dry-run", .kind = Kind::boolean, .help = "read and count, but save nothing", .letter = 'n'},
                  {.name = "exclude", .kind = Kind::repeated, .help = "pattern of paths to leave out", .letter = 'e'},
                  {.name = "iexclude", .kind = Kind::repeated, .help = "the same, upper and lower case alike"},
                  {.name = "exclude-file", .kind = Kind::repeated, .help = "file with patterns, one a line"},
                  {.name = "exclude-if-present",
                   .kind = Kind::repeated,
                   .help = "leave out the content of directories with this FILE (FILE:BEGINNING: that begins so)"},
                  {.name = "exclude-caches",
                   .kind = Kind::boolean,
                   .help = "leave out directories with a CACHEDIR.TAG"},
                  {.name = "exclude-larger-than", .kind = Kind::size, .help = "leave out larger files"},
                  {.name = "read-concurrency",
                   .kind = Kind::number,
                   .help = "files read at once; 0: one for each core",
                   .fallback = "0",
                   .environment = "RESTIC_READ_CONCURRENCY"},
                  {.name = "tree-profile",
                   .help = "how directories are spelled; else as in the newest snapshot",
                   .choices = {"restic-0.14", "restic-0.19"}}},
      .positionals = {{"PATH", "files and directories; \".\" saves the content of the working directory", true, true}},
      .run = backup};
}

}  // namespace holdfast::app
