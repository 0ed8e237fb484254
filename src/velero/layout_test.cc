#include "velero/layout.h"

#include <set>

#include "velero/fixture.h"
#include "velero/metadata.h"

namespace holdfast::velero {
namespace {

constexpr BackupFile kBackupFiles[] = {
    BackupFile::metadata,      BackupFile::contents,           BackupFile::log,
    BackupFile::results,       BackupFile::pod_volume_backups, BackupFile::volume_snapshots,
    BackupFile::resource_list, BackupFile::item_operations,    BackupFile::volume_info,
    BackupFile::csi_snapshots, BackupFile::csi_contents,       BackupFile::csi_classes};
constexpr RestoreFile kRestoreFiles[] = {RestoreFile::log, RestoreFile::results, RestoreFile::resource_list,
                                         RestoreFile::item_operations, RestoreFile::volume_info};

struct Bucket {
  std::string directory;
  std::string prefix;
};
const Bucket kBuckets[] = {
    {"1.14/bucket", "oadp"}, {"1.18/bucket", ""}, {"1.14/csi/bucket", ""}, {"1.18/csi/bucket", ""}};

TEST(Layout, NamesEveryFileOfRealBuckets) {
  for (const Bucket& bucket : kBuckets) {
    const Layout layout = *Layout::at(bucket.prefix);
    const auto root = fixture::root() / bucket.directory;
    std::set<std::string> known;
    std::set<std::string> found;
    std::vector<std::string> top;
    for (const auto& entry : std::filesystem::directory_iterator(root / layout.root()))
      top.push_back(layout.root() + entry.path().filename().string() + "/");
    EXPECT_TRUE(check_top_level(layout, top).ok()) << bucket.directory;
    const auto collect = [&](const std::string& below) {
      std::vector<std::string> names;
      if (!std::filesystem::exists(root / below)) return names;
      for (const auto& entry : std::filesystem::directory_iterator(root / below)) {
        names.push_back(entry.path().filename());
        for (const auto& file : std::filesystem::directory_iterator(entry.path()))
          found.insert(below + names.back() + "/" + file.path().filename().string());
      }
      return names;
    };
    for (const std::string& name : collect(layout.backups())) {
      EXPECT_EQ(layout.backup_name(layout.backups() + name + "/"), name);
      for (const BackupFile file : kBackupFiles) known.insert(layout.key(file, name));
      EXPECT_TRUE(found.contains(layout.key(BackupFile::metadata, name))) << name;
    }
    for (const std::string& name : collect(layout.restores()))
      for (const RestoreFile file : kRestoreFiles) known.insert(layout.key(file, name));
    EXPECT_FALSE(found.empty()) << bucket.directory;
    for (const std::string& key : found) EXPECT_TRUE(known.contains(key)) << key;
  }
}

TEST(Layout, PrefixesAreTidiedOrRefused) {
  EXPECT_EQ(Layout::at("")->root(), "");
  EXPECT_EQ(Layout::at("/")->root(), "");
  EXPECT_EQ(Layout::at("/a/b/")->root(), "a/b/");
  for (const char* bad : {"a//b", "a/../b", ".", "a/./b", "a\nb"}) EXPECT_FALSE(Layout::at(bad).ok()) << bad;
}

TEST(Layout, OurOwnFilesStayInTheirCorner) {
  EXPECT_EQ(Layout::at("p")->plugins(), "p/plugins/holdfast/");
  EXPECT_EQ(Layout::at("p")->restic_repository("web"), "p/restic/web/");
}

TEST(Layout, MetadataIsPutLast) {
  ASSERT_FALSE(backup_write_order().empty());
  EXPECT_EQ(backup_write_order().back(), BackupFile::metadata);
  const std::set<BackupFile> once(backup_write_order().begin(), backup_write_order().end());
  EXPECT_EQ(once.size(), backup_write_order().size());
}

TEST(Layout, ForeignDirectoriesGetVelerosText) {
  const Layout layout = *Layout::at("p");
  EXPECT_TRUE(
      check_top_level(layout, {"p/backups/", "p/restores/", "p/restic/", "p/kopia/", "p/metadata/", "p/plugins/"})
          .ok());
  EXPECT_TRUE(check_top_level(layout, {}).ok());
  const Status status = check_top_level(layout, {"p/other/", "p/backups/"});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "Backup store contains invalid top-level directories: [other]");
}

TEST(Layout, ListedNamesThatAreNoBackups) {
  const Layout layout = *Layout::at("p");
  EXPECT_EQ(layout.backup_name("p/backups/b1/"), "b1");
  for (const char* bad : {"p/backups/b1", "p/backups/", "p/restores/b1/", "backups/b1/", "p/backups/a/b/",
                          "p/backups/../", "p/backups/B/"})
    EXPECT_EQ(layout.backup_name(bad), std::nullopt) << bad;
}

TEST(Layout, ObjectNames) {
  for (const char* good : {"a", "a-b", "a.b", "1", "apps-dr-guide-20231016200052"})
    EXPECT_TRUE(valid_object_name(good)) << good;
  for (const char* bad : {"", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a-.b", "A", "a/b", "a_b"})
    EXPECT_FALSE(valid_object_name(bad)) << bad;
  EXPECT_TRUE(valid_object_name(std::string(253, 'a')));
  EXPECT_FALSE(valid_object_name(std::string(254, 'a')));
}

TEST(Layout, DownloadTargets) {
  const Layout layout = *Layout::at("oadp");
  EXPECT_EQ(*layout.download_key("BackupLog", "b"), "oadp/backups/b/b-logs.gz");
  EXPECT_EQ(*layout.download_key("BackupContents", "b"), "oadp/backups/b/b.tar.gz");
  EXPECT_EQ(*layout.download_key("RestoreResults", "r"), "oadp/restores/r/restore-r-results.gz");
  EXPECT_EQ(*layout.download_key("RestoreVolumeInfo", "r"), "oadp/restores/r/r-volumeinfo.json.gz");
  EXPECT_TRUE(layout.download_key("Secret", "b").is(ErrorCode::invalid));
  EXPECT_TRUE(layout.download_key("BackupLog", "../b").is(ErrorCode::invalid));
}

TEST(Layout, ResticIdentifierAsInRealPodVolumeBackups) {
  const ResticIdentifierInput real{"http://10.77.0.1:7070", "us-east-1", "apps-dr-guide", "oadp", ""};
  const auto list = decode_pod_volume_backups(fixture::text("1.14/bucket/oadp/backups/b2/b2-podvolumebackups.json.gz"));
  ASSERT_TRUE(list.ok());
  ASSERT_FALSE(list->empty());
  for (const PodVolumeBackup& pvb : *list)
    EXPECT_EQ(restic_identifier(real, pvb.spec.pod.namespace_), pvb.spec.repo_identifier);
  EXPECT_EQ(restic_identifier({"", "eu-west-1", "b", "", ""}, "n"), "s3:s3-eu-west-1.amazonaws.com/b/restic/n");
  EXPECT_EQ(restic_identifier({"", "", "b", "", "s3:x/y/"}, "n"), "s3:x/y/n");
}

}  // namespace
}  // namespace holdfast::velero
