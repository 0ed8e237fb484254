#include "kube/patch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace holdfast::kube {
namespace {

json::value parsed(std::string_view text) {
  const Result<json::value> v = json::parse(text);
  EXPECT_TRUE(v.ok()) << text;
  return v.ok() ? *v : json::value();
}

TEST(MergePatch, FollowsTheExamplesOfTheRfc) {
  const std::vector<std::array<const char*, 3>> rows{
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", "null", "null"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {"{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}};
  for (const auto& [target, patch, want] : rows) {
    EXPECT_EQ(merge_patch(parsed(target), parsed(patch)), parsed(want)) << target << " + " << patch;
  }
}

TEST(MergePatch, KeepsTheOrderOfMembers) {
  EXPECT_EQ(json::compact(merge_patch(parsed(R"({"a":1,"b":2,"c":3,"d":4})"), parsed(R"({"a":null,"c":5})"))),
            R"({"b":2,"c":5,"d":4})");
}

TEST(JsonPatch, FollowsTheExamplesOfTheRfc) {
  const std::vector<std::array<const char*, 3>> rows{
      {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"q"}])", R"({"baz":"q","foo":"bar"})"},
      {R"({"f":["a","b"]})", R"([{"op":"add","path":"/f/1","value":"q"}])", R"({"f":["a","q","b"]})"},
      {R"({"f":["a"]})", R"([{"op":"add","path":"/f/-","value":["x"]}])", R"({"f":["a",["x"]]})"},
      {R"({"f":["a","q","b"]})", R"([{"op":"remove","path":"/f/1"}])", R"({"f":["a","b"]})"},
      {R"({"a":1,"b":2})", R"([{"op":"replace","path":"/a","value":null}])", R"({"a":null,"b":2})"},
      {R"({"f":{"w":1},"q":{"c":2}})", R"([{"op":"move","from":"/f/w","path":"/q/t"}])",
       R"({"f":{},"q":{"c":2,"t":1}})"},
      {R"({"f":["a","b","c"]})", R"([{"op":"move","from":"/f/0","path":"/f/2"}])", R"({"f":["b","c","a"]})"},
      {R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/c"}])", R"({"a":{"b":1},"c":{"b":1}})"},
      {R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])", R"({"/":9,"~1":10})"},
      {R"({"a/b":1})", R"([{"op":"remove","path":"/a~1b"}])", "{}"},
      {R"({"a":1})", R"([{"op":"replace","path":"","value":[2]}])", "[2]"},
      {R"({"":1})", R"([{"op":"replace","path":"/","value":2}])", R"({"":2})"}};
  for (const auto& [target, patch, want] : rows) {
    const Result<json::value> got = json_patch(parsed(target), parsed(patch));
    ASSERT_TRUE(got.ok()) << patch << ": " << got.error().to_string();
    EXPECT_EQ(*got, parsed(want)) << patch;
  }
}

TEST(JsonPatch, RefusesAndNamesTheOperation) {
  const json::value document = parsed(R"({"a":{"b":1},"l":[1,2]})");
  for (const char* operation :
       {R"({"op":"test","path":"/a/b","value":2})", R"({"op":"test","path":"/a/b"})", R"({"op":"remove","path":"/x"})",
        R"({"op":"replace","path":"/x","value":1})", R"({"op":"add","path":"/x/y","value":1})",
        R"({"op":"add","path":"/l/3","value":1})", R"({"op":"add","path":"/l/01","value":1})",
        R"({"op":"remove","path":"/l/-"})", R"({"op":"add","path":"a","value":1})",
        R"({"op":"add","path":"/a~2","value":1})", R"({"op":"move","from":"/a","path":"/a/c"})",
        R"({"op":"copy","from":"/q","path":"/a"})", R"({"op":"remove","path":""})", R"({"op":"spin","path":"/a"})",
        R"({"path":"/a"})", R"("x")"}) {
    const std::string patch = fmt::format(R"([{{"op":"test","path":"/a/b","value":1}},{}])", operation);
    const Result<json::value> got = json_patch(document, parsed(patch));
    ASSERT_TRUE(got.is(ErrorCode::invalid)) << operation;
    EXPECT_NE(got.error().message().find("operation 1"), std::string::npos) << got.error().message();
  }
}

TEST(JsonPatch, CopiesCannotGrowWithoutBound) {
  json::array operations;
  for (int i = 0; i < 64; ++i) operations.push_back(parsed(R"({"op":"copy","from":"","path":"/a"})"));
  EXPECT_TRUE(json_patch(parsed(R"({"b":[1,2,3]})"), operations).ok()) << "grows by one each time";
  operations.clear();
  for (int i = 0; i < 64; ++i) {
    operations.push_back(parsed(fmt::format(R"({{"op":"copy","from":"/b","path":"/b/x{}"}})", i)));
  }
  EXPECT_TRUE(json_patch(parsed(R"({"b":{"c":1}})"), operations).is(ErrorCode::invalid)) << "doubles each time";
}

TEST(StrategicPatch, MergesListsByTheirKeys) {
  const json::value target = parsed(R"({"spec":{"containers":[
    {"name":"a","image":"x:1","ports":[{"containerPort":80,"name":"http"}],"env":[{"name":"E","value":"1"}]},
    {"name":"b","image":"y:1"}],"tolerations":[{"key":"k"}]},"metadata":{"finalizers":["f1"]}})");
  const json::value patch = parsed(R"({"spec":{"containers":[
    {"name":"a","image":"x:2","ports":[{"containerPort":81}],"env":[{"name":"E","value":"2"},{"name":"F","value":"3"}]},
    {"name":"c","image":"z"},{"name":"b","$patch":"delete"}],"tolerations":[{"key":"m"}]},
    "metadata":{"finalizers":["f2","f1"]}})");
  EXPECT_EQ(*strategic_merge_patch(target, patch), parsed(R"({"spec":{"containers":[
    {"name":"a","image":"x:2","ports":[{"containerPort":80,"name":"http"},{"containerPort":81}],
     "env":[{"name":"E","value":"2"},{"name":"F","value":"3"}]},{"name":"c","image":"z"}],
    "tolerations":[{"key":"m"}]},"metadata":{"finalizers":["f1","f2"]}})"));
}

TEST(StrategicPatch, ObeysDirectives) {
  const auto merged = [](const char* target, const char* patch) {
    return json::compact(*strategic_merge_patch(parsed(target), parsed(patch)));
  };
  EXPECT_EQ(merged(R"({"a":{"x":1,"y":2}})", R"({"a":{"$patch":"replace","z":3}})"), R"({"a":{"z":3}})");
  EXPECT_EQ(merged(R"({"a":{"x":1},"b":1})", R"({"a":{"$patch":"delete"}})"), R"({"b":1})");
  EXPECT_EQ(merged(R"({"s":{"type":"A","p":1}})", R"({"s":{"$retainKeys":["type"],"type":"B"}})"),
            R"({"s":{"type":"B"}})");
  EXPECT_EQ(merged(R"({"finalizers":["a","b"]})", R"({"$deleteFromPrimitiveList/finalizers":["a"]})"),
            R"({"finalizers":["b"]})");
  EXPECT_EQ(merged(R"({"env":[{"name":"a"},{"name":"b"},{"name":"s"}]})",
                   R"({"env":[{"name":"c"}],"$setElementOrder/env":[{"name":"c"},{"name":"b"},{"name":"a"}]})"),
            R"({"env":[{"name":"c"},{"name":"b"},{"name":"s"},{"name":"a"}]})");
  EXPECT_EQ(merged(R"({"volumes":[{"name":"v","emptyDir":{}}]})",
                   R"({"volumes":[{"$patch":"replace"},{"name":"w","emptyDir":{}}]})"),
            R"({"volumes":[{"name":"w","emptyDir":{}}]})");
  EXPECT_EQ(merged(R"({"ports":[{"port":80,"nodePort":1}]})", R"({"ports":[{"port":80,"nodePort":2}]})"),
            R"({"ports":[{"port":80,"nodePort":2}]})");
}

TEST(StrategicPatch, RefusesWhatItCannotPlace) {
  EXPECT_TRUE(strategic_merge_patch(parsed("{}"), parsed(R"({"env":[{"value":"1"}]})")).is(ErrorCode::invalid));
  EXPECT_TRUE(strategic_merge_patch(parsed("{}"), parsed(R"({"a":{"$patch":"spin"}})")).is(ErrorCode::invalid));
  EXPECT_TRUE(strategic_merge_patch(parsed("{}"), parsed("[]")).is(ErrorCode::invalid));
}

/// Random documents for the properties below.
json::value random_value(std::mt19937& random, int depth) {
  switch (random() % (depth > 0 ? 6 : 4)) {
    case 0:
      return nullptr;
    case 1:
      return static_cast<int64_t>(random() % 3);
    case 2:
      return random() % 2 == 0;
    case 3:
      return json::value(std::string(1, static_cast<char>('a' + random() % 3)));
    case 4: {
      json::array list;
      for (size_t n = random() % 3; n > 0; --n) list.push_back(random_value(random, depth - 1));
      return list;
    }
    default: {
      json::object members;
      for (size_t n = random() % 4; n > 0; --n) {
        members[std::string(1, static_cast<char>('a' + random() % 4))] = random_value(random, depth - 1);
      }
      return members;
    }
  }
}

/// RFC 7386 written once more over flat leaf paths: a naive twin.
using Leaves = std::map<std::string, std::string>;
void flatten(const json::value& v, const std::string& path, Leaves& out) {
  if (const json::object* members = v.if_object()) {
    out[path + "{}"] = "";
    for (const auto& [key, member] : *members) flatten(member, path + "{}" + std::string(key), out);
  } else {
    out[path] = json::compact(v);
  }
}
void erase_below(Leaves& leaves, const std::string& path) {
  std::erase_if(leaves, [&](const auto& leaf) { return leaf.first == path || leaf.first.starts_with(path + "{}"); });
}
void naive_merge(Leaves& leaves, const json::value& patch, const std::string& path) {
  if (!patch.is_object()) {
    erase_below(leaves, path);
    flatten(patch, path, leaves);
    return;
  }
  if (!leaves.contains(path + "{}")) erase_below(leaves, path);
  leaves[path + "{}"] = "";
  for (const auto& [key, change] : patch.get_object()) {
    const std::string member = path + "{}" + std::string(key);
    if (change.is_null()) {
      erase_below(leaves, member);
    } else {
      naive_merge(leaves, change, member);
    }
  }
}

TEST(MergePatch, EqualsItsNaiveTwin) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const json::value target = random_value(random, 3);
    const json::value patch = random_value(random, 3);
    Leaves want;
    flatten(target, "", want);
    naive_merge(want, patch, "");
    Leaves got;
    flatten(merge_patch(target, patch), "", got);
    ASSERT_EQ(got, want) << json::compact(target) << " + " << json::compact(patch);
  }
}

bool has_null_member(const json::value& v) {
  if (const json::object* members = v.if_object()) {
    for (const auto& [key, member] : *members) {
      if (member.is_null() || has_null_member(member)) return true;
    }
  }
  return false;
}

TEST(MergePatch, ADifferenceLeadsFromOneToTheOther) {
  std::mt19937 random(8);
  int rounds = 0;
  while (rounds < 2000) {
    const json::value from = random_value(random, 3);
    const json::value to = random_value(random, 3);
    if (has_null_member(to) || has_null_member(from)) continue;  // a merge patch cannot say null
    ++rounds;
    ASSERT_EQ(merge_patch(from, diff_merge_patch(from, to)), to) << json::compact(from) << " -> " << json::compact(to);
  }
}

/// The naive twin of JSON patch on a list of numbers.
TEST(JsonPatch, OnListsEqualsItsNaiveTwin) {
  std::mt19937 random(9);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> twin{0, 1, 2, 3};
    json::array operations;
    for (int n = 0; n < 6; ++n) {
      const size_t at = random() % (twin.size() + 1);
      if (random() % 2 == 0 || at == twin.size()) {
        twin.insert(twin.begin() + static_cast<ptrdiff_t>(at), 10 + n);
        operations.push_back(json::object{{"op", "add"}, {"path", "/l/" + std::to_string(at)}, {"value", 10 + n}});
      } else {
        const int64_t value = twin[at];
        twin.erase(twin.begin() + static_cast<ptrdiff_t>(at));
        const size_t to = random() % (twin.size() + 1);
        twin.insert(twin.begin() + static_cast<ptrdiff_t>(to), value);
        operations.push_back(
            json::object{{"op", "move"}, {"from", "/l/" + std::to_string(at)}, {"path", "/l/" + std::to_string(to)}});
      }
    }
    json::array want;
    for (const int64_t value : twin) want.emplace_back(value);
    const Result<json::value> got = json_patch(parsed(R"({"l":[0,1,2,3]})"), operations);
    ASSERT_TRUE(got.ok()) << got.error().message();
    ASSERT_EQ(got->at("l"), json::value(want)) << json::compact(operations);
  }
}

}  // namespace
}  // namespace holdfast::kube
