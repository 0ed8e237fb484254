#include "control/deletion.h"

#include "control/backup_sync.h"
#include "control/requests.h"
#include "control/restore_controller.h"
#include "control/test_site.h"
#include "location/volume_repository.h"
#include "objstore/decorators.h"
#include "objstore/fault.h"
#include "repo/archive.h"
#include "velero/metadata.h"

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
    velero::Backup stored;
    stored.metadata.name = "b";
    directory.write("backups/b/velero-backup.json", velero::encode_metadata(stored));
    for (const char* file : {"backups/b/b-logs.gz", "restores/r/restore-r-logs.gz"}) directory.write(file, "x");
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

/// A location with the backup b and its one snapshot, and another backup's; made once, with a key that opens at once.
const TestDirectory& small_location() {
  static const TestDirectory made;
  static const bool filled = [] {
    TestSite site;
    site.make_location("default", made.path());
    const location::Location location = *site.locations.get("default");
    const auto store = objstore::below(location.store, "restic/web").value();
    const crypto::Secret password = crypto::Secret::of("static-passw0rd");
    repo::InitOptions init;
    init.kdf = crypto::ScryptCost{.n = 16, .r = 1, .p = 1};
    const auto repository = repo::Repository::init(store, password, init).value();
    const auto lock = repository->lock({}).value();
    TestDirectory files;
    std::vector<std::string> ids;
    for (const char* text : {"one", "two"}) {
      files.write("f", text);
      repo::ArchiveOptions options;
      options.paths = {"."};
      options.working_directory = files.path();
      repo::NoProgress progress;
      ids.push_back(repo::archive(*repository, *lock, options, progress)->snapshot->id.short_hex());
    }
    made.write("snapshot-of-b", ids[0]);
    velero::Backup stored;
    stored.metadata.name = "b";
    made.write("backups/b/velero-backup.json", velero::encode_metadata(stored));
    for (const char* file : {"backups/b/b-logs.gz", "backups/b/b.tar.gz", "restores/r/restore-r-logs.gz"})
      made.write(file, "x");
    return true;
  }();
  EXPECT_TRUE(filled);
  return made;
}

/// Deletes b with a store that dies at the n-th call of that kind, and goes on with a new process; false: there are
/// fewer calls.
bool survives_death(int n, objstore::Operation operation, objstore::Fault::Kind kind) {
  const std::string where = (kind == objstore::Fault::Kind::crash ? "before " : "after ") + std::to_string(n);
  TestDirectory directory;
  std::filesystem::copy(small_location().path(), directory.path(), std::filesystem::copy_options::recursive);
  const std::string snapshot = read_file(directory.path() + "/snapshot-of-b").value();
  const auto snapshots = [&] {
    const std::filesystem::directory_iterator all(directory.path() + "/restic/web/snapshots");
    return std::distance(begin(all), end(all));
  };
  TestSite site;
  std::shared_ptr<objstore::FaultStore> faults;
  site.decorate = [&](std::shared_ptr<objstore::Store> store) {
    faults = std::make_shared<objstore::FaultStore>(std::move(store));
    return faults;
  };
  site.make_location("default", directory.path());
  site.api.seed_yaml(
      "{apiVersion: v1, kind: Secret, metadata: {name: velero-repo-credentials, namespace: velero}, data: "
      "{repository-password: c3RhdGljLXBhc3N3MHJk}}\n---\n"
      "{apiVersion: velero.io/v1, kind: Backup, metadata: {name: b, namespace: velero}, spec: {storageLocation: "
      "default}, status: {phase: Completed}}\n---\n"
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {backupName: b}}\n---\n"
      "{apiVersion: velero.io/v1, kind: DeleteBackupRequest, metadata: {name: d, namespace: velero}, spec: "
      "{backupName: b}}\n---\n"
      "{apiVersion: velero.io/v1, kind: PodVolumeBackup, metadata: {name: b-1, namespace: velero, labels: "
      "{velero.io/backup-name: b}}, spec: {pod: {namespace: web}, backupStorageLocation: default}, status: "
      "{snapshotID: "
      "\"" +
      snapshot + "\"}}");
  EXPECT_TRUE(site.locations.get("default").ok());
  faults->add({.call = n, .operation = operation, .kind = kind});
  (void)Deletion(site.context).reconcile("d", {}).ok();
  const bool crashed = faults->crashed();
  faults->reset();
  // As long as it looks like a backup it is a whole one, also to another site.
  if (directory.has("backups/b/velero-backup.json")) {
    EXPECT_EQ(snapshots(), 2) << where;
  }
  if (crashed) {
    const auto done = Deletion(site.context).reconcile("d", {});
    EXPECT_TRUE(done.ok()) << where << ": " << done.error().to_string();
  }
  EXPECT_FALSE(site.exists<velero::DeleteBackupRequest>("d")) << where << site.lines->text();
  EXPECT_FALSE(site.exists<velero::Backup>("b")) << where;
  for (const char* file : {"backups/b/b-logs.gz", "backups/b/b.tar.gz", "restores/r/restore-r-logs.gz"})
    EXPECT_FALSE(directory.has(file)) << where << file;
  EXPECT_EQ(snapshots(), 1) << where;
  return crashed;
}

TEST(Deletion, ADeathAtAnyStoreDeleteIsGoneOnFrom) {
  for (auto kind : {objstore::Fault::Kind::crash, objstore::Fault::Kind::crash_after}) {
    int n = 1;
    while (n < 100 && survives_death(n, objstore::Operation::remove, kind) && !testing::Test::HasFailure()) ++n;
    EXPECT_GE(n, 6);  // metadata, snapshot, two files, a restore's, the lock
  }
}

TEST(Deletion, ADeathAtTheLockIsGoneOnFrom) {
  for (auto kind : {objstore::Fault::Kind::crash, objstore::Fault::Kind::crash_after})
    EXPECT_TRUE(survives_death(1, objstore::Operation::put, kind));
}

TEST(Deletion, AForeignExclusiveLockIsHonoured) {
  SyncedSite site;
  const location::Location location = *site.locations.get("default");
  auto repository = location::open_volume_repository(location, "web-app1", crypto::Secret::of("static-passw0rd"),
                                                     location::Missing::refuse);
  ASSERT_TRUE(repository.ok());
  repo::LockOptions exclusive;
  exclusive.mode = repo::LockMode::exclusive;
  exclusive.site = "west";
  auto lock = (*repository)->lock(exclusive);
  ASSERT_TRUE(lock.ok());
  site.ask("b3");
  Deletion deletion(site.context);
  const auto waits = deletion.reconcile("d", {});
  ASSERT_TRUE(waits.ok());
  EXPECT_TRUE(waits->delay.has_value());
  EXPECT_THAT(site.lines->text(), HasSubstr("repository of namespace web-app1"));
  EXPECT_THAT(site.lines->text(), HasSubstr("exclusive lock"));
  EXPECT_TRUE(site.directory.has("dr/backups/b3/velero-backup.json"));
  EXPECT_EQ(site.files("restic/web-app1/snapshots"), 3U);
  ASSERT_TRUE((*lock)->release().ok());
  ASSERT_TRUE(deletion.reconcile("d", {}).ok());
  EXPECT_FALSE(site.exists<velero::Backup>("b3")) << site.lines->text();
  EXPECT_FALSE(site.directory.has("dr/restic/web-app1/locks"));
}

TEST(Deletion, ARunningRestoreIsWaitedFor) {
  SyncedSite site;
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {backupName: b3}, "
      "status: {phase: InProgress}}");
  site.ask("b3");
  Deletion deletion(site.context);
  const auto waits = deletion.reconcile("d", {});
  ASSERT_TRUE(waits.ok());
  EXPECT_TRUE(waits->delay.has_value());
  EXPECT_TRUE(site.directory.has("dr/backups/b3/velero-backup.json"));
  EXPECT_EQ(site.get<velero::Backup>("b3").status.phase, "Completed");
  site.patch("restores", "r", R"({"status":{"phase":"Completed"}})");
  ASSERT_TRUE(deletion.reconcile("d", {}).ok());
  EXPECT_FALSE(site.exists<velero::Backup>("b3"));
  EXPECT_FALSE(site.exists<velero::Restore>("r"));
}

TEST(Deletion, WhatIsBeingDeletedIsNotRestored) {
  SyncedSite site;
  site.patch("backups", "b3", R"({"status":{"phase":"Deleting"}})");
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {backupName: b3}}");
  BackupSync sync(site.context);
  ASSERT_TRUE(RestoreController(site.context, sync).reconcile("r", {}).ok());
  const auto restore = site.get<velero::Restore>("r");
  EXPECT_EQ(restore.status.phase, "FailedValidation");
  EXPECT_THAT(restore.status.validation_errors, testing::Contains(HasSubstr("backup b3 is being deleted")));
  // The same, where the deletion begins between the look and the run.
  site.patch("backups", "b3", R"({"status":{"phase":"Completed"}})");
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r2, namespace: velero}, spec: {backupName: b3}}");
  kube::FakeApi::Fault fault;
  fault.verb = "patch";
  fault.resource = "restores.velero.io";
  fault.meanwhile = [&] { site.patch("backups", "b3", R"({"status":{"phase":"Deleting"}})"); };
  site.api.inject(fault);
  ASSERT_TRUE(RestoreController(site.context, sync).reconcile("r2", {}).ok());
  EXPECT_EQ(site.get<velero::Restore>("r2").status.phase, "Failed");
  EXPECT_THAT(site.get<velero::Restore>("r2").status.failure_reason, HasSubstr("backup b3 is being deleted"));
}

/// A Backup object named b3 that is not the backup b3 in the location.
void replace_object(SyncedSite& site, const std::string& meta, const std::string& status) {
  ASSERT_TRUE(site.context.objects.remove<velero::Backup>("b3").ok());
  site.api.seed_yaml("{apiVersion: velero.io/v1, kind: Backup, metadata: {name: b3, namespace: velero" + meta +
                     "}, spec: {storageLocation: default}, status: " + status + "}");
}

TEST(Deletion, ANamesakesFilesAndSnapshotsStay) {
  const std::pair<const char*, const char*> objects[] = {
      {"", "{phase: FailedValidation}"},
      {", annotations: {holdfast.dev/site: east, holdfast.dev/attempt: \"0a0b\"}",
       "{phase: Failed, startTimestamp: "
       "'2026-01-01T00:00:00Z'}"},
      {"", "{phase: Deleting, startTimestamp: '2026-01-01T00:00:00Z'}"}};
  for (const auto& [meta, status] : objects) {
    SyncedSite site;
    replace_object(site, meta, status);
    const size_t files = site.files("");
    site.ask("b3");
    const auto done = Deletion(site.context).reconcile("d", {});
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    EXPECT_FALSE(site.exists<velero::Backup>("b3"));
    EXPECT_EQ(site.files(""), files) << meta << status;
    EXPECT_THAT(site.lines->text(), HasSubstr("only the object is deleted"));
  }
}

TEST(Deletion, MetadataThatCannotBeReadProvesNothing) {
  SyncedSite site;
  site.directory.write("dr/backups/b3/velero-backup.json", "{\"kind\": \"Ba");
  const size_t files = site.files("");
  site.ask("b3");
  EXPECT_THAT(refused(site).errors.at(0), HasSubstr("it cannot be told whose backup this is"));
  EXPECT_EQ(site.files(""), files);
}

TEST(Deletion, OnlyTheHolderDeletes) {
  SyncedSite site;
  site.options.site = "west";
  velero::Backup b3 = site.get<velero::Backup>("b3");
  b3.metadata.annotations[std::string(velero::annotation::kSite)] = "east";
  b3.metadata.annotations[std::string(velero::annotation::kEpoch)] = "0";
  ASSERT_TRUE(site.context.objects.write_status(b3, VeleroObjects::Also::metadata).ok());
  const size_t files = site.files("");
  site.ask("b3");
  const auto status = refused(site);
  ASSERT_EQ(status.errors.size(), 1U);
  EXPECT_THAT(status.errors[0], HasSubstr("backup b3: it was written by site east and this is site west"));
  EXPECT_THAT(status.errors[0], HasSubstr("backup-location set default --take-over east"));
  EXPECT_EQ(site.files(""), files);
  EXPECT_EQ(site.get<velero::Backup>("b3").status.phase, "Completed");
  // Neither by age.
  site.clock.advance(std::chrono::hours(24 * 120));
  ASSERT_TRUE(site.context.objects.remove<velero::DeleteBackupRequest>("d").ok());
  ASSERT_TRUE(Expiry(site.context).reconcile("b3", {}).ok());
  EXPECT_TRUE(site.all<velero::DeleteBackupRequest>().empty());
  EXPECT_EQ(site.get<velero::Backup>("b3").metadata.label(velero::label::kGcFailure), "NotHolder");
  // Until it has taken over.
  site.patch("backupstoragelocations", "default", R"({"metadata":{"annotations":{"holdfast.dev/take-over":"east"}}})");
  ASSERT_TRUE(Expiry(site.context).reconcile("b3", {}).ok());
  ASSERT_EQ(site.all<velero::DeleteBackupRequest>().size(), 1U);
  const auto done = Deletion(site.context).reconcile(site.all<velero::DeleteBackupRequest>()[0].metadata.name, {});
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_FALSE(site.exists<velero::Backup>("b3"));
  EXPECT_FALSE(site.directory.has("dr/backups/b3/b3-logs.gz"));
  // An epoch that was claimed is beyond this release, also for the site itself.
  velero::Backup b2 = site.get<velero::Backup>("b2");
  b2.metadata.annotations[std::string(velero::annotation::kSite)] = "west";
  b2.metadata.annotations[std::string(velero::annotation::kEpoch)] = "3";
  ASSERT_TRUE(site.context.objects.write_status(b2, VeleroObjects::Also::metadata).ok());
  site.ask("b2");
  EXPECT_THAT(refused(site).errors.at(0), HasSubstr("it was written in epoch 3"));
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
