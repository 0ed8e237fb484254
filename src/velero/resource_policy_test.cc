#include "velero/resource_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::velero {
namespace {

using testing::HasSubstr;

VolumeFacts pv(const std::string& spec, const std::string& claim = "{}") {
  return facts_of_persistent_volume(*json::parse(R"({"spec":)" + spec + "}"), *json::parse(claim));
}
VolumeFacts pod_volume(const std::string& text) {
  return facts_of_pod_volume(*json::parse(text));
}
std::string one_policy(const std::string& conditions, const std::string& type = "skip") {
  return "version: v1\nvolumePolicies:\n- conditions: {" + conditions + "}\n  action: {type: " + type + "}\n";
}
bool skips(const std::string& conditions, const VolumeFacts& volume) {
  const Result<ResourcePolicy> policy = ResourcePolicy::parse(one_policy(conditions));
  EXPECT_TRUE(policy.ok()) << conditions << ": " << policy.error().to_string();
  return policy.ok() && policy->action(volume) == VolumeAction::skip;
}
std::string fault(const std::string& text) {
  const Result<ResourcePolicy> policy = ResourcePolicy::parse(text);
  EXPECT_FALSE(policy.ok()) << text;
  return policy.ok() ? "" : policy.error().message();
}

TEST(ResourcePolicy, ConditionsMatchAsInVelero) {
  const VolumeFacts nfs = pv(R"({"nfs":{"server":"s","path":"/p"},"capacity":{"storage":"10Gi"}})");
  const VolumeFacts csi =
      pv(R"({"csi":{"driver":"d","volumeAttributes":{"a":"b"}},"storageClassName":"gp2","capacity":{"storage":"5Gi"}})",
         R"({"metadata":{"labels":{"tier":"db","x":"y"}},"status":{"phase":"Bound"}})");
  const VolumeFacts empty = pod_volume(R"({"name":"v","emptyDir":{}})");
  struct Case {
    const char* conditions;
    bool nfs, csi, empty;
  };
  const Case cases[] = {{"", true, true, true},
                        {"nfs: {}", true, false, false},
                        {"nfs: {server: s}", true, false, false},
                        {"nfs: {server: t}", false, false, false},
                        {"nfs: {path: /p}", true, false, false},
                        {"nfs: {server: s, path: /q}", false, false, false},
                        {"csi: {}", false, true, false},
                        {"csi: {driver: d}", false, true, false},
                        {"csi: {driver: e}", false, false, false},
                        {"csi: {driver: d, volumeAttributes: {a: b}}", false, true, false},
                        {"csi: {driver: d, volumeAttributes: {a: c}}", false, false, false},
                        {"storageClass: [gp2, gp3]", false, true, false},
                        {"storageClass: [gp3]", false, false, false},
                        {"volumeTypes: [emptyDir, nfs]", true, false, true},
                        {"volumeTypes: [csi]", false, true, false},
                        {"capacity: '5Gi,10Gi'", true, true, false},
                        {"capacity: '6Gi,'", true, false, false},
                        {"capacity: ' , 9Gi'", false, true, true},
                        {"capacity: ''", true, true, true},
                        {"capacity: '5368709120,5368709120'", false, true, false},
                        {"pvcLabels: {tier: db}", false, true, false},
                        {"pvcLabels: {tier: web}", false, false, false},
                        {"pvcPhase: [Bound]", false, true, false},
                        {"pvcPhase: [Pending, Lost]", false, false, false},
                        {"storageClass: [gp2], volumeTypes: [nfs]", false, false, false}};
  for (const Case& one : cases) {
    EXPECT_EQ(skips(one.conditions, nfs), one.nfs) << one.conditions;
    EXPECT_EQ(skips(one.conditions, csi), one.csi) << one.conditions;
    EXPECT_EQ(skips(one.conditions, empty), one.empty) << one.conditions;
  }
}

TEST(ResourcePolicy, TheFirstMatchDecides) {
  const auto policy = ResourcePolicy::parse(R"(
version: v1
volumePolicies:
- conditions:
    volumeTypes: [emptyDir]
  action:
    type: fs-backup
    parameters: {any: thing}
- conditions: {}
  action: {type: skip}
)");
  ASSERT_TRUE(policy.ok()) << policy.error().to_string();
  EXPECT_EQ(policy->action(pod_volume(R"({"emptyDir":{}})")), VolumeAction::fs_backup);
  EXPECT_EQ(policy->action(pod_volume(R"({"nfs":{}})")), VolumeAction::skip);
  const auto none = ResourcePolicy::parse("version: v1\n");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->action(VolumeFacts()).has_value());
}

TEST(ResourcePolicy, FaultsAreSaidInVelerosWords) {
  EXPECT_EQ(fault("version: v2\n"), "incompatible version number v2 with supported version v1");
  EXPECT_EQ(fault("volumePolicies: []\n"), "incompatible version number  with supported version v1");
  EXPECT_EQ(fault(one_policy("", "delete")), "invalid action type delete");
  EXPECT_EQ(fault(one_policy("", "''")), "invalid action type ");
  EXPECT_EQ(fault(one_policy("capacity: '10Gi'")), "wrong format of Capacity 10Gi");
  EXPECT_EQ(fault(one_policy("capacity: '1,2,3'")), "wrong format of Capacity 1,2,3");
  EXPECT_THAT(fault(one_policy("capacity: '10Gx,'")), HasSubstr("wrong format of Capacity 10Gx with err"));
  EXPECT_THAT(fault(one_policy("capacity: '10Gi,5Gi'")), HasSubstr("illegal values for capacity"));
  EXPECT_EQ(fault(one_policy("csi: {volumeAttributes: {a: b}}")),
            "csi driver should not be empty when filtering by volume attributes");
  EXPECT_THAT(fault(one_policy("size: 5")), HasSubstr("failed to decode volume conditions: field size not found"));
  EXPECT_THAT(fault(one_policy("storageClass: gp2")), HasSubstr("storageClass is not a list"));
  EXPECT_THAT(fault(one_policy("nfs: {host: x}")), HasSubstr("field host not found"));
  EXPECT_THAT(fault("version: v1\npolicies: []\n"), HasSubstr("failed to decode yaml data into resource policies  "));
  EXPECT_THAT(fault("a: [\n"), HasSubstr("failed to decode yaml data into resource policies  "));
  EXPECT_THAT(fault("- v1\n"), HasSubstr("failed to decode yaml data into resource policies  "));
  EXPECT_THAT(fault(""), HasSubstr("failed to decode yaml data into resource policies  "));
}

TEST(ResourcePolicy, WhatWeDoNotDoIsRefusedByName) {
  EXPECT_EQ(fault(one_policy("", "snapshot")), "action type snapshot is not supported");
  EXPECT_EQ(fault("version: v1\nincludeExcludePolicy: {}\n"), "includeExcludePolicy is not supported");
}

TEST(ResourcePolicy, AConfigMapHasOneKey) {
  const auto message = [](const char* map) {
    return resource_policy_of(*json::parse(map), "velero", "p").error().message();
  };
  const std::string illegal = "resource policies velero/p: illegal resource policies velero/p configmap";
  EXPECT_EQ(message("{}"), illegal);
  EXPECT_EQ(message(R"({"data":{"a":"","b":""}})"), illegal);
  EXPECT_EQ(message(R"({"data":{"a":"version: v9"}})"),
            "resource policies velero/p: incompatible version number v9 with supported version v1");
  EXPECT_TRUE(resource_policy_of(*json::parse(R"({"data":{"a":"version: v1"}})"), "velero", "p").ok());
}

TEST(ParseQuantity, TakesWhatKubernetesWrites) {
  EXPECT_EQ(parse_quantity("0"), 0.0L);
  EXPECT_EQ(parse_quantity("10Gi"), 10.0L * (1U << 30));
  EXPECT_EQ(parse_quantity("1.5k"), 1500.0L);
  EXPECT_EQ(parse_quantity("2e3"), 2000.0L);
  EXPECT_EQ(parse_quantity("2E"), 2e18L);
  EXPECT_EQ(parse_quantity("+5"), 5.0L);
  EXPECT_NEAR(static_cast<double>(parse_quantity("500m").value()), 0.5, 1e-9);
  for (const char* text : {"", "Gi", "-1", "1GiB", "1 Gi", "1.2.3", ".", "1e", "1e+", "1e99", "0x10", "1ki"})
    EXPECT_FALSE(parse_quantity(text).has_value()) << text;
}

}  // namespace
}  // namespace holdfast::velero
