// The controllers against a real API server of ours in this process, with a kubelet that only says what pods do.
#include "sandbox/controllers/controllers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/random.h"
#include "base/yaml.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "sandbox/apiserver/server.h"
#include "sandbox/controllers/objects.h"

namespace holdfast::sandbox {
namespace {

using kube::types::pods;

// Says of each bound pod that it runs, and lets deleted ones go.
class PaperKubelet {
 public:
  explicit PaperKubelet(kube::Api& api)
      : api_(api),
        informer_(api, {.type = pods()}),
        controller_({.name = "kubelet"}, [this](const std::string& name, std::stop_token) { return sync(name); }) {
    informer_.on_change([this](const std::string& name) { controller_.enqueue(name); });
    controller_.start();
    informer_.start();
  }
  ~PaperKubelet() {
    informer_.stop();
    controller_.stop();
  }

 private:
  Result<kube::After> sync(const std::string& full_name) {
    const auto [ns, name] = kube::split_name(full_name);
    Result<json::value> pod = api_.get(pods(), ns, name);
    if (!pod.ok() || json::string_at(*pod, {"spec", "nodeName"}).empty()) return kube::After::done();
    if (is_deleting(*pod)) {
      (void)remove_if_there(api_, pods(), *pod, {.grace_seconds = 0}, {}).ok();
      return kube::After::done();
    }
    const bool ends = json::string_at(*pod, {"spec", "restartPolicy"}) == "Never";
    TRY(write_status(
        api_, pods(), *pod,
        {{"phase", ends ? "Succeeded" : "Running"},
         {"podIP", "10.0.0.1"},
         {"conditions", json::array{json::object{{"type", "Ready"}, {"status", ends ? "False" : "True"}}}}},
        {}));
    return kube::After::done();
  }
  kube::Api& api_;
  kube::Informer informer_;
  kube::Controller controller_;
};

class ControllersTest : public ::testing::Test {
 protected:
  ControllersTest() : directory_(::testing::TempDir() + "/hf-controllers-" + random_hex(6)) {
    ApiServerOptions options;
    options.data_dir = directory_ + "/data";
    options.tokens = {{"root", {.name = "admin", .groups = {"system:masters"}}}};
    server_ = ApiServer::start(options).value();
    kube::ClientOptions client;
    client.access.server = server_->url();
    client.access.proxy = "-";
    client.access.token = "root";
    api_ = kube::Client::create(client).value();
    apply("{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}}");
    json::value node = api_->get(kube::types::nodes(), "", "n1").value();
    EXPECT_TRUE(write_status(*api_, kube::types::nodes(), node,
                             {{"conditions", json::array{json::object{{"type", "Ready"}, {"status", "True"}}}}}, {}));
    ControllersOptions controllers;
    controllers.root_ca_pem = "CA";
    controllers.volume_directory = directory_ + "/volumes";
    controllers_ = Controllers::start(*api_, controllers).value();
    kubelet_ = std::make_unique<PaperKubelet>(*api_);
    types_ = api_->discover().value();
  }
  ~ControllersTest() override {
    kubelet_.reset();
    controllers_.reset();
    api_.reset();
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  const kube::ResourceType& type(const std::string& plural) const {
    return *std::find_if(types_.begin(), types_.end(), [&](const auto& t) { return t.plural == plural; });
  }
  void apply(const std::string& text) {
    const std::vector<kube::ResourceType> types = api_->discover().value();
    for (const json::value& object : yaml::parse_all(text).value()) {
      const auto found = std::find_if(types.begin(), types.end(), [&](const auto& t) {
        return t.kind == json::string_at(object, {"kind"}) &&
               t.api_version() == json::string_at(object, {"apiVersion"});
      });
      ASSERT_NE(found, types.end());
      const auto made = api_->create(*found, found->namespaced ? "default" : "", object);
      ASSERT_TRUE(made.ok()) << made.error().message();
    }
  }
  json::value get(const std::string& plural, const std::string& name) {
    return api_->get(type(plural), type(plural).namespaced ? "default" : "", name).value_or(json::value(nullptr));
  }
  std::vector<json::value> all(const std::string& plural) { return list(*api_, type(plural), "", {}).value(); }
  void patch(const std::string& plural, const std::string& name, const std::string& body) {
    ASSERT_TRUE(
        api_->patch(type(plural), "default", name, kube::PatchKind::merge, json::parse(body).value(), {}, {}).ok());
  }
  // Waits until it is so; the deadline is generous because many tests may share the machine.
  static bool eventually(const std::function<bool()>& holds) {
    const BootTime end = system_clock().boottime() + std::chrono::seconds(30);
    while (system_clock().boottime() < end) {
      if (holds()) return true;
      if (!system_clock().sleep({}, std::chrono::milliseconds(10)).ok()) return false;
    }
    return false;
  }
  size_t ready_pods(const std::string& label, const std::string& text) {
    const auto present = all("pods");
    return static_cast<size_t>(std::count_if(present.begin(), present.end(), [&](const json::value& pod) {
      return is_ready(pod) && is_active(pod) && json::string_at(pod, {"metadata", "labels", label}) == text;
    }));
  }

  std::string directory_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<kube::Client> api_;
  std::unique_ptr<Controllers> controllers_;
  std::unique_ptr<PaperKubelet> kubelet_;
  std::vector<kube::ResourceType> types_;
};

const char kTemplate[] = "{metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'localhost/i:1'}]}}";

TEST_F(ControllersTest, ADeploymentRunsScalesRollsAndGoesWithAllItOwns) {
  apply(
      fmt::format("{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{replicas: 3, "
                  "selector: {{matchLabels: {{app: web}}}}, template: {}}}}}",
                  kTemplate));
  ASSERT_TRUE(eventually([&] {
    return json::int_at(get("deployments", "web"), {"status", "availableReplicas"}) == 3;
  }));
  patch("deployments", "web", R"({"spec":{"replicas":1}})");
  ASSERT_TRUE(eventually([&] { return all("pods").size() == 1; }));
  patch("deployments", "web", R"({"spec":{"template":{"metadata":{"labels":{"version":"2"}}}}})");
  ASSERT_TRUE(eventually([&] { return ready_pods("version", "2") == 1 && all("pods").size() == 1; }));
  EXPECT_EQ(all("replicasets").size(), 2U);
  ASSERT_TRUE(api_->remove(type("deployments"), "default", "web").ok());
  EXPECT_TRUE(eventually([&] { return all("pods").empty() && all("replicasets").empty(); }));
}

TEST_F(ControllersTest, ADeploymentConfigMakesVersionsAsOpenShiftDoes) {
  apply(
      fmt::format("{{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {{name: dc}}, spec: "
                  "{{replicas: 2, strategy: {{type: Recreate}}, selector: {{app: web}}, template: {}}}}}",
                  kTemplate));
  ASSERT_TRUE(eventually([&] {
    return json::int_at(get("deploymentconfigs", "dc"), {"status", "readyReplicas"}) == 2;
  }));
  const auto phase = [&](const std::string& name) {
    return json::string_at(get("replicationcontrollers", name),
                           {"metadata", "annotations", "openshift.io/deployment.phase"});
  };
  ASSERT_TRUE(eventually([&] { return phase("dc-1") == "Complete"; }));
  const json::value first = get("replicationcontrollers", "dc-1");
  EXPECT_EQ(json::string_at(first, {"metadata", "labels", "openshift.io/deployment-config.name"}), "dc");
  EXPECT_EQ(controller_uid(first), uid_of(get("deploymentconfigs", "dc")));
  EXPECT_EQ(ready_pods("deployment", "dc-1"), 2U);
  EXPECT_EQ(ready_pods("deploymentconfig", "dc"), 2U);
  // A server's defaults in the controller's template are no new version.
  patch("replicationcontrollers", "dc-1", R"({"spec":{"template":{"spec":{"terminationGracePeriodSeconds":30}}}})");
  patch("deploymentconfigs", "dc", R"({"spec":{"replicas":3}})");
  ASSERT_TRUE(eventually([&] { return ready_pods("deployment", "dc-1") == 3; }));
  EXPECT_EQ(all("replicationcontrollers").size(), 1U);
  patch("deploymentconfigs", "dc", R"({"spec":{"replicas":2}})");
  patch("deploymentconfigs", "dc", R"({"spec":{"template":{"metadata":{"labels":{"version":"2"}}}}})");
  ASSERT_TRUE(eventually([&] { return ready_pods("deployment", "dc-2") == 2 && phase("dc-2") == "Complete"; }));
  EXPECT_EQ(ready_pods("deployment", "dc-1"), 0U);
  EXPECT_EQ(json::int_at(get("deploymentconfigs", "dc"), {"status", "latestVersion"}), 2);
  patch("deploymentconfigs", "dc", R"({"spec":{"replicas":0}})");
  EXPECT_TRUE(eventually([&] { return all("pods").empty(); }));
}

TEST_F(ControllersTest, AStatefulSetMakesPodsInOrderWithClaimsOnDirectories) {
  apply(
      "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: dir}, provisioner: holdfast.dev/directory, "
      "volumeBindingMode: WaitForFirstConsumer}");
  apply(fmt::format(
      "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db}}, spec: {{replicas: 2, serviceName: db, "
      "selector: {{matchLabels: {{app: web}}}}, template: {}, volumeClaimTemplates: [{{metadata: {{name: data}}, "
      "spec: {{accessModes: [ReadWriteOnce], storageClassName: dir, resources: {{requests: {{storage: 1Gi}}}}}}}}]}}}}",
      kTemplate));
  ASSERT_TRUE(eventually([&] { return json::int_at(get("statefulsets", "db"), {"status", "readyReplicas"}) == 2; }));
  const json::value claim = get("persistentvolumeclaims", "data-db-1");
  EXPECT_EQ(json::string_at(claim, {"status", "phase"}), "Bound");
  const json::value volume = get("persistentvolumes", json::string_at(claim, {"spec", "volumeName"}));
  const std::string path = json::string_at(volume, {"spec", "local", "path"});
  EXPECT_TRUE(std::filesystem::is_directory(path));
  ASSERT_TRUE(api_->remove(type("statefulsets"), "default", "db").ok());
  ASSERT_TRUE(eventually([&] { return all("pods").empty(); }));
  EXPECT_EQ(all("persistentvolumeclaims").size(), 2U);
  ASSERT_TRUE(api_->remove(type("persistentvolumeclaims"), "default", "data-db-1").ok());
  EXPECT_TRUE(eventually([&] { return all("persistentvolumes").size() == 1 && !std::filesystem::exists(path); }));
}

TEST_F(ControllersTest, ARestoredPodIsAdoptedNotDoubled) {
  apply(
      "{apiVersion: v1, kind: Pod, metadata: {name: restored, labels: {app: web}}, spec: {containers: [{name: c, "
      "image: "
      "'localhost/i:1'}]}}");
  apply(fmt::format(
      "{{apiVersion: v1, kind: ReplicationController, metadata: {{name: rc}}, spec: {{replicas: 1, selector: "
      "{{app: web}}, template: {}}}}}",
      kTemplate));
  ASSERT_TRUE(eventually([&] {
    return json::int_at(get("replicationcontrollers", "rc"), {"status", "readyReplicas"}) == 1;
  }));
  EXPECT_EQ(all("pods").size(), 1U);
  EXPECT_EQ(controller_uid(get("pods", "restored")), uid_of(get("replicationcontrollers", "rc")));
}

TEST_F(ControllersTest, JobsDaemonSetsAndServices) {
  apply(
      fmt::format("{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: ds}}, spec: {{selector: {{matchLabels: "
                  "{{app: web}}}}, template: {}}}}}",
                  kTemplate));
  apply(
      "{apiVersion: v1, kind: Service, metadata: {name: svc}, spec: {selector: {app: web}, ports: [{port: 80, "
      "targetPort: "
      "8080}]}}");
  apply(
      "{apiVersion: batch/v1, kind: Job, metadata: {name: job}, spec: {completions: 2, template: {spec: "
      "{restartPolicy: "
      "Never, containers: [{name: c, image: 'localhost/i:1'}]}}}}");
  ASSERT_TRUE(eventually([&] { return json::int_at(get("daemonsets", "ds"), {"status", "numberReady"}) == 1; }));
  ASSERT_TRUE(eventually([&] {
    const json::value job = get("jobs", "job");
    return json::int_at(job, {"status", "succeeded"}) == 2 &&
           !json::string_at(job, {"status", "completionTime"}).empty();
  }));
  ASSERT_TRUE(eventually([&] {
    const json::array subsets = json::array_at(get("endpoints", "svc"), {"subsets"});
    return subsets.size() == 1 && json::array_at(subsets[0], {"addresses"}).size() == 1 &&
           json::int_at(json::array_at(subsets[0], {"ports"})[0], {"port"}) == 8080;
  }));
}

TEST_F(ControllersTest, NamespacesAreFurnishedAndEmptied) {
  apply("{apiVersion: v1, kind: Namespace, metadata: {name: extra}}");
  ASSERT_TRUE(eventually([&] { return api_->get(kube::types::service_accounts(), "extra", "default").ok(); }));
  ASSERT_TRUE(eventually([&] { return api_->get(kube::types::config_maps(), "extra", "kube-root-ca.crt").ok(); }));
  ASSERT_TRUE(api_->remove(kube::types::namespaces(), "", "extra").ok());
  EXPECT_TRUE(eventually([&] { return api_->get(kube::types::namespaces(), "", "extra").is(ErrorCode::not_found); }));
  EXPECT_TRUE(api_->get(kube::types::config_maps(), "extra", "kube-root-ca.crt").is(ErrorCode::not_found));
}

TEST_F(ControllersTest, ForegroundAndOrphanDeletion) {
  const std::string set =
      "{{apiVersion: apps/v1, kind: ReplicaSet, metadata: {{name: {}}}, spec: {{replicas: 1, selector: "
      "{{matchLabels: {{app: web}}}}, template: {}}}}}";
  apply(fmt::format(fmt::runtime(set), "one", kTemplate));
  ASSERT_TRUE(eventually([&] { return ready_pods("app", "web") == 1; }));
  ASSERT_TRUE(api_->remove(type("replicasets"), "default", "one", {.propagation = "Orphan"}).ok());
  ASSERT_TRUE(eventually([&] { return all("replicasets").empty(); }));
  ASSERT_EQ(all("pods").size(), 1U);
  EXPECT_EQ(controller_uid(all("pods")[0]), "");
  apply(fmt::format(fmt::runtime(set), "two", kTemplate));
  ASSERT_TRUE(eventually([&] { return controller_uid(all("pods")[0]) == uid_of(get("replicasets", "two")); }));
  ASSERT_TRUE(api_->remove(type("replicasets"), "default", "two", {.propagation = "Foreground"}).ok());
  EXPECT_TRUE(eventually([&] { return all("replicasets").empty() && all("pods").empty(); }));
}

TEST_F(ControllersTest, AnUnknownNameIsRefused) {
  ControllersOptions options;
  options.names = {"nosuch"};
  EXPECT_TRUE(Controllers::start(*api_, options).is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::sandbox
