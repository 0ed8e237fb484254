// The tree of verbs as a whole: help, examples, completion, manual, and the small verbs.
#include <gmock/gmock.h>

#include <functional>

#include "app/cli/stage.h"
#include "base/version.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

void walk(const config::Command& command, const std::vector<std::string>& path,
          const std::function<void(const config::Command&, const std::vector<std::string>&)>& visit) {
  visit(command, path);
  for (const config::Command& sub : command.subcommands) {
    std::vector<std::string> below = path;
    below.push_back(sub.name);
    walk(sub, below, visit);
  }
}

TEST(Root, EveryVerbHasHelpAndExamplesThatParse) {
  Stage stage;
  const config::Command root = root_command(stage.surroundings());
  size_t verbs = 0;
  walk(root, {"holdfast"}, [&](const config::Command& command, const std::vector<std::string>& path) {
    const std::string name = ::testing::PrintToString(path);
    EXPECT_FALSE(command.summary.empty()) << name;
    for (const config::Option& option : command.options) EXPECT_FALSE(option.help.empty()) << name << option.name;
    EXPECT_TRUE(command.hidden || path.size() == 1 || !command.examples.empty()) << name;
    if (!command.run) {
      EXPECT_FALSE(command.subcommands.empty()) << name;
      return;
    }
    ++verbs;
    EXPECT_THAT(config::help(root, path), HasSubstr(command.summary)) << name;
  });
  EXPECT_GE(verbs, 40u);
}

/// Words of a command line, with double quotes.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

TEST(Root, ExamplesAreTakenByTheParser) {
  Stage stage;
  const config::Command root = root_command(stage.surroundings());
  const config::Environment nothing = [](const std::string&) { return std::nullopt; };
  walk(root, {"holdfast"}, [&](const config::Command& command, const std::vector<std::string>&) {
    for (const std::string& example : command.examples) {
      if (!example.starts_with("holdfast ") || example.find_first_of("|<>") != std::string::npos) continue;
      std::vector<std::string> words = shell_words(example);
      words.erase(words.begin());
      const Result<config::Parsed> parsed = config::parse(root, words, nothing);
      EXPECT_TRUE(parsed.ok()) << example << ": " << (parsed ? "" : parsed.error().to_string());
    }
  });
}

/// The long flags in a help text of the real velero, without the global ones of its logging.
std::vector<std::string> flags_of(const std::string& help) {
  std::vector<std::string> out;
  for (const std::string& line : split(help.substr(0, help.find("Global Flags:")), '\n')) {
    const size_t dashes = line.find("--");
    if (!line.starts_with("  ") || (dashes != 6 || (line[2] != ' ' && line[2] != '-'))) continue;
    const std::string name = line.substr(8, line.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", 8) - 8);
    if (!name.empty() && line.size() > 8 + name.size() && line[8 + name.size()] == ' ') out.push_back(name);
  }
  return out;
}

TEST(Root, TakesVelerosFlags) {
  Stage stage;
  const config::Command root = root_command(stage.surroundings());
  const std::vector<std::string> verbs{"backup_create",
                                       "backup_get",
                                       "backup_describe",
                                       "backup_logs",
                                       "backup_download",
                                       "backup_delete",
                                       "restore_create",
                                       "restore_get",
                                       "restore_describe",
                                       "restore_logs",
                                       "restore_delete",
                                       "schedule_create",
                                       "schedule_get",
                                       "schedule_describe",
                                       "schedule_pause",
                                       "schedule_unpause",
                                       "schedule_delete",
                                       "backup-location_create",
                                       "backup-location_get",
                                       "backup-location_delete",
                                       "backup-location_set",
                                       "version",
                                       "debug",
                                       "uninstall",
                                       "repo_get",
                                       "create_backup",
                                       "get_backups",
                                       "delete_restore",
                                       "describe_schedules"};
  for (const std::string& verb : verbs) {
    const config::Command* command = &root;
    for (const std::string& name : split(verb, '_')) {
      const auto& subs = command->subcommands;
      const auto next =
          std::find_if(subs.begin(), subs.end(), [&](const config::Command& c) { return c.name == name; });
      ASSERT_NE(next, subs.end()) << verb;
      command = &*next;
    }
    const std::vector<std::string> flags = flags_of(fixture("1.14/cli/help/" + verb + ".txt"));
    EXPECT_FALSE(flags.empty()) << verb;
    for (const std::string& flag : flags) {
      if (flag == "help") continue;
      EXPECT_TRUE(std::any_of(command->options.begin(), command->options.end(),
                              [&](const config::Option& option) { return option.name == flag; }))
          << verb << " --" << flag;
    }
  }
}

TEST(Root, CompletesVerbsOptionsAndNames) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backups.yaml");
  const config::Command root = root_command(stage.surroundings());
  const auto complete = [&](const std::vector<std::string>& words) {
    return config::completions(root, words, [](const std::string&) { return std::nullopt; });
  };
  EXPECT_THAT(complete({"restore", "create", "--from-backup", "b"}), ::testing::Contains("b1"));
  EXPECT_THAT(complete({"backup", "describe", "b"}), ::testing::Contains("b1"));
  EXPECT_THAT(complete({"backup", "get", "-o", ""}), ::testing::ElementsAre("table", "json", "yaml"));
  EXPECT_THAT(complete({"backup", "de"}), ::testing::ElementsAre("describe", "delete"));
  EXPECT_THAT(complete({"backup", "create", "--from"}), ::testing::ElementsAre("--from-schedule"));
  EXPECT_THAT(complete({"docs"}), ::testing::IsEmpty());
}

TEST(Root, TheManualIsCurrent) {
  Stage stage;
  EXPECT_EQ(stage.run({"docs-cli"}), 0);
  EXPECT_EQ(stage.out(), read_file(std::string(HOLDFAST_SOURCE_DIR) + "/docs/cli.md").value())
      << "run: holdfast docs-cli > docs/cli.md";
}

TEST(Root, VersionAsksTheServer) {
  Stage stage;
  const std::string client = "Client:\n\tVersion: v" + std::string(program_version()) + "\n\tGit commit: -\n";
  EXPECT_EQ(stage.run({"version", "--client-only"}), 0);
  EXPECT_EQ(stage.out(), client);
  EXPECT_TRUE(stage.api().calls().empty());
  EXPECT_EQ(stage.run({"version"}), 0);
  EXPECT_THAT(stage.out(), HasSubstr("timed out waiting for server status request to be processed"));
  EXPECT_TRUE(stage.api().peek_all(kube::types::velero("serverstatusrequests")).empty());
  stage.api().inject({.verb = "get", .resource = "serverstatusrequests.velero.io", .times = 99, .meanwhile = [&] {
                        for (json::value r : stage.api().peek_all(kube::types::velero("serverstatusrequests"))) {
                          json::set(r.as_object(), {"status", "serverVersion"}, "v1.14.0");
                          stage.put(r);
                        }
                      }});
  EXPECT_EQ(stage.run({"version"}), 0);
  const std::string wanted = fixture("1.14/cli/version.txt");
  EXPECT_EQ(stage.out(), client + wanted.substr(wanted.find("Server:")));
}

TEST(Root, ADebugBundleHasObjectsAndLogsAndNoSecrets) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backups.yaml");
  stage.api().seed_yaml(R"(
apiVersion: v1
kind: Secret
metadata: {name: cloud-credentials, namespace: velero}
data: {cloud: c2VjcmV0}
---
apiVersion: v1
kind: Pod
metadata: {name: velero-1, namespace: velero}
spec: {containers: [{name: velero}]}
)");
  stage.api().set_logs("velero", "velero-1", "velero", "the log of the controller\n");
  const std::string path = ::testing::TempDir() + "hf-debug.tar.gz";
  EXPECT_EQ(stage.run({"debug", "--output", path}), 0) << stage.err();
  const std::string tar = velero::gunzip(read_file(path).value()).value();
  EXPECT_THAT(tar, HasSubstr("/backups.json"));
  EXPECT_THAT(tar, HasSubstr("the log of the controller"));
  EXPECT_THAT(tar, HasSubstr("\"b1\""));
  EXPECT_EQ(tar.find("c2VjcmV0"), std::string::npos);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace holdfast::app
