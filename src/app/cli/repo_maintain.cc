#include "app/cli/repo_session.h"
#include "base/text.h"
#include "repo/check.h"
#include "repo/config.h"
#include "repo/forget.h"
#include "repo/unpacked.h"

namespace holdfast::app {
namespace {

using MayGoWithout = RepoSession::MayGoWithout;

int init(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    repo::InitOptions options;
    const std::string version = arguments.text("repository-version");
    options.version = version == "1" ? 1 : 2;
    TRY(session.init(options));
    const std::string id = session.repository().config().id;
    if (session.json()) {
      const json::object line{{"message_type", "initialized"}, {"id", id}, {"repository", session.repository().name()}};
      fmt::print("{}\n", json::compact(line));
    } else if (!session.quiet()) {
      fmt::print("repository {} made at {}\n", id.substr(0, 10), session.repository().name());
      fmt::print("Keep the password: without it nothing can be restored.\n");
    }
    return kExitDone;
  });
}

int check(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    repo::CheckOptions options;
    if (arguments.boolean("read-data")) options.data.kind = repo::DataSubset::Kind::all;
    if (arguments.given("read-data-subset")) {
      options.data = TRY(repo::parse_data_subset(arguments.text("read-data-subset")));
    }
    TRY(session.open());
    TRY(session.lock(repo::LockMode::exclusive, MayGoWithout::yes));
    const repo::CheckReport report =
        TRY(repo::check(session.repository(), options, session.stop(), &session.progress()));
    session.progress().clear();
    for (const std::string& line : report.damage) fmt::print(stderr, "error: {}\n", line);
    if (!session.quiet()) {
      for (const std::string& line : report.hints) fmt::print(stderr, "hint: {}\n", line);
    }
    if (session.json()) {
      const json::object line{{"message_type", "summary"},     {"num_errors", report.damage.size()},
                              {"snapshots", report.snapshots}, {"trees", report.trees},
                              {"packs", report.packs},         {"packs_read", report.packs_read}};
      fmt::print("{}\n", json::compact(line));
    } else if (!session.quiet()) {
      fmt::print("{} snapshots, {} trees, {} packs ({} read whole): {}\n", report.snapshots, report.trees, report.packs,
                 report.packs_read,
                 report.clean() ? "no errors were found" : fmt::format("{} errors", report.damage.size()));
    }
    return report.clean() ? kExitDone : kExitFailed;
  });
}

/// Counts as restic takes them: a number, or "unlimited".
Result<int> keep_count(const config::Arguments& arguments, const std::string& name) {
  const std::string text = arguments.text(name);
  if (text.empty()) return 0;
  if (text == "unlimited" || text == "-1") return repo::KeepPolicy::kAll;
  const Result<int64_t> count = parse_int(text);
  if (!count || *count < 0 || *count > 1'000'000) {
    return Error(ErrorCode::invalid, fmt::format("--{} takes a number or \"unlimited\"", name));
  }
  return static_cast<int>(*count);
}

Status keep_span(const config::Arguments& arguments, const std::string& name, repo::CalendarSpan& span) {
  if (arguments.given(name)) span = TRY(repo::parse_calendar_span(arguments.text(name)).in("--" + name));
  return {};
}

Result<repo::ForgetOptions> forget_options(const RepoSession& session) {
  const config::Arguments& arguments = session.arguments();
  repo::ForgetOptions options;
  repo::KeepPolicy& policy = options.policy;
  policy.last = TRY(keep_count(arguments, "keep-last"));
  policy.hourly = TRY(keep_count(arguments, "keep-hourly"));
  policy.daily = TRY(keep_count(arguments, "keep-daily"));
  policy.weekly = TRY(keep_count(arguments, "keep-weekly"));
  policy.monthly = TRY(keep_count(arguments, "keep-monthly"));
  policy.yearly = TRY(keep_count(arguments, "keep-yearly"));
  TRY(keep_span(arguments, "keep-within", policy.within));
  TRY(keep_span(arguments, "keep-within-hourly", policy.within_hourly));
  TRY(keep_span(arguments, "keep-within-daily", policy.within_daily));
  TRY(keep_span(arguments, "keep-within-weekly", policy.within_weekly));
  TRY(keep_span(arguments, "keep-within-monthly", policy.within_monthly));
  TRY(keep_span(arguments, "keep-within-yearly", policy.within_yearly));
  for (const std::string& tags : arguments.list("keep-tag")) policy.tags.push_back(split(tags, ','));
  options.group_by = TRY(repo::parse_group_by(arguments.text("group-by")));
  options.filter = session.filter();
  options.dry_run = arguments.boolean("dry-run") ? repo::DryRun::yes : repo::DryRun::no;
  return options;
}

/// Named snapshots: found all before the first goes.
Result<int> forget_named(RepoSession& session) {
  const std::vector<repo::Snapshot> all = TRY(session.repository().snapshots(session.stop()));
  std::vector<repo::Snapshot> chosen;
  for (const std::string& name : session.arguments().positionals()) {
    chosen.push_back(TRY(repo::find_snapshot(all, name, session.filter())));
  }
  const bool dry = session.arguments().boolean("dry-run");
  for (const repo::Snapshot& snapshot : chosen) {
    if (!dry) TRY(session.repository().remove_snapshot(snapshot.id, session.stop()));
    if (!session.quiet() && !session.json()) {
      fmt::print("{} snapshot {}\n", dry ? "would remove" : "removed", snapshot.id.short_hex());
    }
  }
  return kExitDone;
}

json::object shown_group(const repo::SnapshotGroup& group, const repo::ForgetDecision& decision) {
  json::array keep, remove, reasons;
  for (const repo::KeptSnapshot& kept : decision.keep) {
    json::object snapshot = shown_snapshot(kept.snapshot);
    keep.emplace_back(snapshot);
    reasons.emplace_back(json::object{{"snapshot", snapshot}, {"matches", json::from_strings(kept.reasons)}});
  }
  for (const repo::Snapshot& snapshot : decision.remove) remove.emplace_back(shown_snapshot(snapshot));
  return {{"tags", json::from_strings(group.tags)},
          {"host", group.host},
          {"paths", json::from_strings(group.paths)},
          {"keep", keep},
          {"remove", remove},
          {"reasons", reasons}};
}

int forget(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    const repo::ForgetOptions options = TRY(forget_options(session));
    TRY(session.open());
    TRY(session.lock(repo::LockMode::exclusive, MayGoWithout::no));
    if (!arguments.positionals().empty()) return forget_named(session);
    const repo::ForgetReport report =
        TRY(repo::forget(session.repository(), *session.held_lock(), options, session.stop()));
    if (session.json()) {
      json::array groups;
      for (const auto& [group, decision] : report.groups) groups.emplace_back(shown_group(group, decision));
      fmt::print("{}\n", json::compact(groups));
      return kExitDone;
    }
    if (session.quiet()) return kExitDone;
    for (const auto& [group, decision] : report.groups) {
      fmt::print("host {}, paths {}:\n", group.host, fmt::join(group.paths, ","));
      for (const repo::KeptSnapshot& kept : decision.keep) {
        fmt::print("  keep    {}  {}  {}\n", kept.snapshot.id.short_hex(), kept.snapshot.time.text,
                   fmt::join(kept.reasons, ", "));
      }
      for (const repo::Snapshot& snapshot : decision.remove) {
        fmt::print("  remove  {}  {}\n", snapshot.id.short_hex(), snapshot.time.text);
      }
    }
    size_t chosen = 0;
    for (const auto& [group, decision] : report.groups) chosen += decision.remove.size();
    fmt::print("{} snapshots {}\n", chosen, arguments.boolean("dry-run") ? "would go" : "removed");
    return kExitDone;
  });
}

std::vector<config::Option> forget_flags() {
  using config::Kind;
  std::vector<config::Option> options = {
      {.name = "group-by", .help = "judge snapshots of equal host, paths or tags together", .fallback = "host,paths"},
      {.name = "dry-run", .kind = Kind::boolean, .help = "only show what would go", .letter = 'n'},
      {.name = "keep-tag", .kind = Kind::repeated, .help = "keep snapshots with all of these comma-separated tags"}};
  const auto add = [&](const char* name, char letter, const std::string& what) {
    options.push_back({.name = name, .help = "keep " + what, .letter = letter, .value_name = "N"});
  };
  add("keep-last", 'l', "the last N snapshots");
  add("keep-hourly", 0, "the last of each of N hours");
  add("keep-daily", 'd', "the last of each of N days");
  add("keep-weekly", 'w', "the last of each of N weeks");
  add("keep-monthly", 'm', "the last of each of N months");
  add("keep-yearly", 'y', "the last of each of N years");
  for (const std::string unit : {"", "-hourly", "-daily", "-weekly", "-monthly", "-yearly"}) {
    options.push_back({.name = "keep-within" + unit,
                       .help = "keep " + (unit.empty() ? std::string("all") : unit.substr(1)) +
                               " snapshots younger than this, counted from the newest",
                       .value_name = "2y5m7d3h"});
  }
  for (config::Option& option : snapshot_filter_options()) options.push_back(std::move(option));
  return options;
}

int unlock(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    const repo::Unlock which = arguments.boolean("remove-all") ? repo::Unlock::all : repo::Unlock::stale;
    repo::Repository& repository = session.repository();
    const size_t removed = TRY(
        repo::unlock(repository.files(), which, repository.clock(), session.stop(), arguments.duration("retry-lock")));
    if (!session.quiet() && !session.json()) fmt::print("{} locks removed\n", removed);
    return kExitDone;
  });
}

}  // namespace

std::vector<config::Command> repo_maintain_commands() {
  using config::Kind;
  return {
      {.name = "init",
       .summary = "Make a new repository",
       .examples = {"holdfast repo -r /srv/backup --password-file pw init"},
       .options = {{.name = "repository-version",
                    .help = "format version",
                    .fallback = "2",
                    .choices = {"1", "2", "stable", "latest"}}},
       .run = init},
      {.name = "check",
       .summary = "Look for errors in the repository",
       .description = "Exit codes: 0 none found, 1 errors found, 10 no repository, 11 locked, 12 wrong password.",
       .examples = {"holdfast repo -r /srv/backup check --read-data-subset 5%"},
       .options = {{.name = "read-data", .kind = Kind::boolean, .help = "read all packs too"},
                   {.name = "read-data-subset", .help = "read some packs: \"n/t\", \"x%\" or a size"}},
       .run = check},
      {.name = "forget",
       .summary = "Remove snapshots, by name or by a policy of what to keep",
       .description = "Only the snapshots go; the space is freed by a later prune. A policy that would keep nothing of "
                      "a group is refused.",
       .examples = {"holdfast repo -r /srv/backup forget --keep-daily 7 --keep-weekly 5 --dry-run",
                    "holdfast repo -r /srv/backup forget 1a2b3c4d"},
       .options = forget_flags(),
       .positionals = {{"SNAPSHOT", "snapshots to remove, whatever the policy", false, true}},
       .run = forget},
      {.name = "unlock",
       .summary = "Remove locks that nobody holds any more",
       .description = "A lock of holdfast is known to be dead when it was not refreshed for half an hour while this "
                      "command looked: --retry-lock says how long it looks. restic's locks go by their age.",
       .examples = {"holdfast repo -r /srv/backup unlock --retry-lock 35m"},
       .options = {{.name = "remove-all", .kind = Kind::boolean, .help = "remove all locks, those in use too"}},
       .run = unlock},
  };
}

}  // namespace holdfast::app
