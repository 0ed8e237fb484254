#include "velero/describe.h"

#include <algorithm>

#include "base/text.h"

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

/// What is described of a backup, from the bucket's files.
BackupDescription of_files(const Backup& backup, const std::string& directory, bool details) {
  BackupDescription in{
      .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = details};
  const std::string files = directory + "/" + backup.metadata.name;
  in.results = *decode_results(fixture::text(files + "-results.gz"));
  in.resources = *decode_resource_list(fixture::text(files + "-resource-list.json.gz"));
  in.volumes = *decode_backup_volume_infos(fixture::text(files + "-volumeinfo.json.gz"));
  in.operations = *decode_backup_operations(fixture::text(files + "-itemoperations.json.gz"));
  return in;
}

std::string describe_backup(const std::string& name, bool details) {
  const Backup backup = named<Backup>("1.14/crs/cluster1-backups.yaml", name);
  return describe(of_files(backup, "1.14/bucket/oadp/backups/" + name, details));
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
    const BackupDescription in = of_files(backup, std::string("1.14/bucket/oadp/backups/") + name, true);
    const json::value real =
        *json::parse(fixture::text(std::string("1.14/cli/backup-describe-") + name + "-details-o-json.txt"));
    EXPECT_EQ(pods_sorted(describe_json(in)), pods_sorted(real)) << json::compact(describe_json(in));
  }
}

TEST(Describe, BackupsOf118) {
  for (const auto& [name, details, file] : {std::tuple("b118", false, "backup-describe-b118.txt"),
                                            std::tuple("b118", true, "backup-describe-b118-details.txt"),
                                            std::tuple("b118b", true, "backup-describe-b118b-details.txt"),
                                            std::tuple("bnons", true, "backup-describe-bnons.txt"),
                                            std::tuple("bpf2", true, "backup-describe-bpf2-details.txt")}) {
    const Backup backup = named<Backup>("1.18/crs/cluster1-backups.yaml", name);
    EXPECT_EQ(describe(of_files(backup, std::string("1.18/bucket/backups/") + name, details)),
              fixture::text(std::string("1.18/cli/") + file));
  }
}

/// Velero's JSON leaves out the scoped filters, which its text has, and puts volumes and pods in random order.
json::value comparable(json::value v) {
  for (const char* member :
       {"excludedClusterScoped", "excludedNamespaceScoped", "includedClusterScoped", "includedNamespaceScoped"})
    json::erase(v.get_object(), {"spec", "resources", member});
  json::object& phases =
      json::make_object(v.get_object(), {"status", "backupVolumes", "podVolumeBackups", "podVolumeBackupsDetails"});
  for (auto& [phase, pods] : phases)
    for (json::value& pod : pods.get_array())
      for (auto& [name, volumes] : pod.get_object()) {
        std::vector<std::string> sorted = split(std::string(volumes.as_string()), ')');
        for (std::string& volume : sorted)
          if (volume.starts_with(", ")) volume.erase(0, 2);
        std::sort(sorted.begin(), sorted.end());
        volumes = json::from_strings(sorted);
      }
  return pods_sorted(v);
}

TEST(Describe, BackupOf118AsJson) {
  const Backup backup = named<Backup>("1.18/crs/cluster1-backups.yaml", "b118");
  const json::object described = describe_json(of_files(backup, "1.18/bucket/backups/b118", true));
  EXPECT_EQ(json::string_at(described, {"spec", "resources", "excludedNamespaceScoped"}),
            "volumesnapshots.snapshot.storage.k8s.io");
  EXPECT_EQ(comparable(described),
            comparable(*json::parse(fixture::text("1.18/cli/backup-describe-b118-details-o-json.txt"))));
}

TEST(Describe, CsiBackups) {
  for (const std::string version : {"1.14", "1.18"}) {
    const Backup backup = *decode_metadata(fixture::text(version + "/csi/bucket/backups/bcsi/velero-backup.json"));
    const BackupDescription in = of_files(backup, version + "/csi/bucket/backups/bcsi", true);
    EXPECT_EQ(describe(in), fixture::text(version + "/csi/cli/backup-describe-bcsi-details.txt"));
    EXPECT_EQ(comparable(describe_json(in)),
              comparable(*json::parse(fixture::text(version + "/csi/cli/backup-describe-bcsi-details-o-json.txt"))))
        << json::compact(describe_json(in));
  }
}

TEST(Describe, FailedValidation) {
  const Backup backup = named<Backup>("1.14/crs/cluster1-backups.yaml", "bpf");
  const BackupDescription in{
      .backup = &backup, .results = {}, .resources = {}, .volumes = {}, .operations = {}, .details = false};
  EXPECT_EQ(describe(in), fixture::text("1.14/cli/backup-describe-bpf-failedvalidation.txt"));
}

/// From the bucket's files, and the PodVolumeRestores of a list.
std::string describe_restore(const Restore& restore, const std::string& bucket, const std::string& volumes,
                             bool details) {
  const std::string& name = restore.metadata.name;
  const std::string files = bucket + "/restores/" + name + "/";
  RestoreDescription in{
      .restore = &restore, .results = {}, .resources = {}, .volumes = {}, .infos = {}, .details = details};
  in.results = *decode_results(fixture::text(files + "restore-" + name + "-results.gz"));
  in.resources = *decode_resource_list(fixture::text(files + "restore-" + name + "-resource-list.json.gz"));
  in.infos = *decode_restore_volume_infos(fixture::text(files + name + "-volumeinfo.json.gz"));
  for (const auto& pvr : resources<PodVolumeRestore>(volumes))
    if (pvr.metadata.label("velero.io/restore-name") == name) in.volumes.push_back(pvr);
  return describe(in);
}

std::string describe_restore(const std::string& name, const std::string& cluster, bool details) {
  const Restore restore = named<Restore>("1.14/crs/" + cluster + "-restores.yaml", name);
  return describe_restore(restore, "1.14/bucket/oadp", "1.14/crs/" + cluster + "-podvolumerestores.yaml", details);
}

TEST(Describe, RestoresOf114) {
  EXPECT_EQ(describe_restore("r1", "cluster2", false), fixture::text("1.14/cli/restore-describe-r1.txt"));
  EXPECT_EQ(describe_restore("r1", "cluster2", true), fixture::text("1.14/cli/restore-describe-r1-details.txt"));
  EXPECT_EQ(describe_restore("r2", "cluster1", true), fixture::text("1.14/cli/restore-describe-r2.txt"));
  EXPECT_EQ(describe_restore("r3", "cluster2", false), fixture::text("1.14/cli/restore-describe-r3.txt"));
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines = split(text, '\n');
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(Describe, RestoresOf118) {
  const std::string volumes = "1.18/crs/cluster2-podvolumerestores.yaml";
  const Restore r118 = named<Restore>("1.18/crs/cluster2-restores.yaml", "r118");
  // Velero puts the namespaces of warnings in random order.
  EXPECT_EQ(sorted_lines(describe_restore(r118, "1.18/bucket", volumes, false)),
            sorted_lines(fixture::text("1.18/cli/restore-describe-r118.txt")));
  EXPECT_EQ(describe_restore(r118, "1.18/bucket", volumes, true),
            fixture::text("1.18/cli/restore-describe-r118-details.txt"));
  const Restore rold = named<Restore>("1.18/crs/cluster2-restores.yaml", "rold");
  EXPECT_EQ(describe_restore(rold, "1.18/bucket-old", volumes, false),
            fixture::text("1.18/cli/restore-describe-rold.txt"));
  EXPECT_EQ(describe_restore(rold, "1.18/bucket-old", volumes, true),
            fixture::text("1.18/cli/restore-describe-rold-details.txt"));
}

TEST(Describe, RestoresOfCsiBackups) {
  for (const std::string version : {"1.14", "1.18"}) {
    const Restore restore = *decode<Restore>(*yaml::parse(fixture::text(version + "/csi/crs/restore-rcsi.yaml")));
    EXPECT_EQ(describe_restore(restore, version + "/csi/bucket", version + "/csi/crs/podvolumerestores.yaml", true),
              fixture::text(version + "/csi/cli/restore-describe-rcsi-details.txt"));
  }
}

TEST(Describe, Schedules) {
  EXPECT_EQ(describe(named<Schedule>("1.18/crs/cluster1-schedules.yaml", "s118")),
            fixture::text("1.18/cli/schedule-describe-s118.txt"));
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
