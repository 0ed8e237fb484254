#include "control/leftovers.h"

#include <thread>

#include "control/backup_controller.h"
#include "control/backup_sync.h"
#include "control/test_site.h"
#include "objstore/fault.h"
#include "objstore/mem.h"

namespace holdfast::control {
namespace {

using std::chrono::hours;

/// One store for several sites, all with the same time.
struct Bucket {
  FakeClock clock;
  std::shared_ptr<objstore::MemStore> mem = std::make_shared<objstore::MemStore>("bucket", clock);
  std::shared_ptr<objstore::FaultStore> faults = std::make_shared<objstore::FaultStore>(mem);
  [[nodiscard]] size_t files_of(const std::string& backup) const {
    size_t count = 0;
    for (const auto& [key, bytes] : mem->contents())
      if (key.starts_with("backups/" + backup + "/")) ++count;
    return count;
  }
};

class Site : public TestSite {
 public:
  Site(Bucket& bucket, const std::string& name) : bucket_(bucket) {
    options.site = name;
    decorate = [&bucket](const auto&) { return bucket.faults; };
    make_location("default", "/not-looked-at");
    api.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {colour: blue}}");
    patch("backupstoragelocations", "default", R"({"status":{"phase":"Available"}})");
    follow();
  }
  /// The clock of the site becomes the bucket's.
  void follow() { clock.advance(bucket_.clock.now() - clock.now()); }
  velero::Backup back_up(const std::string& name) {
    follow();
    api.seed_yaml("{apiVersion: velero.io/v1, kind: Backup, metadata: {name: " + name +
                  ", namespace: velero}, spec: {includedNamespaces: [web]}}");
    (void)BackupController(context).reconcile(name, {}).ok();
    return get<velero::Backup>(name);
  }
  void clear() {
    follow();
    const auto after = Leftovers(context).reconcile("default", {});
    EXPECT_TRUE(after.ok()) << after.error().to_string();
  }

 private:
  Bucket& bucket_;
};

/// The backup "b" of site east whose controller died before its n-th store call after the probe; false: there are
/// fewer.
bool died_at(Bucket& bucket, Site& east, int n) {
  EXPECT_TRUE(east.locations.proven("default").ok());
  bucket.faults->reset();
  bucket.faults->crash_at(n);
  const velero::Backup backup = east.back_up("b");
  const bool crashed = bucket.faults->crashed();
  bucket.faults->reset();
  EXPECT_EQ(backup.status.phase, crashed ? "Failed" : "Completed");
  return crashed;
}

TEST(Leftovers, GoAfterADayWhereverTheControllerDied) {
  int left_files = 0;
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100);
    Bucket bucket;
    Site east(bucket, "east");
    Site west(bucket, "west");
    if (!died_at(bucket, east, n)) break;
    const size_t files = bucket.files_of("b");
    const bool whole = bucket.mem->contents().contains("backups/b/velero-backup.json");
    if (files > 0 && !whole) ++left_files;
    bucket.clock.advance(hours(24));
    east.clear();
    EXPECT_EQ(bucket.files_of("b"), files) << n;
    bucket.clock.advance(hours(1));
    west.clear();
    EXPECT_EQ(bucket.files_of("b"), files) << n;
    east.clear();
    EXPECT_EQ(bucket.files_of("b"), whole ? files : 0U) << n;
    // The name is free again.
    if (!whole) {
      ASSERT_TRUE(east.context.objects.remove<velero::Backup>("b").ok());
      EXPECT_EQ(east.back_up("b").status.phase, "Completed") << n;
    }
  }
  EXPECT_GT(left_files, 4);
}

TEST(Leftovers, OfAnotherSiteStayUnlessItWasTakenOver) {
  Bucket bucket;
  Site east(bucket, "east");
  Site west(bucket, "west");
  ASSERT_TRUE(died_at(bucket, east, 6));
  const size_t files = bucket.files_of("b");
  ASSERT_GT(files, 0U);
  bucket.clock.advance(hours(24 * 40));
  west.clear();
  EXPECT_EQ(bucket.files_of("b"), files);
  west.patch("backupstoragelocations", "default",
             R"({"metadata":{"annotations":{"holdfast.dev/take-over":"north, east"}}})");
  west.clear();
  EXPECT_EQ(bucket.files_of("b"), 0U);
}

TEST(Leftovers, AreNotWhatABackupOfThisClusterIsAtWorkOn) {
  Bucket bucket;
  Site east(bucket, "east");
  ASSERT_TRUE(died_at(bucket, east, 6));
  const size_t files = bucket.files_of("b");
  bucket.clock.advance(hours(48));
  for (const char* phase : {"InProgress", "Deleting"}) {
    east.patch("backups", "b", std::string(R"({"status":{"phase":")") + phase + "\"}}");
    east.clear();
    EXPECT_EQ(bucket.files_of("b"), files) << phase;
  }
}

TEST(Leftovers, AReadOnlyOrUnavailableLocationIsLeftAlone) {
  Bucket bucket;
  Site east(bucket, "east");
  ASSERT_TRUE(died_at(bucket, east, 6));
  const size_t files = bucket.files_of("b");
  bucket.clock.advance(hours(48));
  east.patch("backupstoragelocations", "default", R"({"status":{"phase":"Unavailable"}})");
  east.clear();
  east.patch("backupstoragelocations", "default",
             R"({"spec":{"accessMode":"ReadOnly"},"status":{"phase":"Available"}})");
  east.clear();
  EXPECT_EQ(bucket.files_of("b"), files);
}

TEST(Leftovers, WhatNamesNobodyStays) {
  Bucket bucket;
  Site east(bucket, "east");
  for (const char* key : {"backups/velero/velero.tar.gz", "backups/odd/odd-logs.gz"})
    ASSERT_TRUE(bucket.mem->put(key, "x").ok());
  bucket.clock.advance(hours(24 * 40));
  east.clear();
  EXPECT_EQ(bucket.mem->contents().size(), 2U);
}

TEST(Leftovers, MetadataThatComesInTheLastMomentSavesThem) {
  Bucket bucket;
  Site east(bucket, "east");
  ASSERT_TRUE(died_at(bucket, east, 6));
  const size_t files = bucket.files_of("b");
  bucket.clock.advance(hours(48));
  bucket.faults->add({.operation = objstore::Operation::get, .key = "b-logs.gz", .kind = objstore::Fault::Kind::stall});
  {
    const std::jthread clearing([&] { east.clear(); });
    bucket.faults->wait_for_stalled(1);
    EXPECT_TRUE(bucket.mem->put("backups/b/velero-backup.json", "{}").ok());
    bucket.faults->release();
  }
  EXPECT_EQ(bucket.files_of("b"), files + 1);
}

TEST(Leftovers, ASyncBesideThemSeesOnlyBackups) {
  Bucket bucket;
  Site east(bucket, "east");
  Site west(bucket, "west");
  ASSERT_EQ(east.back_up("whole").status.phase, "Completed");
  ASSERT_TRUE(died_at(bucket, east, 6));
  bucket.clock.advance(hours(48));
  west.follow();
  std::atomic<bool> over = false;
  BackupSync sync(west.context);
  {
    const std::jthread syncing([&] {
      while (!over) {
        EXPECT_TRUE(sync.sync(*west.locations.get("default"), {}).ok());
      }
    });
    east.clear();
    over = true;
  }
  EXPECT_EQ(bucket.files_of("b"), 0U);
  ASSERT_TRUE(sync.sync(*west.locations.get("default"), {}).ok());
  const auto synced = west.all<velero::Backup>();
  ASSERT_EQ(synced.size(), 1U);
  EXPECT_EQ(synced[0].metadata.name, "whole");
}

TEST(Leftovers, ALookIsTakenOncePerPeriod) {
  Bucket bucket;
  Site east(bucket, "east");
  Leftovers leftovers(east.context);
  EXPECT_EQ(leftovers.reconcile("default", {})->delay, hours(1));
  const int calls = bucket.faults->calls();
  east.clock.advance(std::chrono::minutes(20));
  EXPECT_EQ(leftovers.reconcile("default", {})->delay, std::chrono::minutes(40));
  EXPECT_EQ(bucket.faults->calls(), calls);
  EXPECT_FALSE(leftovers.reconcile("nosuch", {})->delay.has_value());
}

}  // namespace
}  // namespace holdfast::control
