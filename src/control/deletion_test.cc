#include "control/deletion.h"

#include "control/backup_sync.h"
#include "control/requests.h"
#include "control/test_site.h"

namespace holdfast::control {
namespace {

using testing::HasSubstr;

/// A site that has synced the backups b1, b2, b3 and bpf2 that Velero wrote, with their restic repositories.
class SyncedSite : public TestSite {
 public:
  explicit SyncedSite(const std::string& password = "c3RhdGljLXBhc3N3MHJk", const std::string& more = "") {
    directory.copy_fixture("1.14/bucket/oadp", "dr");
    make_location("default", directory.path() + "/dr", more);
    patch("backupstoragelocations", "default", R"({"status":{"phase":"Available"}})");
    api.seed_yaml(
        "{apiVersion: v1, kind: Secret, metadata: {name: velero-repo-credentials, namespace: velero}, data: " +
        std::string("{repository-password: ") + password + "}}");
    EXPECT_TRUE(BackupSync(context).reconcile("default", {}).ok());
    EXPECT_TRUE(exists<velero::Backup>("b3"));
  }
  void ask(const std::string& backup) {
    api.seed_yaml(
        "{apiVersion: velero.io/v1, kind: DeleteBackupRequest, metadata: {name: d, namespace: velero}, spec: " +
        std::string("{backupName: ") + backup + "}}");
  }
  [[nodiscard]] size_t files(const std::string& below) const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path() + "/dr/" + below)) {
      if (entry.is_regular_file()) ++count;
    }
    return count;
  }
  TestDirectory directory;
};

velero::DeleteBackupRequestStatus refused(SyncedSite& site) {
  Deletion deletion(site.context);
  EXPECT_TRUE(deletion.reconcile("d", {}).ok());
  return site.get<velero::DeleteBackupRequest>("d").status;
}

TEST(Deletion, ForgetsTheSnapshotsThenRemovesFilesRestoresAndObject) {
  SyncedSite site;
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r9, namespace: velero, finalizers: "
      "[restores.velero.io/external-resources-finalizer]}, spec: {backupName: b3}}");
  site.directory.write("dr/restores/r9/restore-r9-logs.gz", "x");
  site.ask("b3");
  const size_t packs = site.files("restic/web-app1/data") + site.files("restic/web-app2/data");
  ASSERT_EQ(site.files("restic/web-app1/snapshots"), 3U);
  Deletion deletion(site.context);
  const auto done = deletion.reconcile("d", {});
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_FALSE(site.exists<velero::DeleteBackupRequest>("d"));
  EXPECT_FALSE(site.exists<velero::Backup>("b3"));
  EXPECT_FALSE(site.exists<velero::Restore>("r9"));
  EXPECT_FALSE(site.directory.has("dr/backups/b3/velero-backup.json"));
  EXPECT_FALSE(site.directory.has("dr/restores/r9/restore-r9-logs.gz"));
  EXPECT_EQ(site.files("restic/web-app1/snapshots"), 2U);
  EXPECT_FALSE(
      site.directory.has("dr/restic/web-app1/snapshots/"
                         "d88f68004c231413f6a92b5b05b5c0faad78ebd3037ad7228c5878dd28e09bd6"));
  EXPECT_EQ(site.files("restic/web-app1/data") + site.files("restic/web-app2/data"), packs);
  EXPECT_TRUE(site.exists<velero::Backup>("b1"));
  EXPECT_TRUE(site.directory.has("dr/backups/b1/velero-backup.json"));
  ASSERT_TRUE(BackupSync(site.context).reconcile("default", {}).ok());
  EXPECT_FALSE(site.exists<velero::Backup>("b3"));
}

TEST(Deletion, AReadOnlyLocationRefuses) {
  SyncedSite site("c3RhdGljLXBhc3N3MHJk", ", accessMode: ReadOnly");
  site.ask("b3");
  const size_t files = site.files("");
  const auto status = refused(site);
  EXPECT_EQ(status.phase, "Processed");
  ASSERT_EQ(status.errors.size(), 1U);
  EXPECT_THAT(status.errors[0],
              HasSubstr("cannot delete backup because backup storage location default is currently in read-only mode"));
  EXPECT_EQ(site.files(""), files);
  EXPECT_EQ(site.get<velero::Backup>("b3").status.phase, "Completed");
}

TEST(Deletion, AWrongRepositoryPasswordLosesNothing) {
  SyncedSite site("d3Jvbmc=");
  site.ask("b3");
  const size_t files = site.files("");
  const auto status = refused(site);
  ASSERT_EQ(status.errors.size(), 1U);
  EXPECT_THAT(status.errors[0], HasSubstr("velero-repo-credentials"));
  EXPECT_THAT(status.errors[0], HasSubstr("wrong password"));
  EXPECT_EQ(site.files(""), files);
  EXPECT_TRUE(site.exists<velero::Backup>("b3"));
}

TEST(Deletion, RefusesWhatIsNotThereAndWhatStillRuns) {
  {
    SyncedSite site;
    site.ask("nosuch");
    EXPECT_THAT(refused(site).errors.at(0), HasSubstr("backup not found"));
  }
  SyncedSite site;
  site.patch("backups", "b3", R"({"status":{"phase":"InProgress"}})");
  site.ask("b3");
  EXPECT_THAT(refused(site).errors.at(0), HasSubstr("backup is still in progress"));
  EXPECT_TRUE(site.directory.has("dr/backups/b3/velero-backup.json"));
  site.clock.advance(std::chrono::hours(24));
  ASSERT_TRUE(Deletion(site.context).reconcile("d", {}).ok());
  EXPECT_FALSE(site.exists<velero::DeleteBackupRequest>("d"));
}

TEST(Deletion, ADeathAtAnyCallIsGoneOnFrom) {
  for (int n = 1; n <= 40; ++n) {
    TestSite site;
    TestDirectory directory;
    site.make_location("default", directory.path());
    site.api.seed_yaml(
        "{apiVersion: velero.io/v1, kind: Backup, metadata: {name: b, namespace: velero}, spec: {storageLocation: "
        "default}, status: {phase: Completed}}\n---\n"
        "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero, finalizers: "
        "[restores.velero.io/external-resources-finalizer]}, spec: {backupName: b}}\n---\n"
        "{apiVersion: velero.io/v1, kind: DeleteBackupRequest, metadata: {name: d, namespace: velero}, spec: "
        "{backupName: b}}");
    for (const char* file : {"backups/b/velero-backup.json", "backups/b/b-logs.gz", "restores/r/restore-r-logs.gz"})
      directory.write(file, "x");
    site.api.forget_calls();
    kube::FakeApi::Fault fault;
    fault.nth = n;
    fault.error = Error(ErrorCode::unavailable, "gone");
    site.api.inject(fault);
    const bool first = Deletion(site.context).reconcile("d", {}).ok();
    const bool hit = site.api.calls().size() >= static_cast<size_t>(n);
    site.api.clear_faults();
    EXPECT_EQ(first, !hit) << n;
    const auto done = Deletion(site.context).reconcile("d", {});
    ASSERT_TRUE(done.ok()) << n << done.error().to_string();
    EXPECT_FALSE(site.exists<velero::Backup>("b")) << n;
    EXPECT_FALSE(site.exists<velero::Restore>("r")) << n;
    EXPECT_FALSE(site.exists<velero::DeleteBackupRequest>("d")) << n;
    EXPECT_FALSE(directory.has("backups/b/velero-backup.json")) << n;
    EXPECT_FALSE(directory.has("restores/r/restore-r-logs.gz")) << n;
    if (!hit) return;
  }
  FAIL() << "the sweep never ended";
}

TEST(Expiry, AsksOnceForAnExpiredBackup) {
  SyncedSite site;
  Expiry expiry(site.context);
  EXPECT_EQ(expiry.reconcile("b3", {})->delay, site.options.garbage_collection_frequency);
  EXPECT_TRUE(site.all<velero::DeleteBackupRequest>().empty());
  site.clock.advance(std::chrono::hours(24 * 120));
  ASSERT_TRUE(expiry.reconcile("b3", {}).ok());
  ASSERT_TRUE(expiry.reconcile("b3", {}).ok());
  const auto requests = site.all<velero::DeleteBackupRequest>();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].spec.backup_name, "b3");
  // One that failed does not stand for ever: the backup may have stayed in Deleting.
  site.patch("deletebackuprequests", requests[0].metadata.name, R"({"status":{"phase":"Processed"}})");
  site.patch("backups", "b3", R"({"status":{"phase":"Deleting"}})");
  ASSERT_TRUE(expiry.reconcile("b3", {}).ok());
  EXPECT_EQ(site.all<velero::DeleteBackupRequest>().size(), 2U);
}

TEST(Expiry, SaysWhyItCannot) {
  SyncedSite site;
  site.clock.advance(std::chrono::hours(24 * 120));
  Expiry expiry(site.context);
  const auto reason = [&] {
    EXPECT_TRUE(expiry.reconcile("b3", {}).ok());
    return site.get<velero::Backup>("b3").metadata.label(velero::label::kGcFailure);
  };
  site.patch("backupstoragelocations", "default", R"({"status":{"phase":"Unavailable"}})");
  EXPECT_EQ(reason(), "BSLUnavailable");
  site.patch("backupstoragelocations", "default", R"({"spec":{"accessMode":"ReadOnly"}})");
  EXPECT_EQ(reason(), "BSLReadOnly");
  ASSERT_TRUE(site.context.objects.remove<velero::BackupStorageLocation>("default").ok());
  EXPECT_EQ(reason(), "BSLNotFound");
  EXPECT_TRUE(site.all<velero::DeleteBackupRequest>().empty());
}

void request_download(TestSite& site, const std::string& kind, const std::string& name) {
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: DownloadRequest, metadata: {name: q, namespace: velero}, spec: " +
      std::string("{target: {kind: ") + kind + ", name: " + name + "}}}");
}

TEST(DownloadRequests, NameTheKeyWhereNothingCanBeSigned) {
  SyncedSite site;
  request_download(site, "BackupLog", "b1");
  DownloadRequests requests(site.context);
  const auto after = requests.reconcile("q", {});
  ASSERT_TRUE(after.ok()) << after.error().to_string();
  const auto request = site.get<velero::DownloadRequest>("q");
  EXPECT_EQ(request.status.phase, "Processed");
  EXPECT_EQ(request.status.download_url, "");
  EXPECT_EQ(request.metadata.annotation(kDownloadKeyAnnotation), "default backups/b1/b1-logs.gz");
  site.clock.advance(*after->delay);
  ASSERT_TRUE(requests.reconcile("q", {}).ok());
  EXPECT_FALSE(site.exists<velero::DownloadRequest>("q"));
}

TEST(DownloadRequests, GetASignedUrlOfABucket) {
  TestSite site;
  site.api.seed_yaml(R"(
{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: s3, namespace: velero}, spec: {provider: aws, objectStorage: {bucket: bkt, prefix: dr}, config: {region: r, s3Url: "http://127.0.0.1:1", s3ForcePathStyle: "true"}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: cloud-credentials, namespace: velero}, stringData: {}, data: {cloud: W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPWFiYwphd3Nfc2VjcmV0X2FjY2Vzc19rZXk9ZGVmCg==}}
---
{apiVersion: velero.io/v1, kind: Backup, metadata: {name: b, namespace: velero}, spec: {storageLocation: s3}, status: {phase: Completed}}
---
{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {backupName: b}}
)");
  request_download(site, "RestoreResults", "r");
  DownloadRequests requests(site.context);
  const auto after = requests.reconcile("q", {});
  ASSERT_TRUE(after.ok()) << after.error().to_string();
  const std::string url = site.get<velero::DownloadRequest>("q").status.download_url;
  EXPECT_THAT(url, HasSubstr("http://127.0.0.1:1/bkt/dr/restores/r/restore-r-results.gz?"));
  EXPECT_THAT(url, HasSubstr("X-Amz-Signature="));
}

TEST(ServerStatusRequests, TellTheVersionAndGoAfterAMinute) {
  TestSite site;
  site.api.seed_yaml("{apiVersion: velero.io/v1, kind: ServerStatusRequest, metadata: {name: q, namespace: velero}}");
  ServerStatusRequests requests(site.context);
  ASSERT_TRUE(requests.reconcile("q", {}).ok());
  const auto request = site.get<velero::ServerStatusRequest>("q");
  EXPECT_EQ(request.status.phase, "Processed");
  EXPECT_EQ(request.status.server_version, "v9.9.9");
  site.clock.advance(std::chrono::minutes(1));
  ASSERT_TRUE(requests.reconcile("q", {}).ok());
  EXPECT_FALSE(site.exists<velero::ServerStatusRequest>("q"));
}

}  // namespace
}  // namespace holdfast::control
