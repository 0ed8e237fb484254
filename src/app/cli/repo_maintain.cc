#include "app/cli/repo_session.h"
#include "repo/check.h"
#include "repo/config.h"
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

int unlock(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    const repo::Unlock which = arguments.boolean("remove-all") ? repo::Unlock::all : repo::Unlock::stale;
    repo::Repository& repository = session.repository();
    const size_t removed = TRY(repo::unlock(repository.files(), which, repository.clock(), session.stop()));
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
      {.name = "unlock",
       .summary = "Remove locks that nobody holds any more",
       .examples = {"holdfast repo -r /srv/backup unlock"},
       .options = {{.name = "remove-all", .kind = Kind::boolean, .help = "remove all locks, those in use too"}},
       .run = unlock},
  };
}

}  // namespace holdfast::app
