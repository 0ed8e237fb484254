#include <gmock/gmock.h>

#include "app/cli/apply.h"
#include "app/cli/stage.h"
#include "install/installation.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

class InstallVerb : public ::testing::Test {
 protected:
  /// What controllers do by themselves: definitions are established, workloads roll out.
  void act_as_cluster() {
    stage_.api().inject(
        {.verb = "get", .times = 10'000, .meanwhile = [this] {
           for (json::value crd : stage_.api().peek_all(kube::types::custom_resource_definitions())) {
             crd.as_object()["status"] =
                 json::object{{"conditions", json::array{json::object{{"type", "Established"}, {"status", "True"}}}}};
             stage_.put(crd);
           }
           for (const char* kind : {"Deployment", "DaemonSet"}) roll_out(kind);
         }});
  }
  kube::ResourceType type_of_kind(const std::string& api_version, const std::string& kind) {
    return applied_type(json::object{{"apiVersion", api_version}, {"kind", kind}}).value();
  }
  void roll_out(const std::string& kind) {
    for (json::value workload : stage_.api().peek_all(type_of_kind("apps/v1", kind))) {
      workload.as_object()["status"] =
          json::object{{"observedGeneration", json::int_at(workload, {"metadata", "generation"})},
                       {"updatedReplicas", 2},
                       {"availableReplicas", 2},
                       {"desiredNumberScheduled", 1},
                       {"updatedNumberScheduled", 1},
                       {"numberReady", 1}};
      stage_.put(workload);
    }
  }
  std::vector<std::string> words(std::vector<std::string> more = {}) {
    std::vector<std::string> out{"install", "--store-directory", "/srv/store", "--use-node-agent", "--site", "a"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Stage stage_;
};

TEST_F(InstallVerb, AppliesEverythingAndAgain) {
  act_as_cluster();
  EXPECT_EQ(stage_.run(words({"--wait"})), 0) << stage_.err();
  const auto objects =
      install::installation({.site = "a", .use_node_agent = true, .store_directory = "/srv/store"}).value();
  for (const json::value& object : objects) {
    const kube::ResourceType type = applied_type(object).value();
    const json::value there = stage_.api().peek(type, json::string_at(object, {"metadata", "namespace"}),
                                                json::string_at(object, {"metadata", "name"}));
    EXPECT_TRUE(there.is_object()) << json::string_at(object, {"metadata", "name"});
    if (type.kind == "Namespace") continue;  // the stage has it from the start
    EXPECT_THAT(stage_.out(), HasSubstr(type.kind + "/" + json::string_at(object, {"metadata", "name"}) + ": created"));
  }
  EXPECT_THAT(stage_.out(), HasSubstr("holdfast is installed"));
  EXPECT_EQ(stage_.run(words({"--wait", "--image", "localhost/holdfast:next"})), 0) << stage_.err();
  EXPECT_THAT(stage_.out(), HasSubstr("Deployment/velero: already exists, updated"));
  const json::value deployment = stage_.api().peek(type_of_kind("apps/v1", "Deployment"), "velero", "velero");
  EXPECT_EQ(json::string_at(json::array_at(deployment, {"spec", "template", "spec", "containers"})[0], {"image"}),
            "localhost/holdfast:next");
}

TEST_F(InstallVerb, GoesOnWhereItWasBrokenOff) {
  act_as_cluster();
  for (int nth = 1; nth < 40; ++nth) {
    stage_.api().inject({.verb = "create", .nth = nth, .error = Error(ErrorCode::unavailable, "the server is away")});
    if (stage_.run(words()) == 0) break;
    EXPECT_THAT(stage_.err(), HasSubstr("the server is away"));
    stage_.api().clear_faults();
    act_as_cluster();
  }
  stage_.api().clear_faults();
  act_as_cluster();
  EXPECT_EQ(stage_.run(words({"--wait"})), 0) << stage_.err();
}

TEST_F(InstallVerb, PodsThatNeverComeAreAnError) {
  stage_.api().inject(
      {.verb = "get", .resource = "customresourcedefinitions.apiextensions.k8s.io", .times = 100, .meanwhile = [this] {
         for (json::value crd : stage_.api().peek_all(kube::types::custom_resource_definitions())) {
           crd.as_object()["status"] =
               json::object{{"conditions", json::array{json::object{{"type", "Established"}, {"status", "True"}}}}};
           stage_.put(crd);
         }
       }});
  EXPECT_EQ(stage_.run(words({"--wait"})), 1);
  EXPECT_THAT(stage_.err(), HasSubstr("deployment/velero is not ready"));
}

TEST_F(InstallVerb, DryRunSendsNothing) {
  EXPECT_EQ(stage_.run(words({"--dry-run", "-o", "yaml"})), 0);
  EXPECT_TRUE(stage_.api().calls().empty());
  const json::value list = yaml::parse(stage_.out()).value();
  EXPECT_EQ(json::string_at(list, {"kind"}), "List");
  EXPECT_GT(json::array_at(list, {"items"}).size(), 20u);
  EXPECT_EQ(stage_.run({"install", "--crds-only", "--dry-run", "-o", "json"}), 0);
  EXPECT_EQ(json::array_at(json::parse(stage_.out()).value(), {"items"}).size(), install::definitions().size());
}

TEST_F(InstallVerb, AsksForWhatItNeeds) {
  EXPECT_EQ(stage_.run({"install", "--provider", "aws"}), 1);
  EXPECT_THAT(stage_.err(), HasSubstr("--bucket"));
  EXPECT_EQ(stage_.run({"install", "--provider", "aws", "--bucket", "b"}), 1);
  EXPECT_THAT(stage_.err(), HasSubstr("--secret-file"));
  EXPECT_EQ(stage_.run({"install", "--store-directory", "relative"}), 1);
  EXPECT_TRUE(stage_.api().calls().empty());
}

TEST_F(InstallVerb, UninstallTakesItAwayAgain) {
  act_as_cluster();
  ASSERT_EQ(stage_.run(words()), 0) << stage_.err();
  stage_.api().seed(json::object{
      {"apiVersion", "velero.io/v1"},
      {"kind", "Restore"},
      {"metadata", json::object{{"name", "r"},
                                {"namespace", "velero"},
                                {"finalizers", json::array{"restores.velero.io/external-resources-finalizer"}}}}});
  EXPECT_EQ(stage_.run({"uninstall"}), 0);
  EXPECT_TRUE(stage_.api().peek(kube::types::namespaces(), "", "velero").is_object());
  stage_.api().clear_faults();
  stage_.api().inject(
      {.verb = "get", .resource = "namespaces", .times = 100, .meanwhile = [this] { stage_.api().collect_garbage(); }});
  EXPECT_EQ(stage_.run({"uninstall", "--force"}), 0) << stage_.err();
  EXPECT_FALSE(stage_.api().peek(kube::types::namespaces(), "", "velero").is_object());
  for (const std::string& name : install::cluster_names("velero").roles)
    EXPECT_FALSE(stage_.api().peek(type_of_kind("rbac.authorization.k8s.io/v1", "ClusterRole"), "", name).is_object());
  EXPECT_TRUE(stage_.api().peek_all(kube::types::custom_resource_definitions()).empty());
}

}  // namespace
}  // namespace holdfast::app
