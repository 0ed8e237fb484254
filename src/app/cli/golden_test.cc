// What the get, describe, logs, download and delete verbs print, held against the real velero's output.
#include <gmock/gmock.h>

#include <algorithm>

#include "app/cli/stage.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class Golden : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* kind : {"backups", "restores", "schedules", "backupstoragelocations", "backuprepositories",
                             "podvolumebackups", "podvolumerestores"})
      stage_.load(std::string("1.14/crs/cluster1-") + kind + ".yaml");
  }
  void expect(const Words& words, const std::string& file, int code = 0) {
    EXPECT_EQ(stage_.run(words), code) << file;
    EXPECT_EQ(stage_.out() + stage_.err(), fixture("1.14/cli/" + file)) << file;
  }
  Stage stage_;
};

TEST_F(Golden, TablesAreVeleros) {
  expect({"backup", "get"}, "backup-get.txt");
  expect({"get", "backups"}, "backup-get.txt");
  expect({"backup", "get", "--show-labels"}, "backup-get-labels.txt");
  expect({"repo", "get"}, "repo-get.txt");
}

TEST(GoldenAge, TablesCountFromTheCreation) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"schedule", "cluster1-schedules", "2026-11-21T06:17:59Z"},
      {"restore", "cluster1-restores", "2026-11-21T06:22:03Z"}};
  for (const auto& [noun, file, created] : cases) {
    Stage stage(parse_rfc3339(created).value());
    stage.load(std::string("1.14/crs/") + file + ".yaml");
    const Time now = parse_rfc3339("2026-11-21T06:24:20Z").value();
    ASSERT_TRUE(stage.clock().sleep({}, now - stage.clock().now()).ok());
    EXPECT_EQ(stage.run({noun, "get"}), 0);
    EXPECT_EQ(stage.out(), fixture(std::string("1.14/cli/") + noun + "-get.txt"));
  }
}

TEST_F(Golden, SelectorsAndNamesNarrowAList) {
  EXPECT_EQ(stage_.run({"backup", "get", "-l", "run=3"}), 0);
  EXPECT_THAT(stage_.out(), HasSubstr("b3"));
  EXPECT_EQ(std::count(stage_.out().begin(), stage_.out().end(), '\n'), 2);
  EXPECT_EQ(stage_.run({"backup", "get", "b1", "b2"}), 0);
  EXPECT_EQ(std::count(stage_.out().begin(), stage_.out().end(), '\n'), 3);
}

TEST_F(Golden, LabelsHaveColumnsOfTheirOwn) {
  EXPECT_EQ(stage_.run({"backup", "get", "b1", "b2", "-L", "run,velero.io/storage-location"}), 0);
  const std::vector<std::string> lines = split(stage_.out(), '\n');
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], ::testing::EndsWith("SELECTOR   RUN      STORAGE-LOCATION"));
  EXPECT_THAT(lines[1], ::testing::EndsWith("<none>     <none>   default"));
  EXPECT_THAT(lines[2], ::testing::EndsWith("<none>     2        default"));
}

/// The server's bookkeeping, which another server does otherwise.
json::value without_version(const std::string& text) {
  json::value v = yaml::parse(text).value();
  const auto strip = [](json::value& object) {
    json::erase(object.as_object(), {"metadata", "resourceVersion"});
    json::erase(object.as_object(), {"metadata", "generation"});
    for (const char* member : {"uid", "creationTimestamp", "managedFields"})
      json::erase(object.as_object(), {"metadata", member});
    for (const char* member : {"lastSyncedTime", "lastValidationTime"})
      json::erase(object.as_object(), {"status", member});
  };
  if (json::value* items = v.as_object().if_contains("items")) {
    for (json::value& item : items->as_array()) strip(item);
  } else {
    strip(v);
  }
  return v;
}

TEST_F(Golden, ObjectsAreVeleros) {
  const std::pair<Words, std::string> cases[] = {
      {{"backup", "get", "b1", "-o", "json"}, "backup-get-b1-o-json.txt"},
      {{"backup", "get", "b1", "b2", "-o", "yaml"}, "backup-get-o-yaml.txt"},
      {{"restore", "get", "r1", "-o", "json"}, "restore-get-r1-o-json.txt"},
      {{"schedule", "get", "-o", "yaml"}, "schedule-get-o-yaml.txt"},
      {{"backup-location", "get", "-o", "yaml"}, "backup-location-get-o-yaml.txt"},
  };
  for (const auto& [words, file] : cases) {
    if (file.starts_with("restore")) stage_.load("1.14/crs/cluster2-restores.yaml");
    EXPECT_EQ(stage_.run(words), 0) << file;
    const std::string wanted = fixture("1.14/cli/" + file);
    EXPECT_EQ(without_version(stage_.out()), without_version(wanted)) << file;
    EXPECT_EQ(stage_.out().substr(0, 14), wanted.substr(0, 14)) << file;
    EXPECT_EQ(stage_.out().ends_with("\n\n"), wanted.ends_with("\n\n")) << file;
  }
}

TEST_F(Golden, DescriptionsAreVeleros) {
  stage_.serve_bucket("1.14/bucket/oadp");
  for (const std::string name : {"b1", "b2", "b3", "bpf2"}) {
    expect({"backup", "describe", name}, "backup-describe-" + name + ".txt");
    expect({"describe", "backups", name, "--details"}, "backup-describe-" + name + "-details.txt");
  }
  expect({"backup", "describe", "bpf"}, "backup-describe-bpf-failedvalidation.txt");
  expect({"restore", "describe", "r2", "--details"}, "restore-describe-r2.txt");
  expect({"schedule", "describe", "s1"}, "schedule-describe-s1.txt");
  // Every request has been removed again.
  EXPECT_TRUE(stage_.api().peek_all(kube::types::velero("downloadrequests")).empty());
}

TEST_F(Golden, DescriptionsAsJsonAreVeleros) {
  stage_.serve_bucket("1.14/bucket/oadp");
  for (const std::string name : {"b1", "bpf2"}) {
    EXPECT_EQ(stage_.run({"backup", "describe", name, "--details", "-o", "json"}), 0);
    const std::string wanted = fixture("1.14/cli/backup-describe-" + name + "-details-o-json.txt");
    EXPECT_EQ(json::string_at(json::parse(stage_.out()).value(), {"status", "completed"}),
              json::string_at(json::parse(wanted).value(), {"status", "completed"}));
    EXPECT_EQ(std::count(stage_.out().begin(), stage_.out().end(), '\n'),
              std::count(wanted.begin(), wanted.end(), '\n'));
    EXPECT_THAT(stage_.out(), HasSubstr("\n        \"name\": \"" + name + "\""));
  }
}

TEST_F(Golden, DescriptionsSayWhichFileIsMissing) {
  EXPECT_EQ(stage_.run({"backup", "describe", "b1", "--timeout", "3s"}), 0);
  EXPECT_THAT(stage_.out(), HasSubstr("Phase:  Completed"));
  EXPECT_THAT(stage_.err(), HasSubstr("BackupVolumeInfos of b1: timed out waiting for download URL"));
}

TEST_F(Golden, LogsAreTheBucketsFile) {
  stage_.serve_bucket("1.14/bucket/oadp");
  EXPECT_EQ(stage_.run({"backup", "logs", "b1"}), 0);
  EXPECT_EQ(stage_.out(), fixture("1.14/cli/backup-logs-b1.txt.gz"));
  expect({"restore", "logs", "r2"}, "restore-logs-r2.txt");
  expect({"backup", "logs", "bpf"}, "backup-logs-bpf-failedvalidation.txt", 1);
}

TEST_F(Golden, FilesAreReadThroughTheControllerWhereNothingIsSigned) {
  stage_.api().inject({.verb = "get", .resource = "downloadrequests.velero.io", .times = 9, .meanwhile = [this] {
                         for (json::value request : stage_.api().peek_all(kube::types::velero("downloadrequests"))) {
                           json::set(request.as_object(), {"metadata", "annotations", "holdfast.dev/download-key"},
                                     "default backups/b1/b1-logs.gz");
                           stage_.put(request);
                         }
                       }});
  stage_.api().seed_yaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: velero-1, namespace: velero, labels: {deploy: velero}}
status: {phase: Running, containerStatuses: [{name: velero, ready: false}]}
---
apiVersion: v1
kind: Pod
metadata: {name: velero-2, namespace: velero, labels: {deploy: velero}}
status: {phase: Running, containerStatuses: [{name: velero, ready: true}]}
)");
  const std::string packed = velero::gzip(std::string(300, 'x') + "\n").value();
  size_t calls = 0;
  stage_.api().on_exec([&](const std::string&, const std::string& pod, const std::string&,
                           const std::vector<std::string>& command) -> Result<kube::ExecResult> {
    EXPECT_EQ(pod, "velero-2");
    EXPECT_THAT(command, ::testing::ElementsAre("/usr/bin/holdfast", "read-object", "default", "backups/b1/b1-logs.gz",
                                                "--offset", ::testing::_));
    ++calls;
    const size_t offset = std::stoul(command.back());
    return kube::ExecResult{0, std::to_string(packed.size()) + "\n" + to_base64(packed.substr(offset, 10)) + "\n", ""};
  });
  EXPECT_EQ(stage_.run({"backup", "logs", "b1"}), 0) << stage_.err();
  EXPECT_EQ(stage_.out(), std::string(300, 'x') + "\n");
  EXPECT_EQ(calls, (packed.size() + 9) / 10);
}

TEST_F(Golden, DownloadsDoNotOverwrite) {
  stage_.serve_bucket("1.14/bucket/oadp");
  const std::string path = ::testing::TempDir() + "hf-cli-download.tar.gz";
  std::filesystem::remove(path);
  EXPECT_EQ(stage_.run({"backup", "download", "b1", "-o", path}), 0) << stage_.err();
  EXPECT_EQ(stage_.out(), "Backup b1 has been successfully downloaded to " + path + "\n");
  EXPECT_EQ(read_file(path).value(),
            read_file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/fixtures/velero/1.14/bucket/oadp/backups/b1/b1.tar.gz")
                .value());
  EXPECT_EQ(stage_.run({"backup", "download", "b1", "-o", path}), 1);
  EXPECT_THAT(stage_.err(), HasSubstr("--force"));
  EXPECT_EQ(stage_.run({"backup", "download", "b1", "-o", path, "--force"}), 0);
  std::filesystem::remove(path);
}

TEST_F(Golden, UnknownNamesAreVelerosErrors) {
  expect({"backup", "get", "nosuch"}, "backup-get-nosuch.txt", 1);
  expect({"backup", "describe", "nosuch"}, "backup-describe-nosuch.txt", 1);
}

TEST_F(Golden, DeletingAsksFirstAndIsARequest) {
  expect({"backup", "delete", "b1"}, "backup-delete-no-confirm.txt");
  EXPECT_TRUE(stage_.api().peek_all(kube::types::velero("deletebackuprequests")).empty());
  EXPECT_EQ(stage_.run({"backup", "delete", "nosuch", "--confirm"}), 0);
  EXPECT_EQ(stage_.out(), fixture("1.14/cli/backup-delete-nosuch.txt"));
  stage_.answer("what?");
  stage_.answer("y");
  EXPECT_EQ(stage_.run({"backup", "delete", "b1"}), 0);
  const auto requests = stage_.api().peek_all(kube::types::velero("deletebackuprequests"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(json::string_at(requests[0], {"spec", "backupName"}), "b1");
  EXPECT_EQ(json::string_at(requests[0], {"metadata", "labels", "velero.io/backup-uid"}),
            json::string_at(stage_.api().peek(kube::types::velero("backups"), "velero", "b1"), {"metadata", "uid"}));
  std::string wanted = fixture("1.14/cli/backup-delete-confirm.txt");
  wanted.replace(wanted.find("s1-20261121061856"), 17, "b2");
  EXPECT_EQ(stage_.run({"delete", "backup", "b2", "--confirm"}), 0);
  EXPECT_EQ(stage_.out(), wanted);
  EXPECT_EQ(stage_.run({"backup", "delete"}), 1);
  EXPECT_EQ(stage_.run({"backup", "delete", "b3", "--all"}), 1);
}

TEST_F(Golden, TheDefaultLocationCanBeAskedFor) {
  ASSERT_EQ(stage_.run({"backup-location", "create", "other", "--provider", "aws", "--bucket", "b"}), 0);
  EXPECT_EQ(stage_.run({"backup-location", "get", "--default"}), 0);
  EXPECT_THAT(stage_.out(), HasSubstr("apps-dr-guide"));
  EXPECT_EQ(stage_.out().find("other"), std::string::npos);
}

TEST_F(Golden, SchedulesArePausedAndUnpaused) {
  EXPECT_EQ(stage_.run({"schedule", "pause", "s1"}), 0);
  EXPECT_THAT(stage_.out(), HasSubstr("already paused"));
  EXPECT_EQ(stage_.run({"schedule", "unpause", "--all"}), 0);
  EXPECT_EQ(stage_.out(), "Schedule s1 unpaused successfully\n");
  const json::value schedule = stage_.api().peek(kube::types::velero("schedules"), "velero", "s1");
  EXPECT_FALSE(json::bool_at(schedule, {"spec", "paused"}));
  EXPECT_EQ(json::string_at(schedule, {"spec", "template", "ttl"}), "24h0m0s");
}

TEST_F(Golden, DeletingALocationLeavesNoRecordsOfIt) {
  EXPECT_EQ(stage_.run({"backup-location", "delete", "default", "--confirm"}), 0) << stage_.err();
  EXPECT_TRUE(stage_.api().peek_all(kube::types::velero("backupstoragelocations")).empty());
  const auto left = stage_.api().peek_all(kube::types::velero("backups"));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(json::string_at(left[0], {"metadata", "name"}), "bfv");
}

}  // namespace
}  // namespace holdfast::app
