#include "velero/describe.h"

#include "velero/fixture.h"
#include "velero/metadata.h"

namespace holdfast::velero {
namespace {

template <class T>
std::vector<T> resources(const std::string& path) {
  std::vector<T> out;
  const json::value list = *yaml::parse(fixture::text(path));
  for (const json::value& item : json::array_at(list, {"items"})) out.push_back(*decode<T>(item));
  return out;
}

template <class T>
T named(const std::string& path, const std::string& name) {
  for (const T& item : resources<T>(path))
    if (item.metadata.name == name) return item;
  ADD_FAILURE() << name << " is not in " << path;
  return {};
}

std::string describe_backup(const std::string& name, bool details) {
  const Backup backup = named<Backup>("1.14/crs/cluster1-backups.yaml", name);
  const std::string files = "1.14/bucket/oadp/backups/" + name + "/" + name;
  BackupDescription in{
      .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = details};
  in.results = *decode_results(fixture::text(files + "-results.gz"));
  in.resources = *decode_resource_list(fixture::text(files + "-resource-list.json.gz"));
  in.volumes = *decode_backup_volume_infos(fixture::text(files + "-volumeinfo.json.gz"));
  return describe(in);
}

TEST(Describe, BackupsOf114) {
  for (const char* name : {"b1", "b2", "b3"})
    EXPECT_EQ(describe_backup(name, false) + "",
              fixture::text(std::string("1.14/cli/backup-describe-") + name + ".txt"));
  for (const char* name : {"b1", "b2", "b3", "bpf2"})
    EXPECT_EQ(describe_backup(name, true),
              fixture::text(std::string("1.14/cli/backup-describe-") + name + "-details.txt"));
  EXPECT_EQ(describe_backup("bpf2", false), fixture::text("1.14/cli/backup-describe-bpf2.txt"));
}

/// Velero puts the pods of a phase in random order.
json::value pods_sorted(json::value v) {
  json::object& phases =
      json::make_object(v.get_object(), {"status", "backupVolumes", "podVolumeBackups", "podVolumeBackupsDetails"});
  for (auto& [phase, pods] : phases)
    std::sort(pods.get_array().begin(), pods.get_array().end(),
              [](const json::value& a, const json::value& b) { return json::compact(a) < json::compact(b); });
  return v;
}

TEST(Describe, BackupsAsJson) {
  for (const char* name : {"b1", "bpf2"}) {
    const Backup backup = named<Backup>("1.14/crs/cluster1-backups.yaml", name);
    const std::string files = std::string("1.14/bucket/oadp/backups/") + name + "/" + name;
    BackupDescription in{
        .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = true};
    in.results = *decode_results(fixture::text(files + "-results.gz"));
    in.resources = *decode_resource_list(fixture::text(files + "-resource-list.json.gz"));
    in.volumes = *decode_backup_volume_infos(fixture::text(files + "-volumeinfo.json.gz"));
    const json::value real =
        *json::parse(fixture::text(std::string("1.14/cli/backup-describe-") + name + "-details-o-json.txt"));
    EXPECT_EQ(pods_sorted(describe_json(in)), pods_sorted(real)) << json::compact(describe_json(in));
  }
}

TEST(Describe, CsiBackup) {
  const Backup backup = *decode_metadata(fixture::text("1.14/csi/bucket/backups/bcsi/velero-backup.json"));
  const std::string files = "1.14/csi/bucket/backups/bcsi/bcsi";
  BackupDescription in{
      .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = true};
  in.resources = *decode_resource_list(fixture::text(files + "-resource-list.json.gz"));
  in.volumes = *decode_backup_volume_infos(fixture::text(files + "-volumeinfo.json.gz"));
  in.operations = *decode_backup_operations(fixture::text(files + "-itemoperations.json.gz"));
  EXPECT_EQ(describe(in), fixture::text("1.14/csi/cli/backup-describe-bcsi-details.txt"));
  EXPECT_EQ(json::value(describe_json(in)),
            *json::parse(fixture::text("1.14/csi/cli/backup-describe-bcsi-details-o-json.txt")))
      << json::compact(describe_json(in));
}

TEST(Describe, FailedValidation) {
  const Backup backup = named<Backup>("1.14/crs/cluster1-backups.yaml", "bpf");
  const BackupDescription in{
      .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = false};
  EXPECT_EQ(describe(in), fixture::text("1.14/cli/backup-describe-bpf-failedvalidation.txt"));
}

std::string describe_restore(const std::string& name, const std::string& cluster, bool details) {
  const Restore restore = named<Restore>("1.14/crs/" + cluster + "-restores.yaml", name);
  const std::string files = "1.14/bucket/oadp/restores/" + name + "/restore-" + name;
  RestoreDescription in{.restore = &restore, .results = {}, .resources = {}, .volumes = {}, .details = details};
  in.results = *decode_results(fixture::text(files + "-results.gz"));
  in.resources = *decode_resource_list(fixture::text(files + "-resource-list.json.gz"));
  for (const auto& pvr : resources<PodVolumeRestore>("1.14/crs/" + cluster + "-podvolumerestores.yaml"))
    if (pvr.metadata.label("velero.io/restore-name") == name) in.volumes.push_back(pvr);
  return describe(in);
}

TEST(Describe, RestoresOf114) {
  EXPECT_EQ(describe_restore("r1", "cluster2", false), fixture::text("1.14/cli/restore-describe-r1.txt"));
  EXPECT_EQ(describe_restore("r1", "cluster2", true), fixture::text("1.14/cli/restore-describe-r1-details.txt"));
  EXPECT_EQ(describe_restore("r2", "cluster1", true), fixture::text("1.14/cli/restore-describe-r2.txt"));
  EXPECT_EQ(describe_restore("r3", "cluster2", false), fixture::text("1.14/cli/restore-describe-r3.txt"));
}

TEST(Describe, Schedules) {
  EXPECT_EQ(describe(named<Schedule>("1.14/crs/cluster1-schedules.yaml", "s1")),
            fixture::text("1.14/cli/schedule-describe-s1.txt"));
}

TEST(Tables, OfVelero114) {
  const TableOptions options{.now = *parse_rfc3339("2026-11-21T06:24:30Z"), .show_labels = false};
  EXPECT_EQ(table(resources<Backup>("1.14/crs/cluster1-backups.yaml"), options),
            fixture::text("1.14/cli/backup-get.txt"));
  EXPECT_EQ(table(resources<Backup>("1.14/crs/cluster1-backups.yaml"), {options.now, true}),
            fixture::text("1.14/cli/backup-get-labels.txt"));
  EXPECT_EQ(table(resources<Restore>("1.14/crs/cluster1-restores.yaml"), options),
            fixture::text("1.14/cli/restore-get.txt"));
  EXPECT_EQ(table(resources<Schedule>("1.14/crs/cluster1-schedules.yaml"), options),
            fixture::text("1.14/cli/schedule-get.txt"));
  EXPECT_EQ(table(resources<BackupRepository>("1.14/crs/cluster1-backuprepositories.yaml"), options),
            fixture::text("1.14/cli/repo-get.txt"));
  auto locations = resources<BackupStorageLocation>("1.14/crs/cluster2-backupstoragelocations.yaml");
  EXPECT_EQ(table(locations, options), fixture::text("1.14/cli/c2-backup-location-get.txt"));
  EXPECT_EQ(table(std::vector<Backup>{}, options), "");
}

}  // namespace
}  // namespace holdfast::velero
