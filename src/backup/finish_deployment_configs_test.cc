#include "backup/finish_deployment_configs.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "kube/fake_api.h"

namespace holdfast::backup {
namespace {

/// A cluster with two configs at zero and two pods cut off from one of them.
class FinishDeploymentConfigs : public testing::Test {
 protected:
  FinishDeploymentConfigs() {
    type_ = kube::types::pods();
    type_.group = "apps.openshift.io";
    type_.plural = "deploymentconfigs";
    type_.kind = "DeploymentConfig";
    api_.add_type(type_);
    api_.seed_yaml(R"(
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: web, namespace: a,
  labels: {oadp.openshift.io/replicas-modified: r, velero.io/restore-uid: u, app: web}, annotations: {oadp.openshift.io/original-replicas: "3", oadp.openshift.io/original-paused: "true"}},
  spec: {replicas: 0, paused: false}}
---
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: other, namespace: b,
  labels: {oadp.openshift.io/replicas-modified: elder, velero.io/restore-uid: e}, annotations: {oadp.openshift.io/original-replicas: "1"}},
  spec: {replicas: 0, template: {spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: books}}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: a, labels: {oadp.openshift.io/disconnected-from-dc: r, velero.io/restore-uid: u}}, spec: {nodeName: n}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-2, namespace: a, labels: {oadp.openshift.io/disconnected-from-dc: elder, velero.io/restore-uid: e}}, spec: {nodeName: n}}
)");
  }
  Result<FinishedDeploymentConfigs> finish() {
    return finish_deployment_configs(api_, held_, clock_, std::chrono::minutes(2));
  }
  FakeClock clock_;
  kube::FakeApi api_{[this] {
    kube::FakeApiOptions options;
    options.clock = &clock_;
    options.graceful_pods = true;
    return options;
  }()};
  kube::ResourceType type_;
  HeldDeploymentConfigs held_{"r", "u", {"a", "b"}, {}};
};

TEST_F(FinishDeploymentConfigs, GivesReplicasBackOnceThePodsAreGone) {
  kube::FakeApi::Fault gone;  // the kubelet ends the pod at the third look
  gone.verb = "get";
  gone.resource = "pods";
  gone.nth = 3;
  gone.meanwhile = [&] {
    EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 0);
    kube::DeleteOptions now;
    now.grace_seconds = 0;
    EXPECT_TRUE(api_.remove(kube::types::pods(), "a", "web-1", now).ok());
  };
  api_.inject(gone);
  const auto done = finish();
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(done->pods, 1);
  EXPECT_EQ(done->configs, 1);
  const json::value config = api_.peek(type_, "a", "web");
  EXPECT_EQ(json::int_at(config, {"spec", "replicas"}), 3);
  EXPECT_TRUE(json::bool_at(config, {"spec", "paused"}));
  EXPECT_EQ(json::compact(*json::find(config, {"metadata", "labels"})), R"({"app":"web"})");
  EXPECT_EQ(json::find(config, {"metadata", "annotations", "oadp.openshift.io/original-replicas"}), nullptr);
  EXPECT_EQ(json::int_at(api_.peek(type_, "b", "other"), {"spec", "replicas"}), 0);
  EXPECT_FALSE(api_.peek(kube::types::pods(), "a", "web-2").is_null());

  const auto again = finish();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->pods, 0);
  EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 3);
}

TEST_F(FinishDeploymentConfigs, APodThatDoesNotGoKeepsTheConfigAtZero) {
  EXPECT_TRUE(finish().is(ErrorCode::timeout));
  EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 0);
}

TEST_F(FinishDeploymentConfigs, AConfigWhosePodDidNotGetItsDataStaysAtZeroWithThePod) {
  held_.missing_data[{"pods", "a", "web-1"}] = "volume data: no such snapshot";
  const auto done = finish();
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(done->configs, 0);
  ASSERT_EQ(done->left.size(), 1U);
  EXPECT_EQ(done->left[0].first, "a");
  EXPECT_EQ(done->left[0].second,
            "DeploymentConfig a/web stays at zero replicas, as its data is missing: pods a/web-1: volume data: no such "
            "snapshot");
  EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 0);
  EXPECT_TRUE(api_.peek(kube::types::pods(), "a", "web-1").is_object());
  EXPECT_EQ(api_.count("delete"), 0U);
}

TEST_F(FinishDeploymentConfigs, AConfigWhoseClaimIsEmptyStaysAtZero) {
  held_ = {"elder", "e", {"b"}, {{{"persistentvolumeclaims", "b", "books"}, "its pod did not run"}}};
  const auto done = finish();
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->left.size(), 1U);
  EXPECT_EQ(json::int_at(api_.peek(type_, "b", "other"), {"spec", "replicas"}), 0);
  held_.missing_data = {{{"persistentvolumeclaims", "b", "films"}, "another claim"}};
  ASSERT_TRUE(finish().ok());
  EXPECT_EQ(json::int_at(api_.peek(type_, "b", "other"), {"spec", "replicas"}), 1);
}

TEST_F(FinishDeploymentConfigs, WhatAnotherRestoreOfThatNameLeftIsNotTouched) {
  for (const HeldDeploymentConfigs& stranger :
       {HeldDeploymentConfigs{"r", "another", {"a", "b"}, {}}, HeldDeploymentConfigs{"r", "u", {"b"}, {}}}) {
    held_ = stranger;
    const auto done = finish();
    ASSERT_TRUE(done.ok());
    EXPECT_EQ(done->configs + done->pods, 0);
    EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 0);
  }
}

TEST_F(FinishDeploymentConfigs, EveryFailingCallCanBeRepeated) {
  for (int n = 1; n <= 5; ++n) {
    kube::FakeApi::Fault fault;
    fault.nth = n;
    fault.error = Error(ErrorCode::denied, "told to fail");
    api_.inject(fault);
    (void)finish().ok();
    api_.clear_faults();
  }
  kube::DeleteOptions now;
  now.grace_seconds = 0;
  ASSERT_TRUE(api_.remove(kube::types::pods(), "a", "web-1", now).ok());
  ASSERT_TRUE(finish().ok());
  EXPECT_EQ(json::int_at(api_.peek(type_, "a", "web"), {"spec", "replicas"}), 3);
}

}  // namespace
}  // namespace holdfast::backup
