#include "repo/tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/file.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
const std::string kFixtures = HOLDFAST_SOURCE_DIR "/tests/fixtures/restic";

class InZone {
 public:
  explicit InZone(const char* zone) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~InZone() {
    if (before_) ::setenv("TZ", before_->c_str(), 1);
    if (!before_) ::unsetenv("TZ");
    ::tzset();
  }
  InZone(const InZone&) = delete;
  InZone& operator=(const InZone&) = delete;

 private:
  std::optional<std::string> before_;
};

std::vector<Node> read_all(std::string_view blob) {
  std::vector<Node> nodes;
  TreeReader reader(blob);
  while (true) {
    Result<std::optional<Node>> node = reader.next();
    EXPECT_TRUE(node.ok()) << node.error().message();
    if (!node.ok() || !node->has_value()) return nodes;
    nodes.push_back(std::move(**node));
  }
}

Status read_error(std::string_view blob) {
  TreeReader reader(blob);
  while (true) {
    const Result<std::optional<Node>> node = reader.next();
    if (!node) return node.error();
    if (!*node) return {};
  }
}

std::string write_all_nodes(const std::vector<Node>& nodes, TreeProfile profile) {
  TreeWriter writer(profile);
  for (const Node& node : nodes) EXPECT_TRUE(writer.add(node).ok());
  return writer.finish();
}

std::string time_text(NodeTime time) {
  std::string out;
  append_node_time(out, time);
  return out;
}

class GoldenTrees : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTrees, AreWrittenAgainToTheSameBytes) {
  const std::string name = GetParam();
  const TreeProfile profile = name.starts_with("v0.14") ? TreeProfile::restic_0_14 : TreeProfile::restic_0_19;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(kFixtures + "/" + name + ".trees")) {
    const std::string blob = *read_file(entry.path());
    EXPECT_EQ(write_all_nodes(read_all(blob), profile), blob) << entry.path();
    ++count;
  }
  EXPECT_EQ(count, 76);
}

/// The texts of times are made anew from the instants, in the zone of the process that wrote the repository.
TEST_P(GoldenTrees, TimesAreSpelledAsTheirWriterSpelledThem) {
  const std::string name = GetParam();
  const InZone zone(name.ends_with("newyork") ? "America/New_York" : "UTC");
  for (const auto& entry : fs::directory_iterator(kFixtures + "/" + name + ".trees")) {
    const std::string blob = *read_file(entry.path());
    for (const Node& node : read_all(blob)) {
      for (NodeTime time : {node.mtime, node.atime, node.ctime}) {
        const std::string text = std::exchange(time.text, "");
        EXPECT_EQ(time_text(time), text);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Restic, GoldenTrees,
                         testing::Values("v0.9.6-1", "v0.12.1-1", "v0.14.0-2", "v0.17.3-2", "v0.19.1-1", "v0.19.1-2",
                                         "v0.19.1-2-max-newyork"),
                         [](const auto& suite) {
                           std::string name = suite.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(Tree, NodesKeepUnknownFieldsAndTypes) {
  const std::string json =
      R"({"name":"a","type":"door","mtime":"2020-01-01T00:00:00Z","atime":"2020-01-01T00:00:00Z",)"
      R"("ctime":"2020-01-01T00:00:00Z","uid":1,"gid":2,"content":null,"zeta":{"a":[1, 2]},"alpha":"\u00e9"})";
  const Result<Node> node = parse_node(json);
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_EQ(node->type, NodeType::other);
  std::string out;
  append_node(out, *node, TreeProfile::restic_0_19);
  EXPECT_EQ(out, json);
}

TEST(Tree, FieldsComeInAnyOrderAndNullMeansNothing) {
  const Result<Node> node =
      parse_node(R"( { "content" : [ ] , "links":null, "size" : 7, "name":"x\\x00y", "type":"file",
      "generic_attributes":{"windows.file_attributes":"IA=="}, "extended_attributes":[{"value":null,"name":"user.n"}]})");
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_EQ(node->name, std::string("x\0y", 3));
  EXPECT_EQ(node->size, 7u);
  EXPECT_TRUE(node->content && node->content->empty());
  std::string out;
  append_node(out, *node, TreeProfile::restic_0_19);
  EXPECT_EQ(out, R"({"name":"x\\x00y","type":"file","mtime":"0001-01-01T00:00:00Z","atime":"0001-01-01T00:00:00Z",)"
                 R"("ctime":"0001-01-01T00:00:00Z","uid":0,"gid":0,"size":7,"extended_attributes":[{"name":"user.n",)"
                 R"("value":null}],"generic_attributes":{"windows.file_attributes":"IA=="},"content":[]})");
}

TEST(Tree, WhatIsNoTreeIsCorrupt) {
  for (const char* wrong :
       {"", "{", "[]", "{\"nodes\":[", "{\"nodes\":[{]}", "{\"nodes\":[]}x", "{\"nodes\":[{\"name\":1}]}",
        "{\"nodes\":[{\"size\":-1}]}", "{\"nodes\":[{\"size\":18446744073709551616}]}",
        "{\"nodes\":[{\"mode\":4294967296}]}", "{\"nodes\":[{\"content\":[\"ab\"]}]}",
        "{\"nodes\":[{\"mtime\":\"yesterday\"}]}", "{\"nodes\":[{\"name\":\"\\\\q\"}]}", "{\"nodes\":[],\"nodes\":[]}",
        "{\"nodes\":[{\"size\":1.5}]}", "{\"nodes\":[{\"size\":01}]}", "{\"nodes\":[{\"linktarget_raw\":\"*\"}]}",
        "{\"nodes\":[{}{}]}", "{\"nodes\":[{},]}"}) {
    EXPECT_TRUE(read_error(wrong).is(ErrorCode::corrupt)) << wrong;
  }
  std::string deep = "{\"nodes\":[{\"x\":";
  deep.append(1'000'000, '[');
  EXPECT_TRUE(read_error(deep).is(ErrorCode::corrupt));
}

TEST(Tree, TreesWithoutNodesAreEmpty) {
  for (const char* empty : {"{}", "{\"nodes\":null}", "{\"nodes\":[]}\n", "{\"a\":1,\"nodes\":[],\"b\":[{}]}"}) {
    EXPECT_TRUE(read_error(empty).ok()) << empty;
    EXPECT_TRUE(read_all(empty).empty());
  }
  EXPECT_EQ(TreeWriter(TreeProfile::restic_0_19).finish(), "{\"nodes\":[]}\n");
}

TEST(Tree, NodesOutOfOrderAreRefused) {
  TreeWriter writer(kDefaultTreeProfile);
  Node node;
  node.name = "b\xff";
  EXPECT_TRUE(writer.add(node).ok());
  EXPECT_TRUE(writer.add(node).is(ErrorCode::invalid));
  node.name = "b\x7f";
  EXPECT_TRUE(writer.add(node).is(ErrorCode::invalid));
}

TEST(Tree, ProfilesAreChosenByTheNewestSnapshot) {
  EXPECT_EQ(tree_profile_of("", ""), TreeProfile::restic_0_14);
  EXPECT_EQ(tree_profile_of("", "restic 0.16.0"), TreeProfile::restic_0_19);
  EXPECT_EQ(tree_profile_of("", "restic 0.15.2-dev"), TreeProfile::restic_0_14);
  EXPECT_EQ(tree_profile_of("", "restic 1.0"), TreeProfile::restic_0_19);
  EXPECT_EQ(tree_profile_of("", "rustic 0.9.0"), TreeProfile::restic_0_14);
  EXPECT_EQ(tree_profile_of("restic-0.14", "restic 0.19.1"), TreeProfile::restic_0_14);
  EXPECT_EQ(tree_profile_of("restic-9", "restic 0.19.1"), TreeProfile::restic_0_19);
}

TEST(Tree, ModesAreThoseOfGo) {
  EXPECT_EQ(go_mode(S_IFDIR | 0755), 2147484141u);
  EXPECT_EQ(go_mode(S_IFLNK | 0777), 134218239u);
  EXPECT_EQ(go_mode(S_IFREG | 06711), 12583369u);
  EXPECT_EQ(go_mode(S_IFDIR | 01777), 2148532735u);
  EXPECT_EQ(go_mode(S_IFCHR | 0640), 69206432u);
  for (uint32_t mode = 0; mode < 010000; ++mode) EXPECT_EQ(permission_bits(go_mode(S_IFREG | mode)), mode);
}

TEST(Tree, TimesOfAllYears) {
  const InZone zone("UTC");
  const auto text_of = [](int64_t seconds, long nanoseconds) {
    timespec time{};
    time.tv_sec = seconds;
    time.tv_nsec = nanoseconds;
    return time_text(NodeTime::from(time));
  };
  EXPECT_EQ(text_of(0, 0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text_of(-1, 999'999'999), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(text_of(7'258'118'400, 100), "2200-01-01T00:00:00.0000001Z");
  EXPECT_EQ(text_of(253'402'300'799, 0), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text_of(253'402'300'800, 0), "9999-01-01T00:00:00Z");
  EXPECT_EQ(text_of(-62'167'219'201, 0), "0000-12-31T23:59:59Z");
  EXPECT_FALSE(text_of(INT64_MAX / 4, 0).empty());
  for (const char* odd : {"2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01 00:00:00Z", "2020-01-01T00:00:00",
                          "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00+0100", "2020-01-01T00:00:60Z"}) {
    EXPECT_TRUE(parse_node_time(odd).is(ErrorCode::invalid)) << odd;
  }
  EXPECT_EQ(parse_node_time("2020-01-01T00:00:00.25+05:30")->seconds, 1577836800 - 19800);
  EXPECT_EQ(parse_node_time("2020-01-01T00:00:00.25+05:30")->nanoseconds, 250'000'000);
}

TEST(Tree, NamesThatLeaveTheirDirectoryAreRefused) {
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                 std::string("/"), std::string("a\0b", 3), std::string(5000, 'x')}) {
    EXPECT_TRUE(check_node_name(bad).is(ErrorCode::invalid));
  }
  for (const char* good : {"...", "a", "\xff", "-rf", " "}) EXPECT_TRUE(check_node_name(good).ok());
}

}  // namespace
}  // namespace holdfast::repo
