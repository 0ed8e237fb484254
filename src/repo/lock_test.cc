#include "repo/lock.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "repo/test_repository.h"
#include "repo/unpacked.h"

namespace holdfast::repo {
namespace {

using objstore::Fault;
using objstore::FaultStore;
using objstore::MemStore;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class Locks : public ::testing::Test {
 protected:
  FakeClock clock_{FakeClock::Mode::manual};
  std::shared_ptr<MemStore> store_ = std::make_shared<MemStore>();
  std::shared_ptr<FaultStore> faults_ = std::make_shared<FaultStore>(store_);
  const std::string key_text_ = testing::noise(crypto::EnvelopeKey::kSize, 5);
  std::shared_ptr<LockSightings> sightings_ = std::make_shared<LockSightings>();
  RepositoryFiles files_{faults_,  crypto::EnvelopeKey::from(crypto::Secret::of(key_text_)).value(),
                         Config{}, Compression::automatic,
                         Cache(),  sightings_};

  RepositoryFiles another_process(std::shared_ptr<LockSightings> sightings = {}) {
    return {faults_,  crypto::EnvelopeKey::from(crypto::Secret::of(key_text_)).value(),
            Config{}, Compression::automatic,
            Cache(),  std::move(sightings)};
  }
  Result<std::unique_ptr<Lock>> take(LockMode mode) {
    LockOptions options = testing::quick_lock(mode);
    options.site = "east";
    options.epoch = 7;
    return Lock::acquire(files_, options, clock_);
  }
  // A lock that somebody else left, this old.
  Id leave(LockMode mode, Duration age, std::string owner, std::string hostname = "elsewhere", int64_t pid = 5) {
    LockRecord record;
    record.time = RecordTime::at(clock_.now() - age);
    record.mode = mode;
    record.hostname = std::move(hostname);
    record.pid = pid;
    if (!owner.empty()) record.expires = RecordTime::at(clock_.now() - age + minutes(30));
    record.owner = std::move(owner);
    return files_.save(FileKind::lock, encode_lock(record)).value();
  }
  // Another thread is about to make it true.
  static void wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  bool there(const Id& id) { return store_->contents().contains(key_of(FileKind::lock, id)); }
};

TEST_F(Locks, SharedOnesLiveTogetherAnExclusiveOneAlone) {
  auto one = take(LockMode::shared).value();
  auto two = take(LockMode::shared).value();
  const auto refused = take(LockMode::exclusive);
  ASSERT_TRUE(refused.is(ErrorCode::conflict));
  EXPECT_NE(refused.error().message().find("shared lock"), std::string::npos) << refused.error().message();
  EXPECT_EQ(load_locks(files_, clock_).value().size(), 2u) << "the refused one is gone";
  one.reset();
  ASSERT_TRUE(two->release());
  const auto alone = take(LockMode::exclusive).value();
  EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict));
  EXPECT_TRUE(take(LockMode::exclusive).is(ErrorCode::conflict));
  EXPECT_TRUE(alone->verify());
}

TEST_F(Locks, RecordSaysWhoHoldsItInResticsFieldsAndOurs) {
  const auto lock = take(LockMode::exclusive).value();
  const LockRecord record = load_locks(files_, clock_).value().at(0);
  EXPECT_EQ(record.mode, LockMode::exclusive);
  EXPECT_EQ(record.site, "east");
  EXPECT_EQ(record.epoch, 7u);
  EXPECT_EQ(record.owner.size(), 32u);
  EXPECT_EQ(record.expires->instant, clock_.now() + minutes(30));
  const std::string text = encode_lock(record);
  EXPECT_TRUE(text.starts_with(R"({"time":")")) << text;
  EXPECT_EQ(encode_lock(decode_lock(text).value()), text);
  const std::string restic =
      R"({"time":"2026-01-02T03:04:05.1-05:00","exclusive":false,"hostname":"h","username":"root","pid":7})";
  EXPECT_EQ(encode_lock(decode_lock(restic).value()), restic);
}

// Clocks that differ by an hour either way, or by a day: what counts is how long the lock was seen unchanged.
TEST_F(Locks, OursAreDeadWhenTheyWereSeenUnchangedForTheirLifetimeWhateverTheirClockSays) {
  for (const Duration behind : {Duration(-hours(1)), Duration::zero(), Duration(hours(1)), Duration(hours(24))}) {
    const Id ours = leave(LockMode::exclusive, behind, "dead");
    EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict)) << behind.count();
    clock_.advance(minutes(29));
    EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict)) << behind.count();
    EXPECT_EQ(unlock(files_, Unlock::stale, clock_).value(), 0u);
    clock_.advance(minutes(1));
    EXPECT_TRUE(take(LockMode::shared)) << behind.count();
    EXPECT_FALSE(there(ours));
  }
}

TEST_F(Locks, AnOwnerThatRefreshesIsNeverTakenForDeadWhateverItsClockSays) {
  for (const Duration ahead : {Duration(-hours(1)), Duration(hours(1))}) {
    FakeClock theirs{FakeClock::Mode::manual, clock_.now() + ahead};
    RepositoryFiles their_files = another_process();
    const auto lock = Lock::acquire(their_files, testing::quick_lock(LockMode::exclusive), theirs).value();
    for (int i = 0; i < 12; ++i) {
      EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict)) << i;
      clock_.advance(minutes(20));  // four refreshes that did not work, and then one
      theirs.skew(minutes(20));
      ASSERT_TRUE(lock->refresh());
    }
    EXPECT_EQ(unlock(files_, Unlock::stale, clock_).value(), 0u);
    EXPECT_TRUE(lock->release());
  }
}

TEST_F(Locks, AProcessThatBeginsToLookKnowsNothingYet) {
  leave(LockMode::exclusive, hours(2), "dead");
  EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict));
  clock_.advance(hours(2));
  RepositoryFiles fresh = another_process();
  EXPECT_TRUE(Lock::acquire(fresh, testing::quick_lock(), clock_).is(ErrorCode::conflict));
  RepositoryFiles sharing = another_process(sightings_);
  EXPECT_TRUE(Lock::acquire(sharing, testing::quick_lock(), clock_));
}

TEST_F(Locks, UnlockWatchesAsLongAsItIsTold) {
  FakeClock clock{FakeClock::Mode::jump};
  leave(LockMode::exclusive, Duration::zero(), "dead");
  EXPECT_EQ(unlock(files_, Unlock::stale, clock, {}, minutes(29)).value(), 0u);
  EXPECT_EQ(unlock(files_, Unlock::stale, clock, {}, minutes(35)).value(), 1u);
}

TEST_F(Locks, ResticsThatAreStaleAreIgnoredAndStayUntilUnlock) {
  const Id theirs = leave(LockMode::exclusive, minutes(36), "");
  EXPECT_TRUE(take(LockMode::exclusive));
  EXPECT_TRUE(there(theirs));
  EXPECT_EQ(unlock(files_, Unlock::stale, clock_).value(), 1u);
  EXPECT_FALSE(there(theirs));
  // Five minutes of slack for clocks that differ: the format forces a comparison on us.
  leave(LockMode::exclusive, minutes(34), "");
  EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict));
  EXPECT_EQ(unlock(files_, Unlock::stale, clock_).value(), 0u);
  EXPECT_EQ(unlock(files_, Unlock::all, clock_).value(), 1u);
}

TEST_F(Locks, ADeadProcessOfThisHostCountsForResticsLocksOnly) {
  LockRecord record;
  record.time = RecordTime::at(clock_.now());
  record.hostname = "here";
  record.pid = 4;
  LockFacts facts{Duration::zero(), clock_.now(), "here", [](int64_t) { return false; }};
  EXPECT_EQ(state_of(record, facts), LockState::stale);
  facts.here = "there";
  EXPECT_EQ(state_of(record, facts), LockState::alive);
  facts.here = "here";
  facts.process_alive = [](int64_t) { return true; };
  EXPECT_EQ(state_of(record, facts), LockState::alive);
  facts.process_alive = [](int64_t) { return false; };
  record.owner = "ours";
  record.expires = RecordTime::at(clock_.now() + minutes(30));
  facts.now += hours(3);
  EXPECT_EQ(state_of(record, facts), LockState::alive);
  facts.unchanged_for = minutes(30);
  EXPECT_EQ(state_of(record, facts), LockState::expired);
  record.expires = record.time;  // an owner that writes nonsense is given what everybody gets
  facts.unchanged_for = minutes(29);
  EXPECT_EQ(state_of(record, facts), LockState::alive);
}

// A put whose answer is lost has happened all the same, when taking a lock, and when refreshing it.
TEST_F(Locks, NoFileOfOursStaysWhereAPutWasNotAnswered) {
  Fault lost;
  lost.call = 1;
  lost.operation = objstore::Operation::put;
  lost.kind = Fault::Kind::lost_answer;
  faults_->add(lost);
  EXPECT_TRUE(take(LockMode::exclusive).is(ErrorCode::unavailable));
  EXPECT_TRUE(load_locks(files_, clock_).value().empty());

  faults_->reset();
  auto lock = take(LockMode::exclusive).value();
  for (int i = 0; i < 3; ++i) {
    faults_->reset();
    faults_->add(lost);
    EXPECT_TRUE(lock->refresh().is(ErrorCode::unavailable));
  }
  EXPECT_EQ(load_locks(files_, clock_).value().size(), 4u);
  faults_->reset();
  EXPECT_TRUE(lock->refresh());
  EXPECT_EQ(load_locks(files_, clock_).value().size(), 1u) << "the next refresh that works removes what was left";
  faults_->add(lost);
  EXPECT_FALSE(lock->refresh());
  faults_->reset();
  EXPECT_TRUE(lock->release());
  EXPECT_TRUE(store_->contents().empty());
}

TEST_F(Locks, WhatCouldNotBeRemovedIsRemovedLater) {
  Fault denied;
  denied.operation = objstore::Operation::remove;
  auto lock = take(LockMode::shared).value();
  faults_->add(denied);
  EXPECT_TRUE(lock->refresh()) << "it is fresh";
  EXPECT_EQ(store_->contents().size(), 2u);
  EXPECT_TRUE(lock->verify());
  EXPECT_FALSE(lock->release());
  faults_->reset();
  lock.reset();
  EXPECT_TRUE(store_->contents().empty());
  // Giving way does not forget either: the destructor tries again.
  const Id rival = leave(LockMode::exclusive, Duration::zero(), "rival");
  EXPECT_TRUE(take(LockMode::shared).is(ErrorCode::conflict));
  EXPECT_EQ(store_->contents().size(), 1u);
  EXPECT_TRUE(there(rival));
}

TEST_F(Locks, GivesWayWhereAnotherAppearsWhileItSettles) {
  LockOptions options = testing::quick_lock(LockMode::exclusive);
  options.settle = seconds(1);
  std::jthread other([&] {
    clock_.wait_for_sleepers(1);
    leave(LockMode::shared, Duration::zero(), "rival");
    clock_.advance(seconds(1));
  });
  EXPECT_TRUE(Lock::acquire(files_, options, clock_).is(ErrorCode::conflict));
  EXPECT_EQ(load_locks(files_, clock_).value().size(), 1u);
}

TEST_F(Locks, IsRefreshedAndTheOldFileGoes) {
  const auto lock = take(LockMode::shared).value();
  const Id first = lock->record().id;
  for (int i = 0; i < 20; ++i) {
    clock_.wait_for_sleepers(1);
    clock_.advance(minutes(5));
    wait_until([&] { return lock->record().time.instant == clock_.now(); });
  }
  clock_.wait_for_sleepers(1);
  // 100 minutes later it is fresh, and there is one file.
  EXPECT_TRUE(lock->verify());
  EXPECT_FALSE(there(first));
  EXPECT_EQ(load_locks(files_, clock_).value().size(), 1u);
  EXPECT_FALSE(lock->lost().stop_requested());
}

TEST_F(Locks, IsLostWhenItCannotBeRefreshedForTooLong) {
  const auto lock = take(LockMode::shared).value();
  Fault outage;
  outage.key = "locks/";
  faults_->reset();
  faults_->add(outage);
  // The first refresh is due after five minutes, the next attempts every thirty seconds.
  Duration passed = minutes(5);
  clock_.wait_for_sleepers(1);
  clock_.advance(passed);
  for (int attempt = 1; passed < minutes(22); ++attempt, passed += seconds(30)) {
    wait_until([&] { return faults_->calls() >= attempt; });
    clock_.wait_for_sleepers(1);
    EXPECT_FALSE(lock->lost().stop_requested()) << "less than 22.5 minutes are borne";
    clock_.advance(seconds(30));
  }
  wait_until([&] { return faults_->calls() >= 35; });
  clock_.wait_for_sleepers(1);
  clock_.advance(seconds(30));
  wait_until([&] { return lock->lost().stop_requested(); });
  faults_->reset();
  EXPECT_TRUE(lock->verify().is(ErrorCode::conflict));
}

TEST_F(Locks, IsLostAtOnceWhenItWasRemoved) {
  const auto lock = take(LockMode::shared).value();
  ASSERT_EQ(unlock(files_, Unlock::all, clock_).value(), 1u);
  EXPECT_TRUE(lock->verify().is(ErrorCode::conflict));
  EXPECT_TRUE(lock->refresh().is(ErrorCode::conflict));
  EXPECT_TRUE(load_locks(files_, clock_).value().empty()) << "a lost lock does not come back";
}

TEST_F(Locks, AWallClockThatJumpsAheadMakesItLost) {
  const auto lock = take(LockMode::shared).value();
  clock_.skew(minutes(23));  // the host slept, and the clock was set afterwards
  EXPECT_TRUE(lock->verify().is(ErrorCode::conflict));
}

TEST_F(Locks, WaitsForOthersWhenAsked) {
  auto other = take(LockMode::exclusive).value();
  LockOptions options = testing::quick_lock();
  options.wait = minutes(1);
  std::jthread owner([&] {
    clock_.wait_for_sleepers(2);  // the refresher of `other`, and the one that waits
    EXPECT_TRUE(other->release());
    clock_.advance(seconds(5));
  });
  EXPECT_TRUE(Lock::acquire(files_, options, clock_));
}

TEST_F(Locks, AnUnreadableLockBlocksAndSaysSo) {
  ASSERT_TRUE(store_->put("locks/" + std::string(64, 'a'), "rubbish"));
  std::jthread time([&](std::stop_token stop) {
    while (!stop.stop_requested()) clock_.advance(seconds(5));
  });
  const auto refused = take(LockMode::shared);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.is(ErrorCode::corrupt)) << refused.error().message();
  EXPECT_EQ(unlock(files_, Unlock::all, clock_).value(), 1u);
}

}  // namespace
}  // namespace holdfast::repo
