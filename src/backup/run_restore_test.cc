#include "backup/run_restore.h"

#include <gtest/gtest.h>

#include "backup/fake_volumes.h"
#include "backup/json_edit.h"
#include "backup/run_backup.h"
#include "base/fake_clock.h"
#include "base/yaml.h"
#include "objstore/fault.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

const kube::ResourceType& type_of(kube::FakeApi& api, const std::string& group_resource) {
  static std::map<std::string, kube::ResourceType> known;
  for (const kube::ResourceType& type : api.discover().value()) known.emplace(type.group_resource(), type);
  return known.at(group_resource);
}

/// An empty cluster, a store with the fixtures' backups, and a Restore to fill in.
class RunRestore : public testing::Test {
 protected:
  RunRestore() : run_{.layout = velero::Layout::at("").value(), .restore = {}, .restore_wait = {}} {
    for (const std::string name : {"b1", "b2", "b3"}) {
      fixture::copy_files(store_, "1.14/bucket/oadp/backups/" + name, "backups/" + name);
    }
    fixture::copy_files(store_, "1.18/bucket/backups/b118", "backups/b118");
    run_.restore_wait.image = "localhost/holdfast:1";
    run_.restore.metadata.name = "r1";
    run_.restore.metadata.namespace_ = "velero";
    run_.restore.metadata.uid = "f931b8a8-d653-4b74-9627-ad2c1dabf1c1";
    run_.restore.spec.backup_name = "b2";
    run_.clock = &clock_;
  }
  /// What a namespace controller makes in every namespace.
  static void seed_namespace(kube::FakeApi& api, const std::string& ns) {
    api.seed(json::object{{"apiVersion", "v1"},
                          {"kind", "ServiceAccount"},
                          {"metadata", json::object{{"name", "default"}, {"namespace", ns}}}});
    api.seed(json::object{{"apiVersion", "v1"},
                          {"kind", "ConfigMap"},
                          {"metadata", json::object{{"name", "kube-root-ca.crt"}, {"namespace", ns}}},
                          {"data", json::object{{"ca.crt", "the target's own"}}}});
  }
  Result<RestoreOutcome> restore() { return run_restore(api_, store_, run_, &volumes_); }
  json::object peek(const std::string& type, const std::string& ns, const std::string& name) {
    const json::value found = api_.peek(type_of(api_, type), ns, name);
    return found.is_object() ? found.get_object() : json::object();
  }

  FakeClock clock_;
  kube::FakeApi api_{[this] {
    kube::FakeApiOptions options;
    options.clock = &clock_;
    return options;
  }()};
  objstore::MemStore store_;
  FakeVolumeRestores volumes_;
  RestoreRun run_;
};

std::string list_text(const velero::ResourceList& list) {
  return velero::encode_resource_list(list);
}

/// Velero's list for such a restore; namespaces that stood already are not in it.
velero::ResourceList golden_list(const std::string& restore, const std::string& replace_from = {},
                                 const std::string& replace_to = {}) {
  const std::string text =
      fixture::plain("1.14/bucket/oadp/restores/" + restore + "/restore-" + restore + "-resource-list.json.gz");
  velero::ResourceList list = velero::decode_resource_list(text).value();
  for (auto& [kind, names] : list) {
    for (std::string& name : names) {
      if (name == replace_from) name = replace_to;
    }
  }
  return list;
}

TEST_F(RunRestore, R1EqualsWhatVeleroRestored) {
  for (const std::string ns : {"web-app1", "web-app2"}) seed_namespace(api_, ns);
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok()) << outcome.error().to_string();
  EXPECT_EQ(outcome->phase, "Completed");
  // A warning for kube-root-ca.crt of each namespace, which the target's own controller had made already.
  EXPECT_EQ(velero::encode_results(outcome->results),
            fixture::plain("1.14/bucket/oadp/restores/r1/restore-r1-results.gz"));
  velero::ResourceList golden = golden_list("r1");
  golden.erase("v1/Namespace");
  EXPECT_EQ(list_text(outcome->resource_list), list_text(golden));
  const auto infos =
      velero::decode_restore_volume_infos(fixture::plain("1.14/bucket/oadp/restores/r1/r1-volumeinfo.json.gz")).value();
  ASSERT_EQ(outcome->volume_infos.size(), infos.size());
  for (const velero::RestoreVolumeInfo& info : infos) {
    EXPECT_TRUE(std::any_of(outcome->volume_infos.begin(), outcome->volume_infos.end(), [&](const auto& ours) {
      return ours.pvc_name == info.pvc_name && ours.pvc_namespace == info.pvc_namespace &&
             ours.pvr_info->snapshot_handle == info.pvr_info->snapshot_handle && ours.pvr_info->size > 0 &&
             ours.pvr_info->pod_name == info.pvr_info->pod_name;
    })) << info.pvc_name;
  }
}

/// What API server, scheduler and controllers add to a restored object, and our own differences from Velero.
json::object comparable(json::object object) {
  for (std::string_view field :
       {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences"}) {
    json::erase(object, {"metadata", field});
  }
  object.erase("status");
  for (std::string_view field : {"nodeName", "priority", "clusterIP", "clusterIPs", "volumeName"}) {
    json::erase(object, {"spec", field});
  }
  for (std::string_view name :
       {"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"}) {
    drop_annotation(object, name);
  }
  json::object* spec = pod_spec(object);
  if (spec == nullptr) return object;
  drop_objects(*spec, {"initContainers"},
               [](const json::object& one) { return json::string_at(one, {"name"}) == "restore-wait"; });
  return object;
}

TEST_F(RunRestore, R1sObjectsAreThoseThatVeleroMade) {
  ASSERT_TRUE(restore().ok());
  int compared = 0;
  for (const std::string file : {"r1-web-app1-all-objects-cluster2", "r1-web-app2-all-objects-cluster2"}) {
    const auto documents = yaml::parse_all(fixture::bytes("1.14/pods/" + file + ".yaml"));
    ASSERT_TRUE(documents.ok());
    for (const json::value& document : *documents) {
      for (const json::value& golden : json::array_at(document, {"items"})) {
        const std::string kind = json::string_at(golden, {"kind"});
        const std::string name = json::string_at(golden, {"metadata", "name"});
        // Made by the target's own controllers, or with ports it chose.
        if (kind == "Endpoints" || kind == "EndpointSlice" || name == "kube-root-ca.crt" || name == "default" ||
            name == "web-np" || kind == "Event") {
          continue;
        }
        json::object ours;
        for (const kube::ResourceType& type : api_.discover().value()) {
          if (type.kind != kind || type.api_version() != json::string_at(golden, {"apiVersion"})) continue;
          const json::value found = api_.peek(type, json::string_at(golden, {"metadata", "namespace"}), name);
          if (found.is_object()) ours = found.get_object();
        }
        EXPECT_TRUE(fixture::same_json(comparable(ours), comparable(golden.get_object()))) << kind << " " << name;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 12);
}

TEST_F(RunRestore, PodsWaitForTheirVolumes) {
  ASSERT_TRUE(restore().ok());
  const json::object pod = peek("pods", "web-app1", "web-575f5c74d4-gg44q");
  const json::array& inits = json::array_at(pod, {"spec", "initContainers"});
  ASSERT_EQ(inits.size(), 1U);
  EXPECT_EQ(json::string_at(inits[0], {"name"}), "restore-wait");
  EXPECT_EQ(json::string_at(inits[0], {"image"}), "localhost/holdfast:1");
  EXPECT_EQ(json::compact(*json::find(inits[0], {"command"})), R"(["holdfast","restore-helper"])");
  EXPECT_EQ(json::array_at(inits[0], {"args"})[0], json::value(run_.restore.metadata.uid));
  EXPECT_EQ(json::compact(*json::find(inits[0], {"volumeMounts"})),
            R"([{"name":"data","mountPath":"/restores/data"}])");
  ASSERT_EQ(volumes_.requests.size(), 2U);
  for (const PodVolumeRestoreRequest& request : volumes_.requests) {
    EXPECT_EQ(request.volumes.size(), request.pod == "db-0" ? 2U : 1U);
    EXPECT_FALSE(request.pod_uid.empty());
    EXPECT_FALSE(request.volumes[0].snapshot_id.empty());
  }
  EXPECT_EQ(peek("persistentvolumeclaims", "web-app1", "web-data").at("spec").get_object().contains("volumeName"),
            false);
  EXPECT_TRUE(api_.peek_all(kube::types::persistent_volumes()).empty());
}

TEST_F(RunRestore, R2MapsTheNamespace) {
  seed_namespace(api_, "web-app1-copy");
  run_.restore.metadata.name = "r2";
  run_.restore.spec.included_namespaces = {"web-app1"};
  run_.restore.spec.namespace_mapping = {{"web-app1", "web-app1-copy"}};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  // Nobody holds the node port here, as somebody did when Velero ran.
  velero::ResourceList golden = golden_list("r2", "web-app1-copy/web-np(failed)", "web-app1-copy/web-np(created)");
  golden.erase("v1/Namespace");
  EXPECT_EQ(list_text(outcome->resource_list), list_text(golden));
  const json::object binding = peek("rolebindings.rbac.authorization.k8s.io", "web-app1-copy", "web");
  EXPECT_EQ(json::string_at(json::array_at(binding, {"subjects"})[0], {"namespace"}), "web-app1-copy");
  ASSERT_EQ(volumes_.requests.size(), 1U);
  EXPECT_EQ(volumes_.requests[0].pod_namespace, "web-app1-copy");
  EXPECT_EQ(volumes_.requests[0].volumes[0].pod_namespace, "web-app1");
}

TEST_F(RunRestore, CustomResourcesComeAfterTheirDefinitions) {
  run_.restore.spec.backup_name = "b3";
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->results.errors.count(), 0U);
  EXPECT_EQ(outcome->resource_list.at("demo.example.com/v1/Widget"), velero::StringList{"web-app1/w1(created)"});
  EXPECT_EQ(outcome->resource_list.at("apiextensions.k8s.io/v1/CustomResourceDefinition").size(), 1U);
  EXPECT_EQ(json::string_at(peek("namespaces", "", "web-app1"), {"metadata", "labels", "team"}), "blue");
}

TEST_F(RunRestore, TypesThatTheTargetLacksAreOneWarning) {
  run_.restore.spec.backup_name = "b3";
  run_.restore.spec.excluded_resources = {"customresourcedefinitions.apiextensions.k8s.io"};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed");
  ASSERT_EQ(outcome->results.warnings.cluster.size(), 1U);
  EXPECT_NE(outcome->results.warnings.cluster[0].find("widgets.demo.example.com"), std::string::npos);
}

TEST_F(RunRestore, TheBackupOf118ComesBackWhole) {
  run_.restore.spec.backup_name = "b118";
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed");
  for (const auto& [kind, names] : outcome->resource_list) {
    for (const std::string& name : names) {
      EXPECT_TRUE(name.ends_with("(created)") || kind == "v1/PersistentVolume") << kind << " " << name;
    }
  }
  for (const PodVolumeRestoreRequest& request : volumes_.requests) EXPECT_EQ(request.volumes[0].uploader, "kopia");
}

TEST_F(RunRestore, DoneTwiceItChangesNothing) {
  ASSERT_TRUE(restore().ok());
  std::map<std::string, json::value> before;
  for (const kube::ResourceType& type : api_.discover().value()) {
    for (const json::value& object : api_.peek_all(type))
      before[type.group_resource() + json::string_at(object, {"metadata", "uid"})] = object;
  }
  volumes_.requests.clear();
  const Result<RestoreOutcome> again = restore();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->phase, "Completed");
  for (const kube::ResourceType& type : api_.discover().value()) {
    for (const json::value& object : api_.peek_all(type)) {
      EXPECT_EQ(before[type.group_resource() + json::string_at(object, {"metadata", "uid"})], object);
    }
  }
  EXPECT_TRUE(volumes_.requests.empty());
}

TEST_F(RunRestore, ExistingObjectsFollowThePolicy) {
  for (const std::string policy : {"none", "update"}) {
    kube::FakeApi api;
    FakeVolumeRestores volumes;
    api.seed_yaml(
        R"({apiVersion: v1, kind: Secret, metadata: {name: web-secret, namespace: web-app1}, data: {user: eA==, extra: eQ==}})");
    api.seed_yaml(
        R"({apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: web-app1, labels: {mine: "1"}}, secrets: [{name: web-live}]})");
    run_.restore.spec.existing_resource_policy = policy;
    const Result<RestoreOutcome> outcome = run_restore(api, store_, run_, &volumes);
    ASSERT_TRUE(outcome.ok());
    const bool update = policy == "update";
    EXPECT_EQ(outcome->resource_list.at("v1/Secret")[0],
              update ? "web-app1/web-secret(updated)" : "web-app1/web-secret(failed)");
    EXPECT_EQ(outcome->results.warnings.count(), update ? 0U : 1U);
    const json::value secret = api.peek(kube::types::secrets(), "web-app1", "web-secret");
    EXPECT_EQ(json::string_at(secret, {"data", "user"}), update ? "ZGVtbw==" : "eA==");
    EXPECT_EQ(json::find(secret, {"data", "extra"}) == nullptr, update);
    // Accounts are merged under either policy.
    const json::value account = api.peek(kube::types::service_accounts(), "web-app1", "web");
    EXPECT_EQ(json::string_at(account, {"metadata", "labels", "mine"}), "1");
    EXPECT_TRUE(json::find(account, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"}));
    EXPECT_EQ(json::array_at(account, {"secrets"}).size(), 1U);
  }
}

TEST_F(RunRestore, FiltersChoose) {
  run_.restore.spec.included_resources = {"cm", "deployments"};
  run_.restore.spec.excluded_namespaces = {"web-app2"};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  const velero::ResourceList wanted = {
      {"apps/v1/Deployment", {"web-app1/web(created)"}},
      {"v1/ConfigMap", {"web-app1/kube-root-ca.crt(created)", "web-app1/web-config(created)"}},
      {"v1/Namespace", {"web-app1(created)"}}};
  EXPECT_EQ(list_text(outcome->resource_list), list_text(wanted));
}

TEST_F(RunRestore, PodsBringTheirClaims) {
  run_.restore.spec.included_resources = {"pods", "pvc"};
  run_.restore.spec.label_selector = velero::LabelSelector{{{"pod-template-hash", "575f5c74d4"}}, {}, {}};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->resource_list.at("v1/PersistentVolumeClaim"), velero::StringList{"web-app1/web-data(created)"});
}

TEST_F(RunRestore, WithoutVolumesNoPodWaits) {
  run_.restore.spec.restore_pvs = false;
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(json::find(peek("pods", "web-app2", "db-0"), {"spec", "initContainers"}), nullptr);
  EXPECT_TRUE(volumes_.requests.empty());
}

TEST_F(RunRestore, VolumesThatNobodyMovesAreAnError) {
  const Result<RestoreOutcome> outcome = run_restore(api_, store_, run_, nullptr);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  EXPECT_EQ(outcome->results.errors.velero.size(), 1U);
}

TEST_F(RunRestore, OnOpenShiftConfigsAreHeldUntilTheEnd) {
  kube::ResourceType type = kube::types::pods();
  type.group = "apps.openshift.io";
  type.plural = "deploymentconfigs";
  type.kind = "DeploymentConfig";
  type.singular = "deploymentconfig";
  type.short_names = {"dc"};
  kube::FakeApi source;
  source.add_type(type);
  source.seed_yaml(R"(
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: d, namespace: a}, spec: {replicas: 2, selector: {app: d}}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: d-1, namespace: a, ownerReferences: [{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, name: d, uid: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d-1-x, namespace: a, labels: {app: d, deploymentconfig: d, deployment: d-1},
  annotations: {backup.velero.io/backup-volumes: v, openshift.io/deployment-config.name: d},
  ownerReferences: [{apiVersion: v1, kind: ReplicationController, name: d-1, uid: y}]},
  spec: {nodeName: n, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]}, status: {phase: Running}}
)");
  BackupRun backup{.layout = run_.layout};
  backup.collect.backup.metadata.name = "dc";
  backup.collect.backup.spec.included_namespaces = {"a"};
  FakeVolumeBackups saved;
  ASSERT_TRUE(run_backup(source, store_, backup, &saved).ok());
  ASSERT_EQ(saved.requests.size(), 1U);

  api_.add_type(type);
  run_.restore.spec.backup_name = "dc";
  int waited = 0;
  volumes_.before_done = [&] {
    ++waited;
    EXPECT_EQ(json::int_at(api_.peek(type, "a", "d"), {"spec", "replicas"}, 9), 0);
    EXPECT_TRUE(api_.peek(kube::types::pods(), "a", "d-1-x").is_object());
  };
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed") << velero::encode_results(outcome->results);
  EXPECT_EQ(waited, 1);
  EXPECT_FALSE(outcome->resource_list.contains("v1/ReplicationController"));
  ASSERT_EQ(volumes_.requests.size(), 1U);
  EXPECT_EQ(json::int_at(api_.peek(type, "a", "d"), {"spec", "replicas"}), 2);
  EXPECT_TRUE(api_.peek(kube::types::pods(), "a", "d-1-x").is_null());
}

TEST_F(RunRestore, AFailedVolumeIsAnError) {
  volumes_.errors = {"volume data: no such snapshot"};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
}

TEST_F(RunRestore, StatusComesBackWhereAsked) {
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(json::string_at(peek("deployments.apps", "web-app1", "web"), {"status", "readyReplicas"}), "");
  EXPECT_EQ(json::int_at(peek("deployments.apps", "web-app1", "web"), {"status", "readyReplicas"}), 0);
  kube::FakeApi api;
  FakeVolumeRestores volumes;
  run_.restore.spec.restore_status = velero::RestoreStatusSpec{{"deploy"}, {}, {}};
  ASSERT_TRUE(run_restore(api, store_, run_, &volumes).ok());
  EXPECT_EQ(json::int_at(api.peek(type_of(api_, "deployments.apps"), "web-app1", "web"), {"status", "readyReplicas"}),
            1);
  EXPECT_EQ(json::int_at(api.peek(type_of(api_, "statefulsets.apps"), "web-app2", "db"), {"status", "readyReplicas"}),
            0);
}

TEST_F(RunRestore, WaitsForATerminatingNamespace) {
  api_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: web-app1, finalizers: [slow/one]}}");
  ASSERT_TRUE(api_.remove(kube::types::namespaces(), "", "web-app1").ok());
  run_.terminating_wait = std::chrono::seconds(3);
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  EXPECT_EQ(outcome->results.errors.namespaces.at("web-app1").size(), 1U);
  EXPECT_FALSE(outcome->resource_list.at("apps/v1/StatefulSet").empty());
}

TEST_F(RunRestore, RunsHooksInRestoredPods) {
  run_.restore.spec.hooks.resources.push_back({});
  velero::RestoreResourceHookSpec& spec = run_.restore.spec.hooks.resources.back();
  spec.name = "warm-up";
  spec.included_namespaces = {"web-app2"};
  velero::RestoreResourceHook hook;
  hook.exec.emplace();
  hook.exec->container = "db";
  hook.exec->command = {"warm", "up"};
  hook.exec->wait_timeout = std::chrono::minutes(1);
  spec.post_hooks = {hook};
  std::atomic<int> ran = 0;
  api_.on_exec([&](const std::string&, const std::string& pod, const std::string& container,
                   const std::vector<std::string>& command) {
    if (pod == "db-0" && container == "db" && command == std::vector<std::string>{"warm", "up"}) ++ran;
    return Result<kube::ExecResult>(kube::ExecResult());
  });
  // The pod's container starts when the third look at it is made.
  kube::FakeApi::Fault starts;
  starts.verb = "get";
  starts.resource = "pods";
  starts.name = "db-0";
  starts.nth = 3;
  starts.meanwhile = [&] {
    json::value pod = api_.peek(kube::types::pods(), "web-app2", "db-0");
    pod.get_object()["status"] =
        json::parse(R"({"phase":"Running","containerStatuses":[{"name":"db","state":{"running":{}}}]})").value();
    ASSERT_TRUE(api_.update(kube::types::pods(), "web-app2", pod, {.subresource = "status"}).ok());
  };
  api_.inject(starts);
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed") << velero::encode_results(outcome->results);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(outcome->hooks_attempted, 1);
  EXPECT_EQ(outcome->hooks_failed, 0);
}

TEST_F(RunRestore, AHookWhosePodNeverRunsFails) {
  run_.restore.spec.hooks.resources.push_back({});
  velero::RestoreResourceHook hook;
  hook.exec.emplace();
  hook.exec->command = {"true"};
  hook.exec->wait_timeout = std::chrono::seconds(30);
  run_.restore.spec.hooks.resources.back().post_hooks = {hook};
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  EXPECT_EQ(outcome->hooks_failed, 2);
}

TEST_F(RunRestore, WritesItsFiles) {
  ASSERT_TRUE(restore().ok());
  const auto files = store_.contents();
  for (const std::string name : {"restore-r1-logs.gz", "restore-r1-results.gz", "restore-r1-resource-list.json.gz",
                                 "restore-r1-itemoperations.json.gz", "r1-volumeinfo.json.gz"}) {
    EXPECT_TRUE(files.contains("restores/r1/" + name)) << name;
  }
}

TEST_F(RunRestore, AReadOnlyLocationIsEnough) {
  auto inner = std::make_shared<objstore::MemStore>();
  fixture::copy_files(*inner, "1.14/bucket/oadp/backups/b2", "backups/b2");
  objstore::FaultStore read_only(inner);
  read_only.add(
      {.operation = objstore::Operation::put, .kind = objstore::Fault::Kind::refuse, .code = ErrorCode::denied});
  const Result<RestoreOutcome> outcome = run_restore(api_, read_only, run_, &volumes_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed");
}

TEST_F(RunRestore, MissingAndBrokenFilesAreNamed) {
  struct Case {
    std::string file;
    std::optional<std::string> bytes;
    ErrorCode code;
  };
  for (const Case& c :
       {Case{"velero-backup.json", {}, ErrorCode::not_found}, Case{"b2.tar.gz", {}, ErrorCode::not_found},
        Case{"b2.tar.gz", "no tarball", ErrorCode::corrupt},
        Case{"b2-volumeinfo.json.gz", "no gzip", ErrorCode::corrupt},
        Case{"velero-backup.json", "{}", ErrorCode::invalid}}) {
    objstore::MemStore store;
    fixture::copy_files(store, "1.14/bucket/oadp/backups/b2", "backups/b2");
    ASSERT_TRUE(store.remove("backups/b2/" + c.file).ok());
    if (c.bytes) {
      ASSERT_TRUE(store.put("backups/b2/" + c.file, *c.bytes).ok());
    }
    api_.forget_calls();
    const Result<RestoreOutcome> outcome = run_restore(api_, store, run_, &volumes_);
    EXPECT_TRUE(outcome.is(c.code)) << c.file << (outcome.ok() ? "" : outcome.error().to_string());
    EXPECT_EQ(api_.count("create"), 0U);
  }
}

TEST_F(RunRestore, ABackupOfOldVeleroWithoutTheNewerFilesComesBack) {
  objstore::MemStore store;
  fixture::copy_files(store, "1.14/bucket/oadp/backups/b2", "backups/b2");
  ASSERT_TRUE(store.remove("backups/b2/b2-volumeinfo.json.gz").ok());
  const Result<RestoreOutcome> outcome = run_restore(api_, store, run_, &volumes_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed");
  EXPECT_EQ(volumes_.requests.size(), 2U);
  EXPECT_TRUE(api_.peek_all(kube::types::persistent_volumes()).empty());
}

TEST_F(RunRestore, EveryFailingApiCallIsGotOverOrReported) {
  int calls = 0;
  {
    kube::FakeApi counted;
    FakeVolumeRestores volumes;
    ASSERT_TRUE(run_restore(counted, store_, run_, &volumes).ok());
    calls = static_cast<int>(counted.calls().size());
  }
  ASSERT_GT(calls, 30);
  for (const ErrorCode code : {ErrorCode::unavailable, ErrorCode::conflict, ErrorCode::denied}) {
    for (int n = 1; n <= calls; ++n) {
      kube::FakeApiOptions options;
      options.clock = &clock_;
      kube::FakeApi api(options);
      kube::FakeApi::Fault fault;
      fault.nth = n;
      fault.error = Error(code, "told to fail");
      if (code == ErrorCode::unavailable) fault.when = n % 2 == 0 ? kube::FakeApi::Fault::When::after : fault.when;
      api.inject(fault);
      FakeVolumeRestores volumes;
      const Result<RestoreOutcome> outcome = run_restore(api, store_, run_, &volumes);
      if (!outcome) continue;
      const size_t told = outcome->results.errors.count() + outcome->results.warnings.count();
      const bool all = api.peek_all(kube::types::pods()).size() == 2 &&
                       api.peek_all(kube::types::secrets()).size() == 1 &&
                       api.peek_all(kube::types::config_maps()).size() == 3 &&
                       api.peek_all(kube::types::persistent_volume_claims()).size() == 2;
      EXPECT_TRUE(told > 0 || all) << to_string(code) << " at call " << n;
      if (code == ErrorCode::unavailable) {
        EXPECT_TRUE(all) << "at call " << n;
        EXPECT_EQ(volumes.requests.size(), 2U) << "at call " << n;
      }
    }
  }
}

TEST_F(RunRestore, ModifiersChangeObjects) {
  run_.restore.spec.resource_modifier = velero::TypedLocalReference{"configmap", "m", {}};
  EXPECT_TRUE(restore().is(ErrorCode::invalid));
  run_.resource_modifier = R"(
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  patches: [{operation: replace, path: /spec/replicas, value: "0"}]
)";
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "Completed");
  EXPECT_EQ(json::int_at(peek("deployments.apps", "web-app1", "web"), {"spec", "replicas"}, 9), 0);
  EXPECT_EQ(json::int_at(peek("statefulsets.apps", "web-app2", "db"), {"spec", "replicas"}, 9), 1);
}

TEST_F(RunRestore, AStopEndsIt) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(run_restore(api_, store_, run_, &volumes_, stop.get_token()).ok());
  EXPECT_EQ(api_.count("create"), 0U);
}

TEST_F(RunRestore, WithoutAnImageNoPodWithVolumesIsMade) {
  run_.restore_wait.image.clear();
  const Result<RestoreOutcome> outcome = restore();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  EXPECT_TRUE(api_.peek_all(kube::types::pods()).empty());
}

}  // namespace
}  // namespace holdfast::backup
