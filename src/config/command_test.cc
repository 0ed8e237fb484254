#include "config/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Command sample() {
  return Command{
      .name = "holdfast",
      .summary = "Disaster recovery",
      .options = {{.name = "namespace",
                   .help = "namespace",
                   .fallback = "velero",
                   .letter = 'n',
                   .environment = "VELERO_NAMESPACE"}},
      .subcommands = {
          Command{
              .name = "backup",
              .summary = "Backups",
              .subcommands = {Command{
                  .name = "create",
                  .summary = "Create one",
                  .examples = {"holdfast backup create b1"},
                  .options = {{.name = "ttl", .kind = Kind::duration, .help = "kept for", .fallback = "720h0m0s"},
                              {.name = "include-namespaces", .kind = Kind::list, .help = "only these"},
                              {.name = "labels", .kind = Kind::map, .help = "labels"},
                              {.name = "snapshot-volumes", .kind = Kind::boolean, .help = "snapshots"},
                              {.name = "wait", .kind = Kind::boolean, .help = "wait", .letter = 'w'},
                              {.name = "output", .help = "form", .letter = 'o', .choices = {"table", "json", "yaml"}},
                              {.name = "password", .help = "secret", .secret = true},
                              {.name = "workers", .kind = Kind::number, .help = "how many"}},
                  .positionals = {{"NAME", "of the backup"}},
                  .run = [](const Arguments&) { return 0; }}}},
      }};
}

Result<Parsed> parse_words(const std::vector<std::string>& words,
                           const std::map<std::string, std::string>& environment = {},
                           const json::object* file = nullptr) {
  static const Command root = sample();
  return parse(
      root, words,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        if (found == environment.end()) return std::nullopt;
        return found->second;
      },
      file);
}

TEST(CommandLine, ReadsOptionsBeforeAndAfterTheVerb) {
  for (const auto& words :
       {std::vector<std::string>{"-n", "dr", "backup", "create", "b1", "--include-namespaces", "a,b", "-w"},
        std::vector<std::string>{"backup", "create", "--include-namespaces=a", "b1", "--wait", "--include-namespaces",
                                 "b", "--namespace", "dr"}}) {
    const Result<Parsed> parsed = parse_words(words);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    const Arguments& a = parsed->arguments;
    EXPECT_EQ(a.text("namespace"), "dr");
    EXPECT_THAT(a.list("include-namespaces"), ElementsAre("a", "b"));
    EXPECT_TRUE(a.boolean("wait"));
    EXPECT_EQ(a.positional(0), "b1");
    EXPECT_THAT(a.path(), ElementsAre("holdfast", "backup", "create"));
    EXPECT_EQ(a.duration("ttl"), std::chrono::hours(720));
    EXPECT_FALSE(a.given("ttl"));
  }
}

TEST(CommandLine, AnObjectMayBeNamedLikeACommand) {
  for (const std::string name : {"backup", "create", "holdfast"}) {
    for (const auto& words : {std::vector<std::string>{"backup", "create", name, "--workers", "3"},
                              std::vector<std::string>{"-n", "backup", "backup", "create", "--workers", "3", name}}) {
      const Result<Parsed> parsed = parse_words(words);
      ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
      EXPECT_EQ(parsed->command->name, "create");
      EXPECT_THAT(parsed->arguments.positionals(), ElementsAre(name));
      EXPECT_EQ(parsed->arguments.number("workers"), 3);
    }
  }
}

TEST(CommandLine, BooleansHaveThreeStates) {
  EXPECT_EQ(parse_words({"backup", "create", "b"})->arguments.optional_boolean("snapshot-volumes"), std::nullopt);
  EXPECT_EQ(parse_words({"backup", "create", "b", "--snapshot-volumes=false"})
                ->arguments.optional_boolean("snapshot-volumes"),
            false);
  EXPECT_EQ(
      parse_words({"backup", "create", "b", "--snapshot-volumes"})->arguments.optional_boolean("snapshot-volumes"),
      true);
}

TEST(CommandLine, EnvironmentThenFileThenFallback) {
  const json::object file = {{"namespace", "from-file"}, {"workers", 3}, {"include-namespaces", json::array{"x", "y"}}};
  EXPECT_EQ(parse_words({"backup", "create", "b"}, {}, &file)->arguments.text("namespace"), "from-file");
  EXPECT_EQ(parse_words({"backup", "create", "b"}, {}, &file)->arguments.number("workers"), 3);
  EXPECT_THAT(parse_words({"backup", "create", "b"}, {}, &file)->arguments.list("include-namespaces"),
              ElementsAre("x", "y"));
  EXPECT_EQ(parse_words({"backup", "create", "b"}, {{"VELERO_NAMESPACE", "env"}}, &file)->arguments.text("namespace"),
            "env");
  EXPECT_EQ(
      parse_words({"backup", "create", "b", "-n", "cl"}, {{"VELERO_NAMESPACE", "env"}})->arguments.text("namespace"),
      "cl");
}

TEST(CommandLine, MistakesNameTheOption) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"backup", "create", "b", "--ttl", "soon"}, "--ttl: \"soon\" is not a duration"},
      {{"backup", "create", "b", "--workers", "x"}, "--workers"},
      {{"backup", "create", "b", "-o", "xml"}, "one of table, json, yaml"},
      {{"backup", "create", "b", "--labels", "x"}, "key=value"},
      {{"backup", "create"}, "NAME is missing"},
      {{"backup", "create", "b", "c"}, "\"c\" is one argument too many"},
      {{"backup", "create", "b", "--nope"}, "--nope"},
      {{"nope"}, "nope"}};
  for (const auto& [words, text] : cases) {
    const Result<Parsed> parsed = parse_words(words);
    ASSERT_TRUE(parsed.is(ErrorCode::invalid)) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr(text));
  }
}

TEST(CommandLine, MapKeepsEqualsSignsInValues) {
  EXPECT_EQ(parse_words({"backup", "create", "b", "--labels", "a=1,b=x=y"})->arguments.map("labels"),
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "x=y"}}));
}

TEST(CommandLine, HelpNamesEverything) {
  EXPECT_TRUE(parse_words({"backup", "create", "--help"})->help_wanted);
  const std::string text = help(sample(), {"holdfast", "backup", "create"});
  for (const char* part : {"holdfast backup create NAME [OPTIONS]", "--ttl DURATION", "(default 720h0m0s)",
                           "-n, --namespace", "[VELERO_NAMESPACE]", "holdfast backup create b1"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(markdown(sample()), HasSubstr("## holdfast backup create"));
}

TEST(CommandLine, Completes) {
  const auto complete = [](const std::vector<std::string>& words) {
    Command root = sample();
    Command& create = root.subcommands[0].subcommands[0];
    const Candidates names = [](const Arguments& arguments) {
      return std::vector<std::string>{"one-of-" + arguments.text("namespace"), "two"};
    };
    create.positionals[0].candidates = names;
    create.options.push_back({.name = "like", .help = "another", .candidates = names});
    return completions(root, words, [](const std::string&) { return std::nullopt; });
  };
  EXPECT_THAT(complete({"ba"}), ElementsAre("backup"));
  EXPECT_THAT(complete({"backup", "create", "--inc"}), ElementsAre("--include-namespaces"));
  EXPECT_THAT(complete({"backup", "create", "-o", ""}), ElementsAre("table", "json", "yaml"));
  EXPECT_THAT(complete({"backup", "create", "--output", "j"}), ElementsAre("json"));
  EXPECT_THAT(complete({"-n", "dr", "backup", "create", ""}), ElementsAre("one-of-dr", "two"));
  EXPECT_THAT(complete({"backup", "create", "--wait", "o"}), ElementsAre("one-of-velero"));
  EXPECT_THAT(complete({"backup", "create", "b1", "--like", "t"}), ElementsAre("two"));
  EXPECT_THAT(complete({"backup", "create", "b1", ""}), ElementsAre());
  EXPECT_THAT(complete({"backup", "create", "--workers", "x", ""}), ElementsAre());
  EXPECT_TRUE(completion_script("bash", "holdfast").ok());
  EXPECT_TRUE(completion_script("tcsh", "holdfast").is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::config
