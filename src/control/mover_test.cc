#include "control/mover.h"

#include "control/test_site.h"

namespace holdfast::control {
namespace {

using testing::HasSubstr;

class MoverTest : public testing::Test {
 protected:
  void SetUp() override {
    site_.options.restore_wait.image = "localhost/holdfast:1";
    site_.options.restore_wait.command = {"/usr/bin/holdfast", "restore-helper"};
    site_.api.seed_yaml("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: web}}");
  }
  std::vector<json::value> pods() { return site_.api.peek_all(kube::types::pods(), "web"); }
  /// The kubelet, or the scheduler, says something of the only pod.
  void status(const std::string& text) {
    const auto list = pods();
    ASSERT_EQ(list.size(), 1U);
    const auto done =
        site_.api.patch(kube::types::pods(), "web", json::string_at(list[0], {"metadata", "name"}),
                        kube::PatchKind::merge, *json::parse("{\"status\":" + text + "}"), {.subresource = "status"});
    ASSERT_TRUE(done.ok()) << done.error().to_string();
  }
  void add_pod(const std::string& name, const std::string& phase) {
    site_.api.seed_yaml("{apiVersion: v1, kind: Pod, metadata: {name: " + name +
                        ", namespace: web}, spec: {nodeName: n9, volumes: [{name: v, persistentVolumeClaim: "
                        "{claimName: c}}]}, status: {phase: " +
                        phase + "}}");
  }
  bool waits(Mover& mover) {
    const auto seen = mover.look({});
    EXPECT_TRUE(seen.ok()) << seen.error().to_string();
    return seen.ok() && !seen->has_value();
  }
  TestSite site_;
};

TEST_F(MoverTest, HoldsTheMountAndNothingMore) {
  const json::object pod = mover_pod(site_.options, {"web", "c"}, MoverUse::backup, "m");
  EXPECT_EQ(json::string_at(pod, {"metadata", "namespace"}), "web");
  EXPECT_EQ(json::string_at(pod, {"metadata", "labels", "holdfast.dev/mover"}), "velero");
  EXPECT_EQ(json::string_at(pod, {"metadata", "labels", "velero.io/exclude-from-backup"}), "true");
  EXPECT_EQ(json::find(pod, {"metadata", "ownerReferences"}), nullptr) << "its owner lives in another namespace";
  EXPECT_EQ(json::string_at(pod, {"spec", "restartPolicy"}), "Never");
  EXPECT_FALSE(json::bool_at(pod, {"spec", "automountServiceAccountToken"}, true));
  EXPECT_EQ(json::int_at(pod, {"spec", "activeDeadlineSeconds"}), 4 * 3600 + 600);
  const json::value& volume = json::array_at(pod, {"spec", "volumes"})[0];
  EXPECT_EQ(json::string_at(volume, {"persistentVolumeClaim", "claimName"}), "c");
  EXPECT_TRUE(json::bool_at(volume, {"persistentVolumeClaim", "readOnly"}));
  const json::value& container = json::array_at(pod, {"spec", "containers"})[0];
  EXPECT_EQ(json::strings(json::array_at(container, {"command"})),
            (std::vector<std::string>{"/usr/bin/holdfast", "mover"}));
  EXPECT_TRUE(json::bool_at(json::array_at(container, {"volumeMounts"})[0], {"readOnly"}));
  EXPECT_EQ(json::find(container, {"env"}), nullptr);
  const json::object writer = mover_pod(site_.options, {"web", "c"}, MoverUse::restore, "m");
  EXPECT_FALSE(
      json::bool_at(json::array_at(writer, {"spec", "volumes"})[0], {"persistentVolumeClaim", "readOnly"}, true));
}

TEST_F(MoverTest, IsMadeRunsAndGoes) {
  Mover mover(site_.context, {"web", "c"}, MoverUse::backup);
  EXPECT_TRUE(waits(mover));
  ASSERT_EQ(pods().size(), 1U);
  EXPECT_TRUE(waits(mover));
  status(R"({"phase":"Running"})");
  const auto pod = mover.look({});
  ASSERT_TRUE(pod.ok() && pod->has_value());
  EXPECT_EQ(**pod, pods()[0]);
  mover.remove();
  EXPECT_TRUE(pods().empty());
  mover.remove();
  EXPECT_TRUE(mover.look({}).is(ErrorCode::not_found)) << "a pod that somebody deletes is noticed";
}

TEST_F(MoverTest, AClaimThatAPodUsesIsLeftAlone) {
  add_pod("ended", "Succeeded");
  add_pod("app", "Pending");
  Mover mover(site_.context, {"web", "c"}, MoverUse::backup);
  const auto refused = mover.look({});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("claim c is used by pod app"));
  EXPECT_EQ(pods().size(), 2U);
  EXPECT_EQ(*user_of_claim(site_.api, {"web", "other"}, ""), "");
  mover.remove();
  EXPECT_EQ(site_.api.count("delete", "pods"), 0U);
}

TEST_F(MoverTest, AProgramThatStartsMeanwhileIsNotCopiedBehindItsBack) {
  Mover mover(site_.context, {"web", "c"}, MoverUse::backup);
  EXPECT_TRUE(waits(mover));
  status(R"({"phase":"Running"})");
  add_pod("app", "Running");
  const auto seen = mover.look({});
  EXPECT_TRUE(seen.is(ErrorCode::conflict));
  EXPECT_THAT(seen.error().message(), HasSubstr("claim c is used by pod app now"));
}

TEST_F(MoverTest, SaysWhyItDoesNotRun) {
  Mover unscheduled(site_.context, {"web", "c"}, MoverUse::restore);
  EXPECT_TRUE(waits(unscheduled));
  status(R"({"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False",
             "message":"0/2 nodes are available: volume node affinity conflict"}]})");
  EXPECT_TRUE(waits(unscheduled));
  site_.clock.advance(site_.options.schedule_wait + std::chrono::seconds(1));
  const auto late = unscheduled.look({});
  EXPECT_TRUE(late.is(ErrorCode::timeout));
  EXPECT_THAT(late.error().message(), HasSubstr("volume node affinity conflict"));
  unscheduled.remove();
  Mover imageless(site_.context, {"web", "c"}, MoverUse::restore);
  EXPECT_TRUE(waits(imageless));
  status(R"({"phase":"Failed","message":"Pod was active on the node longer than the specified deadline"})");
  EXPECT_THAT(imageless.look({}).error().message(), HasSubstr("longer than the specified deadline"));
  imageless.remove();
  site_.options.restore_wait.image.clear();
  Mover nothing(site_.context, {"web", "c"}, MoverUse::restore);
  EXPECT_THAT(nothing.look({}).error().message(), HasSubstr("no image is set"));
}

TEST_F(MoverTest, ALostAnswerMakesNoSecondPod) {
  kube::FakeApi::Fault lost;
  lost.verb = "create";
  lost.resource = "pods";
  lost.when = kube::FakeApi::Fault::When::after;
  lost.error = Error(ErrorCode::unavailable, "connection reset");
  site_.api.inject(lost);
  Mover mover(site_.context, {"web", "c"}, MoverUse::backup);
  EXPECT_TRUE(waits(mover));
  EXPECT_TRUE(waits(mover));
  EXPECT_EQ(pods().size(), 1U);
  mover.remove();
  EXPECT_TRUE(pods().empty());
}

TEST_F(MoverTest, ANewNamespaceGetsItsServiceAccountInAMoment) {
  kube::FakeApi::Fault young;
  young.verb = "create";
  young.resource = "pods";
  young.times = 2;
  young.error = Error(ErrorCode::denied,
                      "pods \"m\" is forbidden: error looking up service account web/default: "
                      "serviceaccount \"default\" not found");
  site_.api.inject(young);
  Mover mover(site_.context, {"web", "c"}, MoverUse::restore);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(waits(mover));
  EXPECT_EQ(pods().size(), 1U);
  kube::FakeApi::Fault forbidden;
  forbidden.verb = "create";
  forbidden.resource = "pods";
  forbidden.error = Error(ErrorCode::denied, "violates PodSecurity");
  site_.api.inject(forbidden);
  Mover other(site_.context, {"db", "c"}, MoverUse::restore);
  EXPECT_TRUE(other.look({}).is(ErrorCode::denied));
}

TEST_F(MoverTest, ANewLeaderClearsWhatTheLastOneLeft) {
  for (const char* ns : {"web", "db"}) {
    site_.api.seed(mover_pod(site_.options, {ns, "c"}, MoverUse::backup, "holdfast-mover-1"));
  }
  ControlOptions others = site_.options;
  others.ns = "staging";
  site_.api.seed(mover_pod(others, {"web", "c"}, MoverUse::backup, "of-another-installation"));
  add_pod("app", "Running");
  for (const char* uid : {"gone-on-with", "ended"}) {
    site_.api.seed(mover_pod(site_.options, {"web", uid, uid}, MoverUse::restore, uid));
  }
  ASSERT_TRUE(remove_movers(site_.context, {"gone-on-with"}).ok());
  std::vector<std::string> left;
  for (const json::value& pod : site_.api.peek_all(kube::types::pods()))
    left.push_back(json::string_at(pod, {"metadata", "name"}));
  EXPECT_THAT(left, testing::UnorderedElementsAre("of-another-installation", "app", "gone-on-with"));
  ASSERT_TRUE(remove_movers_of(site_.context, "gone-on-with").ok());
  EXPECT_EQ(site_.api.peek_all(kube::types::pods()).size(), 2U);
}

TEST_F(MoverTest, ARestoreFindsItsMoverInItsNextLife) {
  {
    Mover lost(site_.context, {"web", "c", "r-uid"}, MoverUse::restore);
    EXPECT_TRUE(waits(lost));
  }
  status(R"({"phase":"Running"})");
  Mover next(site_.context, {"web", "c", "r-uid"}, MoverUse::restore);
  EXPECT_TRUE(waits(next));
  const auto pod = next.look({});
  ASSERT_TRUE(pod.ok() && pod->has_value());
  ASSERT_EQ(pods().size(), 1U);
  EXPECT_EQ(**pod, pods()[0]);
  Mover other(site_.context, {"web", "c", "other-uid"}, MoverUse::restore);
  EXPECT_FALSE(other.look({}).ok()) << "another restore's mover uses the claim";
}

}  // namespace
}  // namespace holdfast::control
