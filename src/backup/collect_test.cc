#include "backup/collect.h"

#include <gtest/gtest.h>

#include "backup/fake_volumes.h"
#include "backup/json_edit.h"
#include "base/fake_clock.h"
#include "base/random.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

/// What a collection yields, read back from its own tarball.
struct Taken {
  Result<Collected> collected = Error(ErrorCode::internal, "not run");
  std::optional<Tarball> tarball;
  velero::Results results;

  [[nodiscard]] bool has(const std::string& type, const std::string& ns, const std::string& name) const {
    return tarball->find({type, ns, name}) != nullptr;
  }
};

Taken collect_all(kube::FakeApi& api, const velero::Backup& backup, VolumeBackups* volumes = nullptr,
                  CollectOptions options = {}) {
  FakeClock clock;
  std::string packed;
  Result<TarballWriter> writer = TarballWriter::create(
      [&](std::string_view bytes) -> Status {
        packed += bytes;
        return {};
      },
      clock.now());
  Findings findings{log::Logger()};
  options.backup = backup;
  options.clock = &clock;
  Taken taken;
  taken.collected = collect(api, options, *writer, volumes, findings);
  EXPECT_TRUE(writer->finish().ok());
  Result<Tarball> tarball = Tarball::read(memory_source(packed), {});
  EXPECT_TRUE(tarball.ok());
  taken.tarball = std::move(*tarball);
  taken.results = findings.results();
  return taken;
}

/// Without what a server sets at each write.
json::object settled(json::object object) {
  for (std::string_view field : {"uid", "resourceVersion", "creationTimestamp", "generation"}) {
    json::erase(object, {"metadata", field});
  }
  if (json::string_at(object, {"kind"}) == "CustomResourceDefinition") object.erase("status");
  return object;
}

velero::Backup backup_of(const std::string& spec) {
  const json::value object =
      json::object{{"kind", "Backup"}, {"metadata", json::object{{"name", "b"}}}, {"spec", json::parse(spec).value()}};
  return velero::decode<velero::Backup>(object).value();
}

class GoldenCollect : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCollect, TakesWhatVeleroTook) {
  const std::string directory = GetParam();
  const std::string name = directory.substr(directory.rfind('/') + 1);
  const Tarball golden = fixture::tarball(directory + "/" + name + ".tar.gz");
  kube::FakeApi api;
  fixture::load(api, golden);
  api.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: elsewhere}}");
  FakeVolumeBackups volumes;
  const Taken taken = collect_all(api, fixture::backup(directory), &volumes);
  ASSERT_TRUE(taken.collected.ok()) << taken.collected.error().to_string();
  EXPECT_EQ(taken.results.errors.count(), 0U);
  EXPECT_EQ(taken.results.warnings.count(), 0U);
  ASSERT_EQ(taken.tarball->entries().size(), golden.entries().size());
  for (const Tarball::Entry& entry : golden.entries()) {
    const Tarball::Entry* ours = taken.tarball->find(entry.item.key);
    ASSERT_NE(ours, nullptr) << entry.item.key.to_string();
    EXPECT_EQ(ours->item.version, entry.item.version);
    EXPECT_TRUE(
        fixture::same_json(settled(taken.tarball->object(*ours).value()), settled(golden.object(entry).value())))
        << entry.item.key.to_string();
  }
  const auto list = velero::decode_resource_list(fixture::plain(directory + "/" + name + "-resource-list.json.gz"));
  EXPECT_EQ(velero::encode_resource_list(taken.collected->resource_list), velero::encode_resource_list(*list));
  EXPECT_EQ(taken.collected->items, fixture::backup(directory).status.progress->total_items);
  EXPECT_EQ(taken.collected->hooks_attempted, 2);

  std::set<std::string> wanted;
  for (const auto& one :
       velero::decode_pod_volume_backups(fixture::plain(directory + "/" + name + "-podvolumebackups.json.gz"))
           .value()) {
    wanted.insert(one.spec.pod.namespace_ + "/" + one.spec.pod.name + "/" + one.spec.volume + " on " + one.spec.node +
                  " claim " + one.metadata.annotation(velero::annotation::kPvcName));
  }
  std::set<std::string> asked;
  for (const PodVolumeRequest& one : volumes.requests) {
    asked.insert(one.pod_namespace + "/" + one.pod + "/" + one.volume + " on " + one.node + " claim " + one.pvc);
  }
  EXPECT_EQ(asked, wanted);
}

INSTANTIATE_TEST_SUITE_P(Velero, GoldenCollect,
                         testing::Values("1.14/bucket/oadp/backups/b1", "1.14/bucket/oadp/backups/b2",
                                         "1.14/bucket/oadp/backups/b3", "1.18/bucket/backups/b118"),
                         [](const auto& param_info) {
                           return param_info.param.substr(param_info.param.rfind('/') + 1);
                         });

TEST(Collect, APodWhosePreHookFailedIsLeftOutButCounted) {
  const std::string directory = "1.14/bucket/oadp/backups/b3";
  kube::FakeApi api;
  fixture::load(api, fixture::tarball(directory + "/b3.tar.gz"));
  api.on_exec([](const std::string&, const std::string& pod, const std::string&, const std::vector<std::string>&) {
    kube::ExecResult result;
    result.exit_code = pod == "db-0" ? 3 : 0;
    return Result<kube::ExecResult>(result);
  });
  const Taken taken = collect_all(api, fixture::backup("1.14/bucket/oadp/backups/bpf2"));
  ASSERT_TRUE(taken.collected.ok());
  EXPECT_FALSE(taken.has("pods", "web-app2", "db-0"));
  EXPECT_TRUE(taken.has("pods", "web-app1", "web-575f5c74d4-gg44q"));
  const auto list = taken.collected->resource_list;
  EXPECT_EQ(list.at("v1/Pod").size(), 2U);
  EXPECT_EQ(taken.collected->items, 56);
  EXPECT_EQ(taken.collected->hooks_attempted, 3);
  EXPECT_EQ(taken.collected->hooks_failed, 1);
  EXPECT_EQ(taken.results.errors.count(), 2U);
  EXPECT_EQ(taken.collected->skipped_volumes.size(), 2U);
}

constexpr std::string_view kCluster = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {team: blue}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: hidden, labels: {velero.io/exclude-from-backup: "true"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: a, labels: {app: web}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: a, labels: {app: db}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: no, namespace: a, labels: {velero.io/exclude-from-backup: "true"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: three, namespace: b}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: four, namespace: hidden}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: a}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: a}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: power}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: unrelated}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: robots},
 roleRef: {kind: ClusterRole, name: power}, subjects: [{kind: ServiceAccount, name: robot, namespace: a}]}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv1}, spec: {persistentVolumeReclaimPolicy: Retain}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv2}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: a}, spec: {volumeName: pv1},
 status: {phase: Bound}}
)";

struct FilterCase {
  const char* name;
  const char* spec;
  const char* taken;  ///< sorted, "type ns/name", without the cluster's own namespaces
};

class Filters : public testing::TestWithParam<FilterCase> {};

TEST_P(Filters, Take) {
  kube::FakeApi api;
  api.seed_yaml(kCluster);
  const Taken taken = collect_all(api, backup_of(GetParam().spec));
  ASSERT_TRUE(taken.collected.ok());
  EXPECT_EQ(taken.results.errors.count(), 0U);
  std::string names;
  for (const Tarball::Entry& entry : taken.tarball->entries()) {
    const ItemKey& key = entry.item.key;
    if (key.name == "default" || key.name.starts_with("kube-")) continue;
    names += (names.empty() ? "" : ", ") + key.group_resource.substr(0, key.group_resource.find('.')) + " " +
             list_name(key.ns, key.name);
  }
  EXPECT_EQ(names, GetParam().taken);
}

INSTANTIATE_TEST_SUITE_P(
    Collect, Filters,
    testing::Values(
        FilterCase{"everything", "{}",
                   "clusterrolebindings robots, clusterroles power, clusterroles unrelated, configmaps a/one, "
                   "configmaps a/two, configmaps b/three, namespaces a, namespaces b, persistentvolumeclaims a/data, "
                   "persistentvolumes pv1, persistentvolumes pv2, secrets a/s, serviceaccounts a/robot"},
        FilterCase{"one_namespace", R"({"includedNamespaces":["a"]})",
                   "clusterrolebindings robots, clusterroles power, configmaps a/one, configmaps a/two, namespaces a, "
                   "persistentvolumeclaims a/data, persistentvolumes pv1, secrets a/s, serviceaccounts a/robot"},
        FilterCase{"excluded_namespace", R"({"excludedNamespaces":["a"],"includedResources":["configmaps"]})",
                   "configmaps b/three"},
        FilterCase{"short_name", R"({"includedNamespaces":["a"],"includedResources":["cm","ns"]})",
                   "configmaps a/one, configmaps a/two, namespaces a"},
        FilterCase{"no_cluster_resources", R"({"includedNamespaces":["a"],"includeClusterResources":false})",
                   "configmaps a/one, configmaps a/two, namespaces a, persistentvolumeclaims a/data, secrets a/s, "
                   "serviceaccounts a/robot"},
        FilterCase{"label", R"({"includedNamespaces":["a"],"labelSelector":{"matchLabels":{"app":"web"}}})",
                   "configmaps a/one, namespaces a"},
        FilterCase{"or_labels", R"({"orLabelSelectors":[{"matchLabels":{"app":"web"}},{"matchLabels":{"app":"db"}}]})",
                   "configmaps a/one, configmaps a/two, namespaces a"},
        FilterCase{
            "scoped_family",
            R"({"includedNamespaceScopedResources":["configmaps"],"includedClusterScopedResources":["clusterroles"],
                       "includedNamespaces":["a"]})",
            "clusterroles power, clusterroles unrelated, configmaps a/one, configmaps a/two, namespaces a"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Collect, ListsFewNamespacesApartAndManyAtOnce) {
  for (const bool many : {false, true}) {
    kube::FakeApi api;
    std::string included;
    for (int i = 0; i < (many ? 30 : 3); ++i) {
      const std::string ns = "ns" + std::to_string(i);
      api.seed(json::object{
          {"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", json::object{{"name", "c"}, {"namespace", ns}}}});
      included += (i == 0 ? "\"" : ",\"") + ns + "\"";
    }
    api.forget_calls();
    const Taken taken = collect_all(api, backup_of(R"({"includedNamespaces":[)" + included + "]}"));
    ASSERT_TRUE(taken.collected.ok());
    EXPECT_EQ(taken.collected->resource_list.at("v1/ConfigMap").size(), many ? 30U : 3U);
    EXPECT_EQ(api.count("list", "configmaps"), many ? 1U : 3U);
  }
}

TEST(Collect, OrderedResourcesComeFirst) {
  kube::FakeApi api;
  api.seed_yaml(kCluster);
  std::vector<std::string> order;
  CollectOptions options;
  velero::Backup backup = backup_of(R"({"orderedResources":{"configmaps":"b/three, a/two"}})");
  std::string packed;
  Result<TarballWriter> writer = TarballWriter::create([](std::string_view) { return Status(); }, Time());
  auto lines = std::make_shared<log::MemorySink>();
  Findings findings{log::Logger(lines)};
  options.backup = backup;
  const Result<Collected> collected = collect(api, options, *writer, nullptr, findings);
  ASSERT_TRUE(collected.ok());
  EXPECT_EQ(collected->resource_list.at("v1/ConfigMap"), (velero::StringList{"b/three", "a/two", "a/one"}));
}

TEST(Collect, AMissingNamespaceIsAnError) {
  kube::FakeApi api;
  const Taken taken = collect_all(api, backup_of(R"({"includedNamespaces":["nosuch"]})"));
  ASSERT_TRUE(taken.collected.ok());
  ASSERT_EQ(taken.results.errors.velero.size(), 1U);
  EXPECT_NE(taken.results.errors.velero[0].find("nosuch"), std::string::npos);
}

TEST(Collect, StripsTheGateOfProtectedPods) {
  kube::FakeApi api;
  api.seed_yaml(R"({apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a},
    spec: {initContainers: [{name: holdfast-gate}, {name: mine}], containers: [{name: c}]}})");
  const Taken taken = collect_all(api, backup_of("{}"));
  const json::object pod = taken.tarball->object(*taken.tarball->find({"pods", "a", "p"})).value();
  ASSERT_EQ(json::array_at(pod, {"spec", "initContainers"}).size(), 1U);
  EXPECT_EQ(json::string_at(json::array_at(pod, {"spec", "initContainers"})[0], {"name"}), "mine");
}

TEST(Collect, PostHooksWaitForTheVolumesOfTheirPod) {
  kube::FakeApi api;
  api.seed_yaml(R"({apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a, uid: u, annotations: {
      pre.hook.backup.velero.io/command: freeze, post.hook.backup.velero.io/command: thaw}},
    spec: {nodeName: n, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}],
      volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]}, status: {phase: Running}})");
  std::mutex mutex;
  std::vector<std::string> story;
  const auto tell = [&](const std::string& what) {
    std::lock_guard lock(mutex);
    story.push_back(what);
  };
  api.on_exec([&](const std::string&, const std::string&, const std::string&, const std::vector<std::string>& command) {
    tell(command.back());
    return Result<kube::ExecResult>(kube::ExecResult());
  });
  FakeVolumeBackups volumes;
  volumes.before_done = [&] { tell("saved"); };
  const Taken taken = collect_all(api, backup_of(R"({"defaultVolumesToFsBackup":true})"), &volumes);
  ASSERT_TRUE(taken.collected.ok());
  EXPECT_EQ(story, (std::vector<std::string>{"freeze", "saved", "thaw"}));
  EXPECT_EQ(volumes.requests.size(), 1U);  // nothing mounts w
}

TEST(Collect, WhatAPreHookStoppedGoesOnWhenTheNextOneFails) {
  kube::FakeApi api;
  api.seed_yaml(R"({apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a}, spec: {containers: [{name: c}]},
    status: {phase: Running}})");
  std::vector<std::string> story;
  api.on_exec([&](const std::string&, const std::string&, const std::string&, const std::vector<std::string>& command) {
    story.push_back(command.back());
    kube::ExecResult result;
    result.exit_code = command.back() == "flush" ? 1 : 0;
    return Result<kube::ExecResult>(result);
  });
  const Taken taken = collect_all(api, backup_of(R"({"hooks":{"resources":[{"name":"h",
    "pre":[{"exec":{"command":["freeze"]}},{"exec":{"command":["flush"]}}],"post":[{"exec":{"command":["thaw"]}}]}]}})"));
  EXPECT_EQ(story, (std::vector<std::string>{"freeze", "flush", "thaw"}));
  EXPECT_FALSE(taken.has("pods", "a", "p"));
  story.clear();
  const Taken gone_on = collect_all(api, backup_of(R"({"hooks":{"resources":[{"name":"h",
    "pre":[{"exec":{"command":["freeze"]}},{"exec":{"command":["flush"],"onError":"Continue"}}],
    "post":[{"exec":{"command":["thaw"]}}]}]}})"));
  EXPECT_EQ(story, (std::vector<std::string>{"freeze", "flush", "thaw"}));
  EXPECT_TRUE(gone_on.has("pods", "a", "p"));
  EXPECT_EQ(gone_on.collected->hooks_failed, 1);
}

TEST(Collect, ATarballThatFailsThawsThePod) {
  kube::FakeApi api;
  api.seed_yaml(R"({apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a, annotations: {
      pre.hook.backup.velero.io/command: freeze, post.hook.backup.velero.io/command: thaw}},
    spec: {containers: [{name: c}]}, status: {phase: Running}})");
  std::vector<std::string> story;
  bool full = false;
  api.on_exec([&](const std::string&, const std::string&, const std::string&, const std::vector<std::string>& command) {
    story.push_back(command.back());
    full = true;
    return Result<kube::ExecResult>(kube::ExecResult());
  });
  // Enough noise behind the pod's hook that the packed stream has to leave the writer's buffers.
  json::object noise{{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}};
  noise["metadata"] =
      json::object{{"name", "c"}, {"namespace", "a"}, {"annotations", json::object{{"x", random_hex(200'000)}}}};
  api.seed(noise);
  json::value pod = api.peek(kube::types::pods(), "a", "p");
  json::set(pod.get_object(), {"spec", "volumes"},
            json::array{json::object{{"name", "v"}, {"persistentVolumeClaim", json::object{{"claimName", "c"}}}}});
  ASSERT_TRUE(api.update(kube::types::pods(), "a", pod).ok());
  Result<TarballWriter> writer = TarballWriter::create(
      [&](std::string_view) -> Status { return full ? Status(Error(ErrorCode::exhausted, "disk full")) : Status(); },
      Time());
  Findings findings{log::Logger()};
  CollectOptions options;
  options.backup = backup_of("{}");
  EXPECT_TRUE(collect(api, options, *writer, nullptr, findings).is(ErrorCode::exhausted));
  EXPECT_EQ(story, (std::vector<std::string>{"freeze", "thaw"}));
}

TEST(Collect, AFailedVolumeIsAnError) {
  kube::FakeApi api;
  fixture::load(api, fixture::tarball("1.14/bucket/oadp/backups/b3/b3.tar.gz"));
  FakeVolumeBackups volumes;
  volumes.failing = {"pgdata"};
  const Taken taken = collect_all(api, fixture::backup("1.14/bucket/oadp/backups/b3"), &volumes);
  ASSERT_TRUE(taken.collected.ok());
  EXPECT_EQ(taken.results.errors.namespaces.at("web-app2").size(), 1U);
}

TEST(Collect, AFailingListIsAnErrorAndTheRestGoesOn) {
  const std::string directory = "1.14/bucket/oadp/backups/b3";
  struct Case {
    ErrorCode code;
    size_t errors;
    size_t warnings;
    int times;
  };
  // Once: conflict starts anew, unavailable is tried again. For ever: an error. Gone types are a warning.
  for (const Case& c :
       {Case{ErrorCode::conflict, 0, 0, 1}, Case{ErrorCode::unavailable, 0, 0, 1}, Case{ErrorCode::denied, 1, 0, 1},
        Case{ErrorCode::not_found, 0, 1, 1}, Case{ErrorCode::unavailable, 2, 0, 1000}}) {
    kube::FakeApi api;
    fixture::load(api, fixture::tarball(directory + "/b3.tar.gz"));
    kube::FakeApi::Fault fault;
    fault.verb = "list";
    fault.resource = "services";
    fault.times = c.times;
    fault.error = Error(c.code, "told to fail");
    api.inject(fault);
    FakeVolumeBackups volumes;
    const Taken taken = collect_all(api, fixture::backup(directory), &volumes);
    ASSERT_TRUE(taken.collected.ok());
    EXPECT_EQ(taken.results.errors.count(), c.errors) << to_string(c.code);
    EXPECT_EQ(taken.results.warnings.count(), c.warnings) << to_string(c.code);
    EXPECT_TRUE(taken.has("deployments.apps", "web-app1", "web"));
    EXPECT_EQ(taken.has("services", "web-app1", "web"), c.times == 1 && c.errors == 0 && c.warnings == 0);
  }
}

TEST(Collect, RestartsAListWhoseTokenIsTooOld) {
  kube::FakeApi api;
  for (int i = 0; i < 1200; ++i) {
    api.seed(json::object{{"apiVersion", "v1"},
                          {"kind", "ConfigMap"},
                          {"metadata", json::object{{"name", "c" + std::to_string(i)}, {"namespace", "a"}}}});
  }
  kube::FakeApi::Fault fault;
  fault.verb = "list";
  fault.resource = "configmaps";
  fault.nth = 2;
  fault.meanwhile = [&] { api.compact(); };
  api.inject(fault);
  const Taken taken = collect_all(api, backup_of(R"({"includedNamespaces":["a"]})"));
  ASSERT_TRUE(taken.collected.ok());
  EXPECT_EQ(taken.results.errors.count(), 0U);
  EXPECT_EQ(taken.collected->resource_list.at("v1/ConfigMap").size(), 1200U);
  EXPECT_GT(api.count("list", "configmaps"), 3U);
}

TEST(Collect, DeploymentConfigsLearnOfTheirPods) {
  kube::FakeApi api;
  kube::ResourceType type = kube::types::pods();
  type.group = "apps.openshift.io";
  type.plural = "deploymentconfigs";
  type.kind = "DeploymentConfig";
  type.singular = "deploymentconfig";
  type.short_names = {"dc"};
  api.add_type(type);
  api.seed_yaml(R"(
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: d, namespace: a},
 spec: {replicas: 2, selector: {app: d}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d-1, namespace: a, labels: {app: d, x: y},
 annotations: {backup.velero.io/backup-volumes: v}}}
)");
  const Taken taken = collect_all(api, backup_of("{}"));
  const Tarball::Entry* entry = taken.tarball->find({"deploymentconfigs.apps.openshift.io", "a", "d"});
  ASSERT_NE(entry, nullptr);
  const json::object config = taken.tarball->object(*entry).value();
  EXPECT_EQ(annotation(config, "oadp.openshift.io/pods-have-volumes"), "true");
  EXPECT_EQ(annotation(config, "oadp.openshift.io/has-pod-restore-hooks"), "false");
  EXPECT_EQ(annotation(config, "oadp.openshift.io/pod-labels"), "app=d,x=y");
  EXPECT_TRUE(has_annotation(config, "openshift.io/backup-server-version"));
}

TEST(Collect, APolicyThatWasNotGivenIsRefused) {
  kube::FakeApi api;
  const Taken taken = collect_all(api, backup_of(R"({"resourcePolicy":{"kind":"configmap","name":"p"}})"));
  EXPECT_TRUE(taken.collected.is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::backup
