#include "backup/resource_modifiers.h"

#include <gtest/gtest.h>

#include "base/yaml.h"

namespace holdfast::backup {
namespace {

std::string apply(const std::string& rules, std::string_view type, std::string_view object) {
  const Result<ResourceModifiers> modifiers = ResourceModifiers::parse("version: v1\nresourceModifierRules:\n" + rules);
  if (!modifiers) return modifiers.error().to_string();
  Result<json::object> changed = modifiers->apply(type, yaml::parse(object).value().get_object());
  return changed ? json::compact(*changed) : changed.error().to_string();
}

constexpr std::string_view kClaim =
    "{metadata: {name: data-0, namespace: a, labels: {app: db}}, spec: {storageClassName: fast, size: 1}}";

TEST(ResourceModifiers, JsonPatchesTypeTheirValues) {
  EXPECT_EQ(apply(R"(
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: "^data-", namespaces: [a], labelSelector: {matchLabels: {app: db}}, matches: [{path: /spec/storageClassName, value: fast}]}
  patches:
  - {operation: replace, path: /spec/storageClassName, value: slow}
  - {operation: add, path: /spec/number, value: "3"}
  - {operation: add, path: /spec/text, value: "\"3\""}
  - {operation: add, path: /spec/list, value: '["x"]'}
  - {operation: remove, path: /spec/size}
)",
                  "persistentvolumeclaims", kClaim),
            R"({"metadata":{"name":"data-0","namespace":"a","labels":{"app":"db"}},"spec":{"storageClassName":"slow",)"
            R"("number":3,"text":"3","list":["x"]}})");
}

TEST(ResourceModifiers, EveryConditionMustHold) {
  const std::string same = json::compact(yaml::parse(kClaim).value());
  for (const std::string conditions :
       {"{groupResource: pods}", "{groupResource: '*', namespaces: [b]}", "{groupResource: '*', resourceNameRegex: ^x}",
        "{groupResource: '*', labelSelector: {matchLabels: {app: web}}}",
        "{groupResource: '*', matches: [{path: /spec/storageClassName, value: slow}]}"}) {
    EXPECT_EQ(apply("- conditions: " + conditions + "\n  mergePatches: [{patchData: '{spec: {size: 2}}'}]\n",
                    "persistentvolumeclaims", kClaim),
              same)
        << conditions;
  }
}

TEST(ResourceModifiers, RulesApplyOneAfterTheOther) {
  EXPECT_EQ(
      apply(R"(
- conditions: {groupResource: "*.apps"}
  mergePatches: [{patchData: "{spec: {replicas: 2, gone: null}}"}]
- conditions: {groupResource: deployments.apps}
  strategicPatches: [{patchData: "{spec: {template: {spec: {containers: [{name: c, image: new}]}}}}"}]
)",
            "deployments.apps",
            "{spec: {replicas: 1, gone: x, template: {spec: {containers: [{name: b, image: b}, {name: c, image: "
            "old}]}}}}"),
      R"({"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"b","image":"b"},{"name":"c","image":"new"}]}}}})");
}

TEST(ResourceModifiers, AFailedTestLeavesTheObjectAndABadPathIsAnError) {
  const std::string same = json::compact(yaml::parse(kClaim).value());
  EXPECT_EQ(apply(R"(
- conditions: {groupResource: "*"}
  patches: [{operation: test, path: /spec/size, value: "7"}, {operation: remove, path: /spec/size}]
)",
                  "x", kClaim),
            same);
  EXPECT_EQ(
      apply("- conditions: {groupResource: \"*\"}\n  patches: [{operation: remove, path: /spec/nosuch}]\n", "x", kClaim)
          .find('{'),
      std::string::npos);
}

TEST(ResourceModifiers, WrongTextsAreRefused) {
  EXPECT_TRUE(ResourceModifiers::parse("version: v2").is(ErrorCode::invalid));
  EXPECT_TRUE(ResourceModifiers::parse("version: v1").is(ErrorCode::invalid));
  EXPECT_TRUE(ResourceModifiers::parse(": : :").is(ErrorCode::invalid));
  for (const std::string rule :
       {"- {}", "- conditions: {groupResource: x}",
        "- {conditions: {groupResource: x}, patches: [{operation: burn, path: /a}]}",
        "- {conditions: {groupResource: x, resourceNameRegex: '('}, mergePatches: [{patchData: '{}'}]}",
        "- {conditions: {groupResource: x}, mergePatches: [{patchData: '[1]'}]}",
        "- {conditions: {groupResource: x}, patches: [{operation: remove, path: /a}], mergePatches: [{patchData: "
        "'{}'}]}"}) {
    EXPECT_TRUE(ResourceModifiers::parse("version: v1\nresourceModifierRules:\n" + rule).is(ErrorCode::invalid))
        << rule;
  }
}

}  // namespace
}  // namespace holdfast::backup
