#include "base/yaml.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Yaml, ResolvesTheCoreSchema) {
  const json::value v = *yaml::parse("a: 1\nb: \"1\"\nc: true\nd: no\ne: 1.5\nf:\ng: 0x1f\nh: 2026-11-21\n");
  EXPECT_EQ(json::compact(v), R"({"a":1,"b":"1","c":true,"d":"no","e":1.5E0,"f":null,"g":31,"h":"2026-11-21"})");
}

TEST(Yaml, EmitsWhatItReadsBack) {
  const json::value v = *json::parse(
      R"({"apiVersion":"v1","list":[{"name":"x","env":[{"a":"1"}]},"yes","plain text",["n",[]]],"empty":{},"null":null,
          "tricky":["- x","a: b","#c","","1e3","true"," lead","multi\nline","0x10","~","*x","ümlaut"],"n":-7})");
  const std::string text = yaml::emit(v);
  EXPECT_EQ(json::compact(*yaml::parse(text)), json::compact(v)) << text;
  EXPECT_EQ(yaml::emit(*json::parse(R"(["48h0m0s","0 */6 * * *","10Gi"])")), "- 48h0m0s\n- 0 */6 * * *\n- 10Gi\n");
  EXPECT_EQ(yaml::emit(*json::parse(R"(["1e3","0x1f","12:30","2026-11-21","1_000"])")),
            "- \"1e3\"\n- \"0x1f\"\n- \"12:30\"\n- \"2026-11-21\"\n- \"1_000\"\n");
  EXPECT_EQ(yaml::emit(*json::parse(R"({"a":{"b":[{"c":1,"d":2}]}})")), "a:\n  b:\n  - c: 1\n    d: 2\n");
}

TEST(Yaml, ReadsSeveralDocuments) {
  EXPECT_EQ(yaml::parse_all("---\na: 1\n---\n---\nb: 2\n")->size(), 2U);
  EXPECT_TRUE(yaml::parse("a: 1\n---\nb: 2\n").is(ErrorCode::invalid));
}

TEST(Yaml, EndsWhereTheLibraryWouldGoOnForEver) {
  for (const char* text : {",a- \nb:\n- x\n", ",", "]", "a: 1\n---\n}\n"}) {
    EXPECT_TRUE(yaml::parse_all(text).is(ErrorCode::invalid)) << text;
  }
  EXPECT_EQ(yaml::parse_all("...\n...\n--- a\n...\n---\n- b\n")->size(), 2U);
}

TEST(Yaml, NamesThePlaceOfAMistake) {
  const Error error = yaml::parse_all("a: [1\nb: 2").error();
  EXPECT_EQ(error.code(), ErrorCode::invalid);
  EXPECT_NE(error.message().find("line"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
