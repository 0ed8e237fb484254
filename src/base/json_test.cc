#include "base/json.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Json, LooksUpWithoutInserting) {
  const json::value v = *json::parse(R"({"a":{"b":"x","n":7,"t":true,"l":["p",1,"q"]}})");
  EXPECT_EQ(json::string_at(v, {"a", "b"}), "x");
  EXPECT_EQ(json::string_at(v, {"a", "n"}, "other"), "other");
  EXPECT_EQ(json::int_at(v, {"a", "n"}), 7);
  EXPECT_TRUE(json::bool_at(v, {"a", "t"}));
  EXPECT_EQ(json::find(v, {"a", "z", "y"}), nullptr);
  EXPECT_EQ(json::strings(json::array_at(v, {"a", "l"})), (std::vector<std::string>{"p", "q"}));
}

TEST(Json, SetsAndErasesThroughParents) {
  json::object root;
  json::set(root, {"metadata", "labels", "x"}, "1");
  EXPECT_EQ(json::compact(root), R"({"metadata":{"labels":{"x":"1"}}})");
  EXPECT_TRUE(json::erase(root, {"metadata", "labels", "x"}));
  EXPECT_FALSE(json::erase(root, {"metadata", "none", "x"}));
}

TEST(Json, LooksUpInObjectsWithoutCopies) {
  json::object root;
  json::set(root, {"a", "l"}, json::array{1, 2});
  json::set(root, {"a", "s"}, std::string("text"));
  EXPECT_EQ(&json::array_at(root, {"a", "l"}), &root["a"].get_object()["l"].get_array());
  EXPECT_EQ(&json::object_at(root, {"a"}), &root["a"].get_object());
  EXPECT_EQ(json::string_at(root, {"a", "s"}), "text");
}

TEST(Json, ErasingKeepsTheOrder) {
  json::object root = *json::parse_object(R"({"a":1,"b":2,"c":3})");
  EXPECT_TRUE(json::erase(root, {"a"}));
  EXPECT_EQ(json::compact(root), R"({"b":2,"c":3})");
}

TEST(Json, PrettyIsGosLayout) {
  const json::value v = *json::parse(R"({"a":[1,{"b":null}],"e":{},"f":[]})");
  EXPECT_EQ(json::pretty(v),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"e\": {},\n  \"f\": []\n}");
}

TEST(Json, RefusesNumbersBeyondDouble) {
  EXPECT_TRUE(json::parse("[1,{\"a\":-92467440737091e300}]").is(ErrorCode::invalid));
  EXPECT_TRUE(json::parse("[1e308,-1.5,18446744073709551616]").ok());
}

TEST(Json, RefusesWhatIsNotOneText) {
  for (const char* text : {"", "{", "{} x", "[1,]", "nul"})
    EXPECT_TRUE(json::parse(text).is(ErrorCode::invalid)) << text;
  EXPECT_TRUE(json::parse(std::string(200, '[') + std::string(200, ']')).is(ErrorCode::invalid));
  EXPECT_TRUE(json::parse_object("[]").is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast
