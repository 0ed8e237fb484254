// For tests: volume data that moves at once, and a cluster that holds what a tarball holds.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backup/tarball.h"
#include "backup/volumes.h"
#include "base/file.h"
#include "kube/fake_api.h"
#include "objstore/mem.h"
#include "velero/gzip.h"
#include "velero/metadata.h"

namespace holdfast::backup {

/// Saves every volume on a thread of its own, except those told to fail.
class FakeVolumeBackups final : public VolumeBackups {
 public:
  ~FakeVolumeBackups() override { threads_.clear(); }
  void start(const json::object&, std::vector<PodVolumeRequest> volumes, Done done) override {
    std::lock_guard lock(mutex_);
    for (const PodVolumeRequest& request : volumes) requests.push_back(request);
    threads_.emplace_back([this, volumes = std::move(volumes), done = std::move(done)] {
      std::vector<PodVolumeResult> results;
      for (const PodVolumeRequest& request : volumes) results.push_back(save(request));
      if (before_done) before_done();
      done(std::move(results));
    });
  }
  void start_claim(PodVolumeRequest claim, Done done) override {
    claim.pod = "mover-" + claim.pvc;
    claim.volume = "data";
    claim.by_mover = true;
    start({}, {claim}, std::move(done));
  }
  void wait(std::stop_token) override {
    std::vector<std::jthread> threads;
    std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }

  std::vector<PodVolumeRequest> requests;
  std::set<std::string> failing;  ///< names of volumes
  std::function<void()> before_done;

 private:
  PodVolumeResult save(const PodVolumeRequest& request) const {
    velero::PodVolumeBackup backup;
    backup.metadata.name = request.pod + "-" + request.volume;
    backup.spec.pod = {"Pod", request.pod_namespace, request.pod, request.pod_uid, {}};
    backup.spec.volume = request.volume;
    if (!request.pvc.empty()) backup.metadata.annotations["velero.io/pvc-name"] = request.pvc;
    backup.spec.node = request.node;
    backup.spec.uploader_type = "restic";
    const bool fails = failing.contains(request.volume);
    if (request.by_mover) backup.metadata.annotations["holdfast.dev/by-mover"] = "true";
    backup.status.phase = fails ? "Failed" : "Completed";
    backup.status.snapshot_id = fails ? "" : "5ea1ed";
    backup.status.progress = {100, 100, {}};
    return {request, backup, fails ? "the disk is on fire" : ""};
  }
  std::mutex mutex_;
  std::vector<std::jthread> threads_;
};

class FakeVolumeRestores final : public VolumeRestores {
 public:
  void start(PodVolumeRestoreRequest request, Done done) override {
    std::lock_guard lock(mutex_);
    requests.push_back(request);
    waiting_.emplace_back(std::move(request), std::move(done));
  }
  void start_claim(PodVolumeRestoreRequest claim, Done done) override {
    claims.push_back(claim);
    if (on_claim) on_claim(claim);
    done({std::move(claim), errors});
  }
  void wait(std::stop_token) override {
    std::vector<std::pair<PodVolumeRestoreRequest, Done>> waiting;
    {
      std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
    }
    if (before_done) before_done();
    for (auto& [request, done] : waiting) done({request, errors});
  }
  std::vector<PodVolumeRestoreRequest> requests;
  std::vector<PodVolumeRestoreRequest> claims;
  std::function<void(const PodVolumeRestoreRequest&)> on_claim;
  std::vector<std::string> errors;
  std::function<void()> before_done;

 private:
  std::mutex mutex_;
  std::vector<std::pair<PodVolumeRestoreRequest, Done>> waiting_;
};

namespace fixture {

inline std::string bytes(const std::string& path) {
  Result<std::string> text = read_file(HOLDFAST_SOURCE_DIR "/tests/fixtures/velero/" + path);
  EXPECT_TRUE(text.ok()) << path;
  return text ? *text : std::string();
}
inline std::string plain(const std::string& path) {
  return velero::gunzip(bytes(path)).value();
}
inline velero::Backup backup(const std::string& directory) {
  return velero::decode_metadata(bytes(directory + "/velero-backup.json")).value();
}
inline Tarball tarball(const std::string& path) {
  Result<Tarball> read = Tarball::read(memory_source(bytes(path)), {});
  EXPECT_TRUE(read.ok()) << path;
  return std::move(*read);
}

/// Puts every object of the tarball into the API: types and namespaces first. Commands in pods succeed.
inline void load(kube::FakeApi& api, const Tarball& tarball) {
  api.on_exec([](const std::string&, const std::string&, const std::string&, const std::vector<std::string>&) {
    return Result<kube::ExecResult>(kube::ExecResult());
  });
  for (const std::string first : {"customresourcedefinitions.apiextensions.k8s.io", "namespaces", ""}) {
    for (const Tarball::Entry& entry : tarball.entries()) {
      const std::string& type = entry.item.key.group_resource;
      const bool leading = type.starts_with("customresource") || type == "namespaces";
      if (first.empty() ? !leading : type == first) api.seed(tarball.object(entry).value());
    }
  }
}

/// Equal, whatever the order of members; else both as text.
inline testing::AssertionResult same_json(const json::object& ours, const json::object& golden) {
  if (ours == golden) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "ours:   " << json::compact(ours) << "\ngolden: " << json::compact(golden);
}

/// The files of a backup or restore of the fixtures, below `to` in the store.
inline void copy_files(objstore::Store& store, const std::string& from, const std::string& to) {
  const std::filesystem::path directory = std::filesystem::path(HOLDFAST_SOURCE_DIR "/tests/fixtures/velero") / from;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const std::string name = file.path().filename();
    EXPECT_TRUE(store.put(to + "/" + name, read_file(file.path()).value()).ok());
  }
}

}  // namespace fixture
}  // namespace holdfast::backup
