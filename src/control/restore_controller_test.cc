#include "control/restore_controller.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "control/backup_controller.h"
#include "control/test_site.h"
#include "node/agent.h"
#include "node/restore_marks.h"
#include "velero/restore_options.h"

namespace holdfast::control {
namespace {

using testing::Contains;
using testing::HasSubstr;

kube::ResourceType deployment_configs() {
  kube::ResourceType type = kube::types::pods();
  type.group = "apps.openshift.io";
  type.plural = "deploymentconfigs";
  type.kind = "DeploymentConfig";
  type.singular = "deploymentconfig";
  type.short_names = {"dc"};
  return type;
}

constexpr const char* kConfigMap =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {a: b}}";

constexpr const char* kPod = R"(
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: books, namespace: web}, spec: {volumeName: pv-1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: web, annotations: {backup.velero.io/backup-volumes: v}}, spec: {nodeName: n1, containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: books}}]}, status: {phase: Running}}
)";
constexpr const char* kConfig = R"(
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: d, namespace: web}, spec: {replicas: 2, selector: {app: d}, template: {spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: films}}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: films, namespace: web}, spec: {volumeName: pv-2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d-1-x, namespace: web, labels: {app: d, deploymentconfig: d, deployment: d-1}, annotations: {backup.velero.io/backup-volumes: v, openshift.io/deployment-config.name: d}, ownerReferences: [{apiVersion: v1, kind: ReplicationController, name: d-1, uid: y}]}, spec: {nodeName: n1, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: films}}]}, status: {phase: Running}}
)";

/// Scheduler, kubelet and node agent in one: what they would do is done by a thread at once.
class Kubelet {
 public:
  explicit Kubelet(kube::FakeApi& api, bool agent = true) : api_(api) {
    if (agent) {
      api.seed_yaml(
          "{apiVersion: v1, kind: Pod, metadata: {name: node-agent-x, namespace: velero, labels: {name: node-agent}}, "
          "spec: {nodeName: n1}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}");
    }
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (system_clock().sleep(stop, std::chrono::milliseconds(1))) work();
    });
  }

 private:
  void work() {
    for (const json::value& pod : api_.peek_all(kube::types::pods())) {
      if (json::string_at(pod, {"spec", "nodeName"}).empty())
        patch(kube::types::pods(), pod, R"({"spec":{"nodeName":"n1"}})");
    }
    const kube::ResourceType& restores = kube::types::velero("podvolumerestores");
    for (const json::value& one : api_.peek_all(restores, "velero")) {
      if (json::string_at(one, {"status", "phase"}).empty())
        patch(restores, one, R"({"status":{"phase":"Completed"}})");
    }
    const kube::ResourceType& backups = kube::types::velero("podvolumebackups");
    for (const json::value& one : api_.peek_all(backups, "velero")) {
      if (json::string_at(one, {"status", "phase"}).empty())
        patch(backups, one, R"({"status":{"phase":"Completed","snapshotID":"5ea1ed"}})");
    }
  }
  void patch(const kube::ResourceType& type, const json::value& object, const char* text) {
    // It may be gone by now, or a fault be meant for somebody else: there is a next time.
    (void)api_
        .patch(type, json::string_at(object, {"metadata", "namespace"}), json::string_at(object, {"metadata", "name"}),
               kube::PatchKind::merge, *json::parse(text))
        .ok();
  }
  kube::FakeApi& api_;
  std::jthread thread_;
};

class RestoreControllerTest : public testing::Test, protected TestSite {
 protected:
  RestoreControllerTest() { prepare(*this); }
  static void prepare(TestSite& site) {
    site.options.restore_wait.image = "localhost/holdfast:1";
    // Time jumps here, and the kubelet's thread does not.
    site.options.schedule_wait = site.options.fs_backup_timeout = std::chrono::hours(100'000);
    site.api.add_type(deployment_configs());
  }
  /// As the queue does; gives up after many tries.
  static void work(TestSite& site, RestoreController& controller, const std::string& name) {
    for (int i = 0; i < 2000; ++i) {
      const Result<kube::After> after = controller.reconcile(name, {});
      if (after.ok() && !after->delay.has_value()) return;
      ASSERT_TRUE(site.clock.sleep({}, after.ok() ? *after->delay : std::chrono::seconds(1)).ok());
    }
  }
  velero::Restore restore(const std::string& name, const std::string& spec, const std::string& metadata = "") {
    api.seed_yaml("{apiVersion: velero.io/v1, kind: Restore, metadata: {name: " + name + ", namespace: velero" +
                  metadata + "}, spec: " + spec + "}");
    RestoreController controller(context, sync);
    work(*this, controller, name);
    return get<velero::Restore>(name);
  }
  /// Makes a backup of the site's namespace web, labelled as the schedule's.
  static void back_up(TestSite& site, const std::string& name) {
    site.api.seed_yaml("{apiVersion: velero.io/v1, kind: Backup, metadata: {name: " + name +
                       ", namespace: velero, labels: {velero.io/schedule-name: s}}, spec: {includedNamespaces: "
                       "[web]}}");
    BackupController controller(site.context);
    ASSERT_TRUE(controller.reconcile(name, {}).ok());
    ASSERT_EQ(site.get<velero::Backup>(name).status.phase, "Completed");
    site.clock.advance(std::chrono::minutes(5));
  }
  void back_up_location() {
    make_location("default", directory.path());
    api.seed_yaml(kConfigMap);
    back_up(*this, "s-1");
  }
  /// Backup b of a pod with a claim; the namespace is gone afterwards.
  void save_pod() {
    make_location("default", directory.path());
    api.seed_yaml(kConfigMap);
    api.seed_yaml(kPod);
    back_up(*this, "b");
    for (const auto* type :
         {&kube::types::pods(), &kube::types::persistent_volume_claims(), &kube::types::config_maps()}) {
      for (const json::value& object : api.peek_all(*type, "web"))
        ASSERT_TRUE(api.remove(*type, "web", json::string_at(object, {"metadata", "name"})).ok());
    }
  }
  TestDirectory directory;
  BackupSync sync{context};
};

TEST_F(RestoreControllerTest, AScheduleMeansTheNewestBackupThoughOnlyTheOldestIsKnown) {
  TestSite east;
  east.make_location("default", directory.path());
  east.api.seed_yaml(kConfigMap);
  for (const std::string name : {"s-1", "s-2", "s-3"}) back_up(east, name);
  make_location("default", directory.path());
  velero::Backup oldest = east.get<velero::Backup>("s-1");
  oldest.metadata.resource_version.clear();
  oldest.metadata.uid.clear();
  ASSERT_TRUE(context.objects.create(oldest).ok());
  const auto done = restore("r", "{scheduleName: s}");
  EXPECT_EQ(done.status.phase, "Completed") << done.status.failure_reason;
  EXPECT_EQ(done.spec.backup_name, "s-3");
}

TEST_F(RestoreControllerTest, ALocationThatCannotBeListedKeepsTheNewestUnknown) {
  back_up_location();
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: far, namespace: velero}, spec: "
      "{provider: nosuch, objectStorage: {bucket: b}}}");
  const auto done = restore("r", "{scheduleName: s}");
  EXPECT_EQ(done.status.phase, "FailedValidation");
  EXPECT_THAT(done.status.validation_errors, Contains(HasSubstr("backup location far")));
  EXPECT_EQ(restore("r2", "{backupName: s-1}").status.phase, "Completed");
}

TEST_F(RestoreControllerTest, APartiallyFailedBackupOfAScheduleIsChosenWhereAllowed) {
  back_up_location();
  back_up(*this, "s-2");
  patch("backups", "s-2", R"({"status":{"phase":"PartiallyFailed"}})");
  EXPECT_EQ(restore("r", "{scheduleName: s}").spec.backup_name, "s-1");
  const auto allowed =
      restore("r2", "{scheduleName: s}",
              ", annotations: {" + std::string(velero::annotation::kAllowPartiallyFailed) + ": 'true'}");
  EXPECT_EQ(allowed.spec.backup_name, "s-2");
}

TEST_F(RestoreControllerTest, ASettingOfSparseFilesReachesTheAgent) {
  const Kubelet kubelet(api);
  save_pod();
  EXPECT_EQ(restore("r", "{backupName: b, uploaderConfig: {writeSparseFiles: false}}").status.phase, "Completed");
  const auto volumes = all<velero::PodVolumeRestore>();
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_EQ(volumes[0].spec.uploader_settings.at("WriteSparseFiles"), "false");
  EXPECT_EQ(volumes[0].metadata.annotation(velero::annotation::kPvcName), "books");
}

TEST_F(RestoreControllerTest, AWaitingPodIsToldThatNoAgentWillCome) {
  {
    const Kubelet kubelet(api);
    save_pod();
  }
  ASSERT_TRUE(api.remove(kube::types::pods(), "velero", "node-agent-x").ok());
  const Kubelet kubelet(api, false);
  std::atomic<int> told = 0;
  api.on_exec([&](const std::string& ns, const std::string& pod, const std::string& container,
                  const std::vector<std::string>& command) -> Result<kube::ExecResult> {
    EXPECT_EQ(ns + "/" + pod + "/" + container, "web/p/restore-wait");
    EXPECT_THAT(command, Contains("--give-up=no node agent runs on node n1"));
    // The container does not run yet when it is told first.
    if (++told == 1) return Error(ErrorCode::invalid, "container not found");
    return kube::ExecResult();
  });
  const auto done = restore("r", "{backupName: b}");
  EXPECT_EQ(done.status.phase, "PartiallyFailed");
  EXPECT_EQ(told, 2);
}

TEST_F(RestoreControllerTest, AnEndThatIsRefusedIsLoggedAndNotTriedForEver) {
  back_up_location();
  for (const ErrorCode code : {ErrorCode::denied, ErrorCode::unavailable}) {
    const std::string name = code == ErrorCode::denied ? "refused" : "down";
    api.seed_yaml("{apiVersion: velero.io/v1, kind: Restore, metadata: {name: " + name +
                  ", namespace: velero}, spec: {backupName: s-1}}");
    kube::FakeApi::Fault fault;
    fault.verb = "patch";
    fault.resource = "restores.velero.io";
    fault.nth = 2;  // the first sets InProgress
    fault.times = 300;
    fault.error = Error(code, "told to fail");
    api.inject(fault);
    RestoreController controller(context, sync);
    const auto after = controller.reconcile(name, {});
    api.clear_faults();
    EXPECT_EQ(after.ok(), code == ErrorCode::unavailable);
    EXPECT_EQ(get<velero::Restore>(name).status.phase, after.ok() ? "Completed" : "InProgress");
  }
  const std::string text = lines->text();
  EXPECT_THAT(text, HasSubstr("is refused by the API server"));
  size_t said = 0;
  for (size_t at = text.find("is not written"); at != std::string::npos; at = text.find("is not written", at + 1))
    ++said;
  EXPECT_GE(said, 2U);
  EXPECT_LE(said, 4U) << "two and a half minutes, once a minute";
}

/// Everything that matters of a restored site.
void expect_whole(TestSite& site, const std::string& where) {
  const auto done = site.get<velero::Restore>("r");
  EXPECT_EQ(done.status.phase, "Completed") << where << ": " << done.status.failure_reason << site.lines->text();
  EXPECT_TRUE(site.api.peek(kube::types::config_maps(), "web", "c").is_object()) << where;
  EXPECT_TRUE(site.api.peek(kube::types::pods(), "web", "p").is_object()) << where;
  EXPECT_TRUE(site.api.peek(kube::types::pods(), "web", "d-1-x").is_null()) << where;
  EXPECT_EQ(json::int_at(site.api.peek(deployment_configs(), "web", "d"), {"spec", "replicas"}), 2) << where;
  std::set<std::string> filled;
  for (const velero::PodVolumeRestore& pvr : site.all<velero::PodVolumeRestore>()) {
    EXPECT_EQ(pvr.status.phase, "Completed") << where;
    EXPECT_TRUE(filled.insert(pvr.metadata.annotation(velero::annotation::kPvcName)).second)
        << where << ": a volume was filled twice";
  }
  EXPECT_EQ(filled.size(), 2U) << where;
}

TEST_F(RestoreControllerTest, KilledAnywhereTheNextLeaderGoesOnAndCompletes) {
  {
    const Kubelet kubelet(api);
    api.seed_yaml(kConfig);
    save_pod();
  }
  // Later calls are looks at volumes that go on.
  for (int n = 1; n < 200; n += 1 + n / 8) {
    TestSite west;
    prepare(west);
    west.make_location("default", directory.path());
    west.api.seed_yaml(
        "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: "
        "{backupName: b}}");
    BackupSync own(west.context);
    const auto location = west.locations.get("default");
    ASSERT_TRUE(own.sync(*location, {}).ok());
    std::stop_source killer;
    {
      const Kubelet kubelet(west.api);
      west.api.forget_calls();
      kube::FakeApi::Fault dead;
      dead.nth = n;
      dead.times = 1'000'000;
      dead.error = Error(ErrorCode::unavailable, "this process is dead");
      dead.meanwhile = [&] { killer.request_stop(); };
      west.api.inject(dead);
      RestoreController first(west.context, own);
      for (int i = 0; i < 5 && !killer.stop_requested(); ++i) {
        const auto after = first.reconcile("r", killer.get_token());
        if (after.ok() && !after->delay.has_value()) break;
      }
    }
    west.api.clear_faults();
    const Kubelet kubelet(west.api, false);
    RestoreController next(west.context, own);
    ASSERT_TRUE(next.take_over({}).ok());
    work(west, next, "r");
    expect_whole(west, fmt::format("killed at call {}", n));
    if (HasFailure()) return;
  }
}

TEST_F(RestoreControllerTest, ARestoreThatTakesEveryControllerDownEnds) {
  back_up_location();
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero, annotations: "
      "{holdfast.dev/resumed: '5'}}, spec: {backupName: s-1}, status: {phase: InProgress}}");
  RestoreController controller(context, sync);
  ASSERT_TRUE(controller.take_over({}).ok());
  work(*this, controller, "r");
  const auto done = get<velero::Restore>("r");
  EXPECT_EQ(done.status.phase, "Failed");
  EXPECT_THAT(done.status.failure_reason, HasSubstr("its controller was lost 6 times"));
}

/// What a kubelet does for pods that wait, on this machine's disk.
void settle_pod(kube::FakeApi& api, const std::string& host_pods, const json::value& pod) {
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  const std::string directory = host_pods + "/" + json::string_at(pod, {"metadata", "uid"}) + "/volumes/";
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    const std::string name = json::string_at(volume, {"name"});
    std::filesystem::create_directories(
        directory + (claim.empty() ? "kubernetes.io~empty-dir/" + name : "kubernetes.io~csi/pv-" + claim + "/mount"));
    if (claim.empty()) continue;
    (void)api
        .patch(kube::types::persistent_volume_claims(), ns, claim, kube::PatchKind::merge,
               *json::parse(R"({"spec":{"volumeName":"pv-)" + claim + "\"}}"))
        .ok();
  }
  const std::string name = json::string_at(pod, {"metadata", "name"});
  const json::value bound = *json::parse(R"({"spec":{"nodeName":"n1"}})");
  const json::value status =
      *json::parse(R"({"status":{"initContainerStatuses":[{"name":"restore-wait","state":{"running":{}}}]}})");
  EXPECT_TRUE(api.patch(kube::types::pods(), ns, name, kube::PatchKind::merge, bound).ok());
  EXPECT_TRUE(api.patch(kube::types::pods(), ns, name, kube::PatchKind::merge, status, {.subresource = "status"}).ok());
}

TEST_F(RestoreControllerTest, VolumesThatKopiaWroteAreRefusedByNameAndNoPodWaitsOn) {
  directory.copy_fixture("1.18/bucket/backups/b118", "backups/b118");
  make_location("default", directory.path());
  api.seed_yaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: node-agent-x, namespace: velero, labels: {name: node-agent}}, "
      "spec: {nodeName: n1}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}");
  const TestDirectory node;
  std::jthread agent([&](const std::stop_token& stop) {
    node::AgentOptions own;
    own.work.node = "n1";
    own.work.host_pods = node.path();
    own.work.mounted = [](const std::string&) -> Result<bool> { return true; };
    own.wait_look = std::chrono::milliseconds(5);
    EXPECT_TRUE(node::run_agent(api, system_clock(), log::Logger(lines), metrics, own, stop).ok());
  });
  std::jthread kubelet([&](const std::stop_token& stop) {
    while (system_clock().sleep(stop, std::chrono::milliseconds(1))) {
      for (const json::value& pod : api.peek_all(kube::types::pods())) {
        if (json::string_at(pod, {"spec", "nodeName"}).empty()) settle_pod(api, node.path(), pod);
      }
    }
  });
  const auto done = restore("r", "{backupName: b118}");
  EXPECT_EQ(done.status.phase, "PartiallyFailed");
  const auto volumes = all<velero::PodVolumeRestore>();
  EXPECT_EQ(volumes.size(), 3U);
  for (const velero::PodVolumeRestore& pvr : volumes) {
    EXPECT_EQ(pvr.status.phase, "Failed");
    EXPECT_THAT(pvr.status.message, HasSubstr("uploader kopia wrote this volume's data"));
  }
  size_t waiting = 0;
  for (const json::value& pod : api.peek_all(kube::types::pods())) {
    if (json::array_at(pod, {"spec", "initContainers"}).empty()) continue;
    const std::string own = node.path() + "/" + json::string_at(pod, {"metadata", "uid"}) + "/volumes/";
    for (const json::value& mount :
         json::array_at(json::array_at(pod, {"spec", "initContainers"})[0], {"volumeMounts"})) {
      ++waiting;
      const std::string name = json::string_at(mount, {"name"});
      bool told = false;
      for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
        if (json::string_at(volume, {"name"}) != name) continue;
        const std::string claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
        const auto marks = node::read_marks(
            own + (claim.empty() ? "kubernetes.io~empty-dir/" + name : "kubernetes.io~csi/pv-" + claim + "/mount"),
            done.metadata.uid);
        told = marks.ok() && marks->failure.has_value() && marks->failure->find("kopia") != std::string::npos;
      }
      EXPECT_TRUE(told) << name;
    }
  }
  EXPECT_EQ(waiting, 3U);
}

}  // namespace
}  // namespace holdfast::control
