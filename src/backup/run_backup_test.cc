#include "backup/run_backup.h"

#include <gtest/gtest.h>

#include "backup/fake_volumes.h"
#include "base/fake_clock.h"
#include "objstore/fault.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

const std::string kDirectory = "1.14/bucket/oadp/backups/b3";

/// A cluster as the fixtures' one, a store and a clock that sleeps in no time.
class RunBackup : public testing::Test {
 protected:
  RunBackup() { fixture::load(api_, fixture::tarball(kDirectory + "/b3.tar.gz")); }

  BackupRun run_of(const std::string& name = "b3") {
    BackupRun run{.layout = velero::Layout::at("oadp").value(),
                  .collect = {},
                  .site = "east",
                  .attempt = "",
                  .spill_directory = {},
                  .epochs = nullptr,
                  .log = log::Logger(),
                  .clock = &clock_};
    run.collect.backup = fixture::backup(kDirectory);
    run.collect.backup.metadata.name = name;
    run.collect.backup.status = {};
    return run;
  }
  Result<BackupOutcome> backup(objstore::Store& store, const BackupRun& run) {
    FakeVolumeBackups volumes;
    return run_backup(api_, store, run, &volumes);
  }
  static bool visible(const objstore::MemStore& store) {
    return store.contents().contains("oadp/backups/b3/velero-backup.json");
  }
  /// Every file that a backup has, readable and of this attempt.
  static void expect_whole(const objstore::MemStore& store) {
    const auto files = store.contents();
    for (velero::BackupFile file : velero::backup_write_order()) {
      EXPECT_TRUE(files.contains(velero::Layout::at("oadp").value().key(file, "b3")));
    }
    const Result<Tarball> tarball = Tarball::read(memory_source(files.at("oadp/backups/b3/b3.tar.gz")), {});
    ASSERT_TRUE(tarball.ok());
    EXPECT_EQ(tarball->entries().size(), 56U);
    const auto metadata = velero::decode_metadata(files.at("oadp/backups/b3/velero-backup.json"));
    const std::string log = velero::gunzip(files.at("oadp/backups/b3/b3-logs.gz")).value();
    EXPECT_NE(log.find(metadata->metadata.annotation(velero::annotation::kAttempt)), std::string::npos);
  }

  FakeClock clock_;
  kube::FakeApi api_;
};

TEST_F(RunBackup, WritesWhatVeleroWrites) {
  objstore::MemStore store;
  const Result<BackupOutcome> outcome = backup(store, run_of());
  ASSERT_TRUE(outcome.ok()) << outcome.error().to_string();
  EXPECT_EQ(outcome->phase, "Completed");
  expect_whole(store);
  const auto files = store.contents();
  EXPECT_EQ(files.size(), velero::backup_write_order().size());
  const velero::Backup stored = velero::decode_metadata(files.at("oadp/backups/b3/velero-backup.json")).value();
  const velero::Backup golden = fixture::backup(kDirectory);
  EXPECT_EQ(json::compact(velero::encode(stored.spec)), json::compact(velero::encode(golden.spec)));
  EXPECT_EQ(stored.metadata.labels, golden.metadata.labels);
  EXPECT_EQ(stored.status.progress->items_backed_up, golden.status.progress->items_backed_up);
  EXPECT_EQ(stored.status.hook_status->hooks_attempted, golden.status.hook_status->hooks_attempted);
  EXPECT_EQ(stored.status.format_version, golden.status.format_version);
  EXPECT_EQ(*stored.status.expiration - *stored.status.start_timestamp, std::chrono::hours(720));
  EXPECT_EQ(stored.metadata.annotation(velero::annotation::kSite), "east");
  EXPECT_EQ(stored.metadata.annotation(velero::annotation::kEpoch), "0");
  EXPECT_EQ(velero::gunzip(files.at("oadp/backups/b3/b3-resource-list.json.gz")).value(),
            fixture::plain(kDirectory + "/b3-resource-list.json.gz"));
  EXPECT_EQ(velero::gunzip(files.at("oadp/backups/b3/b3-results.gz")).value(),
            fixture::plain(kDirectory + "/b3-results.gz"));
  EXPECT_EQ(velero::gunzip(files.at("oadp/backups/b3/b3-itemoperations.json.gz")).value(),
            fixture::plain(kDirectory + "/b3-itemoperations.json.gz"));
  EXPECT_EQ(velero::gunzip(files.at("oadp/backups/b3/b3-volumesnapshots.json.gz")).value(),
            fixture::plain(kDirectory + "/b3-volumesnapshots.json.gz"));
}

TEST_F(RunBackup, VolumeInfoTellsOfTheSameVolumes) {
  objstore::MemStore store;
  ASSERT_TRUE(backup(store, run_of()).ok());
  const auto told = [](const std::string& text) {
    std::set<std::string> lines;
    for (const velero::BackupVolumeInfo& info : velero::decode_backup_volume_infos(text).value()) {
      lines.insert(info.pvc_namespace + "/" + info.pvc_name + " " + info.pv_name + " " + info.backup_method + " " +
                   info.pvb_info->pod_name + "/" + info.pvb_info->volume_name + " " + info.pvb_info->node_name + " " +
                   (info.pv_info ? info.pv_info->reclaim_policy : "-"));
    }
    return lines;
  };
  EXPECT_EQ(told(velero::gunzip(store.contents().at("oadp/backups/b3/b3-volumeinfo.json.gz")).value()),
            told(fixture::plain(kDirectory + "/b3-volumeinfo.json.gz")));
}

TEST_F(RunBackup, ErrorsMakeItPartiallyFailed) {
  objstore::MemStore store;
  BackupRun run = run_of();
  run.collect.backup.spec.included_namespaces.push_back("nosuch");
  const Result<BackupOutcome> outcome = backup(store, run);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  EXPECT_EQ(outcome->backup.status.errors, 1);
}

TEST_F(RunBackup, NothingUnderTheNameIsOverwritten) {
  for (const std::string name : {"velero-backup.json", "b3.tar.gz", "b3-logs.gz"}) {
    objstore::MemStore store;
    ASSERT_TRUE(store.put("oadp/backups/b3/" + name, "somebody's").ok());
    EXPECT_TRUE(backup(store, run_of()).is(ErrorCode::exists));
    EXPECT_EQ(store.contents().size(), 1U);
    EXPECT_EQ(store.contents().begin()->second, "somebody's");
  }
}

TEST_F(RunBackup, OfTwoAtTheSameTimeOneWins) {
  objstore::MemStore store;
  std::vector<Result<BackupOutcome>> outcomes;
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        Result<BackupOutcome> outcome = backup(store, run_of());
        std::lock_guard lock(mutex);
        outcomes.push_back(std::move(outcome));
      });
    }
  }
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.ok(); }), 1);
  for (const auto& one : outcomes) EXPECT_TRUE(one.ok() || one.is(ErrorCode::exists));
  expect_whole(store);
}

TEST_F(RunBackup, AKillAtAnyStoreCallLeavesAWholeBackupOrNone) {
  int calls = 0;
  {
    objstore::FaultStore counted(std::make_shared<objstore::MemStore>());
    ASSERT_TRUE(backup(counted, run_of()).ok());
    calls = counted.calls();
  }
  ASSERT_GT(calls, 10);
  for (auto kind : {objstore::Fault::Kind::crash, objstore::Fault::Kind::crash_after}) {
    for (int n = 1; n <= calls; ++n) {
      auto inner = std::make_shared<objstore::MemStore>();
      objstore::FaultStore store(inner);
      store.crash_at(n, kind);
      const Result<BackupOutcome> outcome = backup(store, run_of());
      EXPECT_FALSE(outcome.ok()) << n;
      if (visible(*inner)) expect_whole(*inner);
    }
  }
}

TEST_F(RunBackup, OneFailingOrUnansweredCallIsGotOver) {
  int calls = 0;
  {
    objstore::FaultStore counted(std::make_shared<objstore::MemStore>());
    ASSERT_TRUE(backup(counted, run_of()).ok());
    calls = counted.calls();
  }
  for (auto kind : {objstore::Fault::Kind::refuse, objstore::Fault::Kind::lost_answer}) {
    for (int n = 2; n <= calls; ++n) {  // the first is the look at the directory, which nobody needs to repeat
      auto inner = std::make_shared<objstore::MemStore>();
      objstore::FaultStore store(inner);
      store.add({.call = n, .kind = kind});
      const Result<BackupOutcome> outcome = backup(store, run_of());
      EXPECT_TRUE(outcome.ok()) << n << " " << outcome.error().to_string();
      expect_whole(*inner);
    }
  }
}

TEST_F(RunBackup, ADeniedWriteLeavesNothingBehind) {
  for (velero::BackupFile file : velero::backup_write_order()) {
    auto inner = std::make_shared<objstore::MemStore>();
    objstore::FaultStore store(inner);
    store.add({.operation = file == velero::BackupFile::contents ? objstore::Operation::start_upload
                                                                 : objstore::Operation::put_if_absent,
               .key = velero::Layout::at("oadp").value().key(file, "b3"),
               .kind = objstore::Fault::Kind::refuse,
               .code = ErrorCode::denied});
    EXPECT_TRUE(backup(store, run_of()).is(ErrorCode::denied));
    EXPECT_FALSE(visible(*inner));
    if (file != velero::BackupFile::metadata) {
      EXPECT_TRUE(inner->contents().empty());
    }
  }
}

/// An epoch that moves at the second look.
class MovingEpoch final : public EpochSource {
 public:
  explicit MovingEpoch(bool moves) : moves_(moves) {}
  Result<std::string> current(std::stop_token) override { return std::string(looks_++ > 0 && moves_ ? "8" : "7"); }

 private:
  bool moves_;
  int looks_ = 0;
};

TEST_F(RunBackup, WritesNoMetadataOnceTheEpochMoved) {
  for (const bool moves : {false, true}) {
    MovingEpoch epochs(moves);
    BackupRun run = run_of();
    run.epochs = &epochs;
    objstore::MemStore store;
    const Result<BackupOutcome> outcome = backup(store, run);
    EXPECT_EQ(outcome.ok(), !moves);
    EXPECT_EQ(visible(store), !moves);
    if (moves) {
      EXPECT_TRUE(outcome.is(ErrorCode::conflict) && store.contents().empty());
    }
    if (!moves) {
      EXPECT_EQ(outcome->backup.metadata.annotation(velero::annotation::kEpoch), "7");
    }
  }
}

TEST_F(RunBackup, AFailedDiscoveryIsFatal) {
  kube::FakeApi::Fault fault;
  fault.verb = "discover";
  fault.error = Error(ErrorCode::denied, "no");
  api_.inject(fault);
  objstore::MemStore store;
  EXPECT_TRUE(backup(store, run_of()).is(ErrorCode::denied));
  EXPECT_TRUE(store.contents().empty());
}

TEST_F(RunBackup, EveryFailingApiCallIsAFindingOrFatalButNeverSilent) {
  api_.forget_calls();
  {
    objstore::MemStore store;
    ASSERT_TRUE(backup(store, run_of()).ok());
  }
  const int calls = static_cast<int>(api_.calls().size());
  ASSERT_GT(calls, 20);
  for (int n = 1; n <= calls; ++n) {
    api_.clear_faults();
    kube::FakeApi::Fault fault;
    fault.nth = n;
    fault.error = Error(ErrorCode::denied, "told to fail");
    api_.inject(fault);
    objstore::MemStore store;
    const Result<BackupOutcome> outcome = backup(store, run_of());
    if (!outcome) {
      EXPECT_FALSE(visible(store)) << n;
      continue;
    }
    const Result<Tarball> tarball = Tarball::read(memory_source(store.contents().at("oadp/backups/b3/b3.tar.gz")), {});
    const bool told = outcome->backup.status.errors + outcome->backup.status.warnings > 0;
    EXPECT_TRUE(told || tarball->entries().size() == 56) << n;
  }
}

TEST_F(RunBackup, RefusesABadName) {
  objstore::MemStore store;
  EXPECT_TRUE(backup(store, run_of("../b3")).is(ErrorCode::invalid));
  EXPECT_TRUE(store.contents().empty());
}

}  // namespace
}  // namespace holdfast::backup
