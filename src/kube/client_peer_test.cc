// The client against a real cluster. usage: holdfast_kube_peer_tests KUBECONFIG [NAMESPACE/POD]
// With a running pod that has a shell, exec and logs are tried on it too.
#include "kube/api_contract.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "kube/lease.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

std::string kubeconfig;  // NOLINT: set by main before the tests
std::string pod_name;    // NOLINT

Client* client() {
  static const std::unique_ptr<Client> one = [] {
    Result<ClusterAccess> access = load_kubeconfig({kubeconfig}, "");
    CHECK(access.ok());
    access->proxy = "-";
    Result<std::unique_ptr<Client>> made = Client::create({.access = *access});
    CHECK(made.ok());
    return std::move(*made);
  }();
  return one.get();
}

Api* real() {
  return client();
}

INSTANTIATE_TEST_SUITE_P(Real, ApiContract, testing::Values(&real));

TEST(ClientOnACluster, DiscoversWhatTheServerServes) {
  const auto types = client()->discover();
  ASSERT_TRUE(types.ok()) << types.error().to_string();
  EXPECT_GT(types->size(), 40U);
  const auto find = [&](const std::string& name) {
    return std::find_if(types->begin(), types->end(),
                        [&](const ResourceType& type) { return type.group_resource() == name && type.preferred; });
  };
  ASSERT_NE(find("pods"), types->end());
  EXPECT_TRUE(find("pods")->can("watch") && find("pods")->namespaced);
  ASSERT_NE(find("deployments.apps"), types->end());
  EXPECT_EQ(find("deployments.apps")->kind, "Deployment");
  ASSERT_NE(find("horizontalpodautoscalers.autoscaling"), types->end());
  EXPECT_EQ(find("horizontalpodautoscalers.autoscaling")->version, "v2");
}

// The server keeps no history of a type from before the type was made.
TEST_P(ApiContract, AVersionThatIsTooOldIsAConflict) {
  const ResourceType type = make_type(false);
  // A list waits until the server has set up its storage; a watch is refused until then.
  ASSERT_TRUE(list_all(api_, type, ns_).ok());
  const Status status =
      api_.watch(type, ns_, {.resource_version = "1", .timeout = 20s}, [](const WatchEvent&) { return Status(); }, {});
  EXPECT_TRUE(status.is(ErrorCode::conflict)) << (status.ok() ? "ended" : status.error().to_string());
  drop_type(type);
}

TEST(ClientOnACluster, AWatchEndsWhenItsTimeIsOver) {
  const std::string version = client()->list(types::pods(), "", {.limit = 1})->resource_version;
  EXPECT_TRUE(client()
                  ->watch(types::pods(), "", {.resource_version = version, .timeout = 1s},
                          [](const WatchEvent&) { return Status(); }, {})
                  .ok());
}

TEST(ClientOnACluster, WrongCredentialsAreDenied) {
  ClusterAccess access = *load_kubeconfig({kubeconfig}, "");
  access.proxy = "-";
  access.token = "wrong";
  access.tls.certificate_pem.clear();
  access.tls.key_pem.clear();
  const auto other = Client::create({.access = access}).value();
  EXPECT_TRUE(other->list(types::secrets(), "", {}).is(ErrorCode::denied));
}

TEST(ClientOnACluster, FollowsBigListsWithAnInformer) {
  const std::string ns = "hf-informer-" + random_hex(4);
  ASSERT_TRUE(client()->create(types::namespaces(), "", json::object{{"metadata", {{"name", ns}}}}).ok());
  const auto make = [&](int i) {
    const json::value map = json::object{{"metadata", {{"name", "n" + std::to_string(i)}, {"labels", {{"t", "i"}}}}}};
    ASSERT_TRUE(client()->create(types::config_maps(), ns, map).ok());
  };
  for (int i = 0; i < 120; ++i) make(i);
  Informer informer(*client(), {.type = types::config_maps(), .ns = ns, .label_selector = "t=i"});
  informer.start();
  ASSERT_TRUE(informer.wait_until_synced({}, 60s).ok());
  EXPECT_EQ(informer.list().size(), 120U);
  for (int i = 120; i < 140; ++i) make(i);
  ASSERT_TRUE(client()->remove(types::config_maps(), ns, "n0").ok());
  EXPECT_TRUE(comes_true([&] { return informer.list().size() == 139; }));
  informer.stop();
  EXPECT_TRUE(client()->remove(types::namespaces(), "", ns).ok());
}

TEST(ClientOnACluster, ElectsALeader) {
  const std::string name = "hf-lease-" + random_hex(4);
  for (const char* identity : {"one", "two"}) {
    LeaderElection election(*client(), {.ns = "default", .name = name, .identity = identity, .retry_period = 1s});
    bool led = false;
    const Status status = election.run({}, [&](const std::stop_token&) -> Status {
      led = true;
      return {};
    });
    EXPECT_TRUE(led && status.ok()) << (status.ok() ? "" : status.error().to_string());
  }
  const json::value lease = *client()->get(types::leases(), "default", name);
  EXPECT_EQ(json::string_at(lease, {"spec", "holderIdentity"}), "");
  EXPECT_TRUE(client()->remove(types::leases(), "default", name).ok());
}

TEST(ClientOnAPod, RunsCommandsAndReadsLogs) {
  const auto [ns, pod] = split_name(pod_name);
  const auto result = client()->exec(ns, pod, "", {"sh", "-c", "echo out; echo err >&2; exit 3"}, 30s);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(client()->exec(ns, pod, "", {"true"}, 30s)->exit_code, 0);
  EXPECT_FALSE(client()->exec(ns, pod, "", {"/no/such/program"}, 30s).value_or({.exit_code = 1}).exit_code == 0);
  EXPECT_TRUE(client()->exec(ns, pod, "", {"sleep", "60"}, 1s).is(ErrorCode::timeout));
  EXPECT_TRUE(client()->exec(ns, "no-such-pod", "c", {"true"}, 30s).is(ErrorCode::not_found));
  EXPECT_TRUE(client()->logs(ns, pod, "").ok());
}

}  // namespace
}  // namespace holdfast::kube

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc < 2) {
    fmt::print(stderr, "usage: {} KUBECONFIG [NAMESPACE/POD]\n", argv[0]);
    return 2;
  }
  holdfast::kube::kubeconfig = argv[1];
  if (argc > 2) {
    holdfast::kube::pod_name = argv[2];
  } else {
    testing::GTEST_FLAG(filter) = testing::GTEST_FLAG(filter) + "-ClientOnAPod.*";
  }
  return RUN_ALL_TESTS();
}
