// A node for tests, without a cluster: the kubelet's pods directory in a temporary folder, a FakeApi with the objects
// of one backup and one restore, and a backup location in a directory whose repository has cheap keys.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "kube/fake_api.h"
#include "node/agent.h"
#include "objstore/decorators.h"
#include "objstore/fs.h"
#include "repo/repository.h"

namespace holdfast::node {

class FakeNode : public testing::Test {
 protected:
  static constexpr const char* kPassword = "open sesame";

  void SetUp() override {
    api_.seed_yaml(fmt::format(R"(
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {{name: default, namespace: velero}}
spec: {{provider: holdfast.dev/directory, config: {{path: "{0}/store"}}, objectStorage: {{bucket: b}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: velero-repo-credentials, namespace: velero}}
data: {{repository-password: {1}}}
---
apiVersion: velero.io/v1
kind: Backup
metadata:
  name: b1
  namespace: velero
  uid: b1-uid
  annotations: {{holdfast.dev/site: a, holdfast.dev/epoch: "3"}}
status: {{phase: InProgress}}
---
apiVersion: velero.io/v1
kind: Restore
metadata: {{name: r1, namespace: velero, uid: r1-uid}}
status: {{phase: InProgress}}
---
apiVersion: velero.io/v1
kind: BackupRepository
metadata:
  name: app-default-restic-x
  namespace: velero
  labels: {{velero.io/volume-namespace: app, velero.io/storage-location: default, velero.io/repository-type: restic}}
spec: {{volumeNamespace: app, backupStorageLocation: default, repositoryType: restic, maintenanceFrequency: 168h0m0s}}
status: {{phase: Ready}}
)",
                               root_, to_base64(kPassword)));
    std::filesystem::create_directories(root_ + "/store/restic/app");
    ASSERT_TRUE(repo::Repository::init(repository_store(), crypto::Secret::of(kPassword), cheap_keys()).ok());
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  static repo::InitOptions cheap_keys() {
    repo::InitOptions out;
    out.kdf = crypto::ScryptCost{.n = 2, .r = 8, .p = 1};
    return out;
  }
  std::shared_ptr<objstore::Store> repository_store() const {
    return *objstore::open_directory({.path = root_ + "/store/restic/app"});
  }
  std::unique_ptr<repo::Repository> repository() const {
    auto opened = repo::Repository::open(repository_store(), crypto::Secret::of(kPassword));
    EXPECT_TRUE(opened.ok());
    EXPECT_TRUE((*opened)->load_index().ok());
    return std::move(*opened);
  }

  /// A pod in namespace app with the claim `NAME-data` behind its volume `data`; answers the volume's directory.
  std::string add_pod(const std::string& name, const std::string& node = "n1") {
    api_.seed_yaml(fmt::format(R"(
apiVersion: v1
kind: Pod
metadata: {{name: {0}, namespace: app, uid: {0}-uid}}
spec:
  nodeName: {1}
  initContainers: [{{name: restore-wait}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: {0}-data}}}}]
status:
  phase: Pending
  initContainerStatuses: [{{name: restore-wait, state: {{running: {{}}}}}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {0}-data, namespace: app, uid: {0}-claim-uid}}
spec: {{volumeName: pv-{0}}}
)",
                               name, node));
    std::string directory = fmt::format("{}/pods/{}-uid/volumes/kubernetes.io~csi/pv-{}/mount", root_, name, name);
    std::filesystem::create_directories(directory);
    return directory;
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(make_directories(std::filesystem::path(path).parent_path().string()).ok());
    ASSERT_TRUE(write_file_atomically(path, text).ok());
  }

  void add_backup(const std::string& name, const std::string& pod, const std::string& extra = "",
                  const std::string& status = "{}") {
    api_.seed_yaml(fmt::format(R"(
apiVersion: velero.io/v1
kind: PodVolumeBackup
metadata:
  name: {0}
  namespace: velero
  labels: {{velero.io/backup-name: b1, velero.io/pvc-uid: {1}-claim-uid}}
  annotations: {{velero.io/pvc-name: {1}-data}}
  ownerReferences: [{{apiVersion: velero.io/v1, kind: Backup, name: b1, uid: b1-uid, controller: true}}]
spec:
  node: n1
  pod: {{kind: Pod, namespace: app, name: {1}, uid: {1}-uid}}
  volume: data
  backupStorageLocation: default
  uploaderType: restic
  tags: {{backup: b1, backup-uid: b1-uid, pod: {1}, pod-uid: {1}-uid, ns: app, volume: data}}
  {2}
status: {3}
)",
                               name, pod, extra, status));
  }
  void add_restore(const std::string& name, const std::string& pod, const std::string& snapshot,
                   const std::string& uploader = "restic", const std::string& status = "{}") {
    api_.seed_yaml(fmt::format(R"(
apiVersion: velero.io/v1
kind: PodVolumeRestore
metadata:
  name: {0}
  namespace: velero
  ownerReferences: [{{apiVersion: velero.io/v1, kind: Restore, name: r1, uid: r1-uid, controller: true}}]
spec:
  pod: {{kind: Pod, namespace: app, name: {1}, uid: {1}-uid}}
  volume: data
  backupStorageLocation: default
  sourceNamespace: app
  snapshotID: "{2}"
  uploaderType: {3}
status: {4}
)",
                               name, pod, snapshot, uploader, status));
  }

  json::value object(const std::string& plural, const std::string& name) const {
    return api_.peek(kube::types::velero(plural), "velero", name);
  }
  std::string phase_of(const std::string& plural, const std::string& name) const {
    return json::string_at(object(plural, name), {"status", "phase"});
  }
  std::string message_of(const std::string& plural, const std::string& name) const {
    return json::string_at(object(plural, name), {"status", "message"});
  }
  void set_phase(const std::string& plural, const std::string& name, const std::string& phase) {
    const json::value patch = json::object{{"status", json::object{{"phase", phase}}}};
    ASSERT_TRUE(api_.patch(kube::types::velero(plural), "velero", name, kube::PatchKind::merge, patch).ok());
  }

  /// Blocks until the condition holds; false after a minute.
  static bool eventually(const std::function<bool()>& condition) {
    const BootTime deadline = system_clock().boottime() + std::chrono::minutes(1);
    while (!condition()) {
      if (system_clock().boottime() > deadline) return false;
      static_cast<void>(system_clock().sleep({}, std::chrono::milliseconds(5)));
    }
    return true;
  }
  /// Blocks until the work has ended; answers its phase.
  std::string end_of(const std::string& plural, const std::string& name) {
    const auto ended = [&] {
      const std::string phase = phase_of(plural, name);
      return phase == "Completed" || phase == "Failed" || phase == "Canceled";
    };
    return eventually(ended) ? phase_of(plural, name) : "still " + phase_of(plural, name);
  }

  AgentOptions options() const {
    AgentOptions out;
    out.work.node = "n1";
    out.work.host_pods = root_ + "/pods";
    out.work.cache_dir = root_ + "/cache";
    out.work.mounted = [](const std::string&) -> Result<bool> { return true; };
    out.work.look = std::chrono::milliseconds(20);
    out.work.progress = std::chrono::milliseconds(20);
    out.work.lock_wait = Duration::zero();
    out.wait_look = std::chrono::milliseconds(20);
    out.workers = 2;
    return out;
  }
  void start_agent() {
    agent_ = std::jthread([this](const std::stop_token& stop) {
      agent_status_ = run_agent(api_, system_clock(), log::Logger(log_), metrics_, options(), stop);
    });
  }
  void stop_agent() {
    agent_.request_stop();
    if (agent_.joinable()) agent_.join();
  }

  const std::string root_ = testing::TempDir() + "fake-node-" + random_hex(6);
  kube::FakeApi api_;
  metrics::Registry metrics_;
  std::shared_ptr<log::MemorySink> log_ = std::make_shared<log::MemorySink>();
  Status agent_status_;
  std::jthread agent_;  ///< last: ends before what it uses
};

}  // namespace holdfast::node
