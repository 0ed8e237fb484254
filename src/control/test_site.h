// For tests: one cluster in memory with a clock that stands still, and what a controller needs to work on it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/random.h"
#include "control/context.h"
#include "kube/fake_api.h"
#include "velero/names.h"

namespace holdfast::control {

/// A directory that goes with its owner.
class TestDirectory {
 public:
  TestDirectory() : path_(testing::TempDir() + "control-" + random_hex(6)) {
    std::filesystem::create_directories(path_);
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool has(const std::string& name) const { return std::filesystem::exists(path_ + "/" + name); }
  void write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path file = path_ + "/" + name;
    std::filesystem::create_directories(file.parent_path());
    EXPECT_TRUE(write_file_atomically(file, bytes).ok()) << file;
  }
  /// Everything below tests/fixtures/velero/FROM, as TO.
  void copy_fixture(const std::string& from, const std::string& to) const {
    const std::filesystem::path target = path_ + "/" + to;
    std::filesystem::create_directories(target.parent_path());
    std::filesystem::copy(HOLDFAST_SOURCE_DIR "/tests/fixtures/velero/" + from, target,
                          std::filesystem::copy_options::recursive);
  }

 private:
  const std::string path_;
};

/// One controller at a time, called by the test, in no time.
class TestSite {
 public:
  TestSite() {
    options.version = "v9.9.9";
    options.site = "east";
    options.spill_directory = testing::TempDir();
    api.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: velero}}");
  }
  void make_location(const std::string& name, const std::string& path, const std::string& more = "") {
    api.seed_yaml("{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: " + name +
                  ", namespace: velero}, spec: {provider: holdfast.dev/directory, config: {path: " + path + "}" + more +
                  "}}");
  }
  template <typename T>
  T get(const std::string& name) {
    Result<T> found = context.objects.get<T>(name);
    EXPECT_TRUE(found.ok()) << found.error().to_string();
    return found.ok() ? std::move(*found) : T();
  }
  template <typename T>
  std::vector<T> all() {
    return context.objects.list<T>().value();
  }
  template <typename T>
  bool exists(const std::string& name) {
    return context.objects.get<T>(name).ok();
  }
  void patch(std::string_view plural, const std::string& name, const std::string& text) {
    const auto done =
        api.patch(kube::types::velero(plural), "velero", name, kube::PatchKind::merge, *json::parse(text));
    EXPECT_TRUE(done.ok()) << done.error().to_string();
  }

  FakeClock clock;
  kube::FakeApi api{[this] {
    kube::FakeApiOptions own;
    own.clock = &clock;
    return own;
  }()};
  ControlOptions options;
  metrics::Registry metrics;
  std::shared_ptr<log::MemorySink> lines = std::make_shared<log::MemorySink>();
  std::function<std::shared_ptr<objstore::Store>(std::shared_ptr<objstore::Store>)> decorate;  ///< of stores
  location::Locations locations{
      api, "velero",
      [this](std::shared_ptr<objstore::Store> store) { return decorate ? decorate(std::move(store)) : store; }, clock};
  Context context{api, VeleroObjects(api, "velero"), clock, log::Logger(lines, &clock), metrics, locations, options};
};

}  // namespace holdfast::control
