#include "velero/fixture.h"
#include "velero/item_operations.h"
#include "velero/metadata.h"
#include "velero/resource_list.h"
#include "velero/results.h"
#include "velero/volume_info.h"

namespace holdfast::velero {
namespace {

/// decode, encode, compare with the file text as JSON; returns how many files there were.
template <class Decode, class Encode>
size_t check_files(const std::string& suffix, const std::string& below, Decode decode_text, Encode encode_value) {
  size_t count = 0;
  for (const auto& path : fixture::ending(suffix)) {
    if (path.string().find(below) == std::string::npos) continue;
    const std::string text = fixture::text(path);
    auto decoded = decode_text(text);
    EXPECT_TRUE(decoded.ok()) << path << (decoded.ok() ? "" : decoded.error().to_string());
    if (!decoded.ok()) continue;
    EXPECT_EQ(encode_value(*decoded), text) << path;
    ++count;
  }
  return count;
}

TEST(Files, BackupVolumeInfo) {
  EXPECT_GE(check_files("-volumeinfo.json.gz", "/backups/", decode_backup_volume_infos,
                        [](const auto& v) { return encode_volume_infos(v); }),
            9U);
}
TEST(Files, RestoreVolumeInfo) {
  EXPECT_GE(check_files("-volumeinfo.json.gz", "/restores/", decode_restore_volume_infos,
                        [](const auto& v) { return encode_volume_infos(v); }),
            6U);
}
TEST(Files, Results) {
  EXPECT_GE(check_files("-results.gz", "", decode_results, encode_results), 15U);
}
TEST(Files, ResourceList) {
  EXPECT_GE(check_files("-resource-list.json.gz", "", decode_resource_list, encode_resource_list), 15U);
}
TEST(Files, BackupOperations) {
  EXPECT_GE(check_files("-itemoperations.json.gz", "/backups/", decode_backup_operations,
                        [](const auto& v) { return encode_operations(v); }),
            9U);
}
TEST(Files, RestoreOperations) {
  EXPECT_GE(check_files("-itemoperations.json.gz", "/restores/", decode_restore_operations,
                        [](const auto& v) { return encode_operations(v); }),
            6U);
}
TEST(Files, PodVolumeBackups) {
  EXPECT_GE(check_files("-podvolumebackups.json.gz", "/backups/", decode_pod_volume_backups, encode_pod_volume_backups),
            9U);
}

TEST(Files, VolumeInfoFields) {
  const auto infos = decode_backup_volume_infos(fixture::text("1.18/csi/bucket/backups/bcsi/bcsi-volumeinfo.json.gz"));
  ASSERT_TRUE(infos.ok());
  ASSERT_EQ(infos->size(), 2U);
  const BackupVolumeInfo& csi = infos->at(0);
  EXPECT_EQ(csi.backup_method, "CSISnapshot");
  ASSERT_TRUE(csi.csi_snapshot_info.has_value());
  EXPECT_EQ(csi.csi_snapshot_info->size, 52428800);
  EXPECT_EQ(csi.csi_snapshot_info->ready_to_use, true);
  const BackupVolumeInfo& pvb = infos->at(1);
  ASSERT_TRUE(pvb.pvb_info.has_value());
  EXPECT_EQ(pvb.pvb_info->volume_name, "scratch");
  EXPECT_EQ(pvb.pvb_info->phase, "Completed");
}

TEST(Files, NewVolumeInfoHasAllTheMembersVeleroWrites) {
  BackupVolumeInfo info;
  info.backup_method = "PodVolumeBackup";
  info.pv_info = PvInfo{.reclaim_policy = "Delete", .labels = {}, .extra = {}};
  EXPECT_EQ(encode_volume_infos(std::vector<BackupVolumeInfo>{info}),
            R"([{"backupMethod":"PodVolumeBackup","snapshotDataMoved":false,"preserveLocalSnapshot":false,)"
            R"("skipped":false,"pvInfo":{"reclaimPolicy":"Delete","labels":null}}])"
            "\n");
}

TEST(Files, ResultsCount) {
  const auto results = decode_results(fixture::text("1.14/bucket/oadp/restores/r3/restore-r3-results.gz"));
  ASSERT_TRUE(results.ok());
  EXPECT_EQ(results->errors.count(), 0U);
  EXPECT_EQ(results->warnings.count(), 16U);
  EXPECT_EQ(encode_results({}), "{\"errors\":{},\"warnings\":{}}\n");
}

TEST(Files, EmptyLists) {
  EXPECT_EQ(encode_pod_volume_backups({}), "null\n");
  EXPECT_EQ(encode_operations(std::vector<BackupOperation>{}), "[]\n");
  EXPECT_TRUE(decode_pod_volume_backups("null")->empty());
  EXPECT_TRUE(decode_pod_volume_backups("[]")->empty());
}

TEST(Files, ResourceListNames) {
  EXPECT_EQ(resource_list_key("apps/v1", "Deployment"), "apps/v1/Deployment");
  EXPECT_EQ(resource_list_key("v1", "Pod"), "v1/Pod");
  EXPECT_EQ(resource_list_entry("ns", "a", "created"), "ns/a(created)");
  EXPECT_EQ(resource_list_entry("", "a"), "a");
  EXPECT_EQ(encode_resource_list({{"v1/Pod", {"b/x", "a/y"}}}), "{\"v1/Pod\":[\"a/y\",\"b/x\"]}\n");
}

TEST(Files, DamageIsNamed) {
  EXPECT_EQ(decode_results("[]").error().message(), "the object: expected an object, found a list");
  EXPECT_EQ(decode_backup_volume_infos(R"([{},{"skipped":1}])").error().message(),
            "[1].skipped: expected true or false, found a number");
  EXPECT_EQ(decode_resource_list(R"({"v1/Pod":"x"})").error().message(), "v1/Pod: expected a list, found text");
  EXPECT_EQ(decode_pod_volume_backups(R"([{"spec":[]}])").error().message(),
            "[0]: spec: expected an object, found a list");
  EXPECT_TRUE(decode_metadata("{}").is(ErrorCode::invalid));
  EXPECT_TRUE(decode_metadata("").is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::velero
