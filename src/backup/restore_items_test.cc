#include "backup/restore_items.h"

#include <gtest/gtest.h>

#include "backup/json_edit.h"
#include "base/random.h"
#include "base/yaml.h"
#include "kube/patch.h"

namespace holdfast::backup {
namespace {

json::object yaml_object(std::string_view text) {
  return yaml::parse(text).value().get_object();
}

TEST(RestoreOrder, IsVelerosWithLowOnesLast) {
  const std::set<std::string> types = {"services",
                                       "pods",
                                       "clusters.cluster.x-k8s.io",
                                       "deployments.apps",
                                       "namespaces",
                                       "persistentvolumes",
                                       "persistentvolumeclaims",
                                       "zebras.example.com",
                                       "customresourcedefinitions.apiextensions.k8s.io",
                                       "secrets"};
  EXPECT_EQ(restore_order(types, default_priorities()),
            (std::vector<std::string>{"customresourcedefinitions.apiextensions.k8s.io", "namespaces",
                                      "persistentvolumes", "persistentvolumeclaims", "secrets", "pods", "services",
                                      "deployments.apps", "zebras.example.com", "clusters.cluster.x-k8s.io"}));
  EXPECT_EQ(restore_order({"a", "b", "c.g", "d"}, {"c", "-", "a"}), (std::vector<std::string>{"c.g", "b", "d", "a"}));
}

TEST(RestoreOrder, NamesEveryTypeOnce) {
  std::set<std::string> types(default_priorities().begin(), default_priorities().end());
  types.erase("-");
  types.insert("other");
  const std::vector<std::string> order = restore_order(types, default_priorities());
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()), types);
  EXPECT_EQ(order.size(), types.size());
}

TEST(RestoreItems, FinishedAndMirroredThingsAreSkipped) {
  EXPECT_NE(skip_reason("pods", yaml_object("{status: {phase: Succeeded}}")), "");
  EXPECT_NE(skip_reason("pods", yaml_object("{status: {phase: Failed}}")), "");
  EXPECT_NE(skip_reason("pods", yaml_object("{metadata: {annotations: {kubernetes.io/config.mirror: x}}}")), "");
  EXPECT_EQ(skip_reason("pods", yaml_object("{status: {phase: Running}}")), "");
  EXPECT_NE(skip_reason("jobs.batch", yaml_object("{status: {completionTime: '2026-11-21T06:15:57Z'}}")), "");
  EXPECT_EQ(skip_reason("jobs.batch", yaml_object("{status: {active: 1}}")), "");
  EXPECT_FALSE(restorable_type("events"));
  EXPECT_FALSE(restorable_type("backups.velero.io"));
  EXPECT_TRUE(restorable_type("datauploads.velero.io"));
}

TEST(RestoreItems, EqualityLooksAtWhatUsersSet) {
  const json::object live = yaml_object(R"(
metadata: {name: x, uid: u, resourceVersion: "5", creationTimestamp: now, labels: {velero.io/backup-name: old, velero.io/restore-name: r0}}
data: {k: v}
status: {x: y}
)");
  EXPECT_TRUE(
      equal_for_restore(live, yaml_object("{metadata: {name: x, labels: {velero.io/backup-name: b}}, data: {k: v}}")));
  EXPECT_FALSE(equal_for_restore(live, yaml_object("{metadata: {name: x}, data: {k: w}}")));
  EXPECT_FALSE(equal_for_restore(live, yaml_object("{metadata: {name: x, labels: {own: l}}, data: {k: v}}")));
}

json::value random_value(int depth) {
  const int kind = std::stoi(random_hex(1), nullptr, 16) % (depth > 0 ? 5 : 3);
  if (kind == 0) return json::value(random_hex(1));
  if (kind == 1) return json::value(7);
  if (kind == 2) return json::value(true);
  if (kind == 3) return json::array{random_value(depth - 1), 1};
  json::object object;
  for (int i = 0; i < 4; ++i) {
    if (std::stoi(random_hex(1), nullptr, 16) % 3 != 0) object["k" + std::to_string(i)] = random_value(depth - 1);
  }
  return object;
}

TEST(RestoreItems, MergePatchTurnsOneIntoTheOther) {
  for (int i = 0; i < 500; ++i) {
    json::object from{{"metadata", json::object{{"name", "x"}}}, {"spec", random_value(4)}};
    json::object to{{"metadata", json::object{{"name", "x"}}}, {"spec", random_value(4)}};
    const json::object patch = merge_patch(from, to);
    EXPECT_EQ(json::value(from) == json::value(to), patch.empty());
    json::value patched = kube::merge_patch(from, patch);
    EXPECT_EQ(patched, json::value(to)) << json::compact(from) << "\n"
                                        << json::compact(to) << "\n"
                                        << json::compact(patch);
  }
}

TEST(RestoreItems, AccountsAreMergedAndTheLiveOneWins) {
  const json::object merged = merge_service_account(
      yaml_object("{metadata: {labels: {a: live}}, secrets: [{name: s1}]}"),
      yaml_object("{metadata: {labels: {a: old, b: old}, annotations: {c: d}}, secrets: [{name: s1}, {name: s2}], "
                  "imagePullSecrets: [{name: p}]}"));
  EXPECT_EQ(json::compact(merged),
            R"({"metadata":{"labels":{"a":"live","b":"old"},"annotations":{"c":"d"}},"secrets":[{"name":"s1"},)"
            R"({"name":"s2"}],"imagePullSecrets":[{"name":"p"}]})");
}

TEST(RestoreItems, PullSecretsGetTheirNewNames) {
  json::object pod =
      yaml_object("{spec: {imagePullSecrets: [{name: robot-dockercfg-old}, {name: own}, {name: gone-dockercfg-x}]}}");
  replace_pull_secrets(pod, {"default-dockercfg-1", "robot-dockercfg-new", "own"});
  EXPECT_EQ(json::compact(pod.at("spec")),
            R"({"imagePullSecrets":[{"name":"robot-dockercfg-new"},{"name":"own"},{"name":"gone-dockercfg-x"}]})");
}

TEST(VolumeFacts, DecideByVolumeInfoThenByBackupsThenByPolicy) {
  velero::BackupVolumeInfo saved;
  saved.pv_name = "saved";
  saved.backup_method = "PodVolumeBackup";
  velero::BackupVolumeInfo native;
  native.pv_name = "native";
  native.backup_method = "NativeSnapshot";
  velero::BackupVolumeInfo skipped;
  skipped.pv_name = "skipped";
  skipped.skipped = true;
  velero::PodVolumeBackup old;
  old.spec.pod = {"Pod", "a", "p", "", {}};
  old.spec.volume = "v";
  old.metadata.annotations["velero.io/pvc-name"] = "claim";
  old.status.snapshot_id = "1";
  velero::PodVolumeBackup failed = old;
  failed.spec.volume = "w";
  failed.status.snapshot_id.clear();
  const VolumeFacts facts({saved, native, skipped}, {old, failed});
  const auto decide = [&](const std::string& name, const std::string& policy, const std::string& claim) {
    return facts.decide(yaml_object("{metadata: {name: " + name + "}, spec: {persistentVolumeReclaimPolicy: " + policy +
                                    ", claimRef: {namespace: a, name: " + claim + "}}}"));
  };
  EXPECT_EQ(decide("saved", "Retain", "x"), VolumeDecision::provision_anew);
  EXPECT_EQ(decide("native", "Retain", "x"), VolumeDecision::unsupported);
  EXPECT_EQ(decide("skipped", "Delete", "x"), VolumeDecision::provision_anew);
  EXPECT_EQ(decide("skipped", "Retain", "x"), VolumeDecision::as_it_stands);
  EXPECT_EQ(decide("unknown", "Retain", "claim"), VolumeDecision::provision_anew);
  EXPECT_EQ(decide("unknown", "Retain", "other"), VolumeDecision::as_it_stands);
  ASSERT_EQ(facts.volumes().size(), 1U);
  EXPECT_EQ(facts.volumes()[0].uploader, "restic");
}

TEST(VolumeFacts, ARetainedVolumeIsBoundToTheMappedClaim) {
  RestoreFacts facts;
  facts.namespace_mapping = {{"a", "b"}};
  json::object pv = yaml_object("{spec: {claimRef: {namespace: a, name: c, uid: u, resourceVersion: '1'}}}");
  rebind_volume(pv, facts);
  EXPECT_EQ(json::compact(pv), R"({"spec":{"claimRef":{"namespace":"b","name":"c"}}})");
}

}  // namespace
}  // namespace holdfast::backup
