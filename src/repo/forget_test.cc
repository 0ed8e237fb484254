#include "repo/forget.h"

#include <gtest/gtest.h>

#include <set>

#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

Snapshot at(std::string_view time, std::vector<std::string> tags = {}, std::string host = "h") {
  Snapshot snapshot = testing::snapshot_of({}, host);
  snapshot.time = RecordTime::parse(time).value();
  snapshot.id = Id::of(time);
  snapshot.tags = std::move(tags);
  return snapshot;
}

std::string kept(const std::vector<Snapshot>& all, const KeepPolicy& policy) {
  std::string text;
  for (const KeptSnapshot& one : apply_policy(all, policy).keep) {
    text += one.snapshot.time.text.substr(0, 13) + " ";
  }
  return text;
}

const std::vector<Snapshot>& year() {
  static const std::vector<Snapshot> kAll = {
      at("2025-03-01T10:00:00Z"), at("2025-03-01T10:30:00Z"), at("2025-12-31T23:00:00Z"), at("2026-01-01T01:00:00Z"),
      at("2026-01-04T12:00:00Z"), at("2026-01-05T12:00:00Z"), at("2026-01-05T13:00:00Z"), at("2026-01-05T13:59:00Z")};
  return kAll;
}

TEST(Forget, KeepsTheNewestOfEachBucket) {
  EXPECT_EQ(kept(year(), {.last = 2}), "2026-01-05T13 2026-01-05T13 ");
  EXPECT_EQ(kept(year(), {.hourly = 3}), "2026-01-05T13 2026-01-05T12 2026-01-04T12 ");
  EXPECT_EQ(kept(year(), {.daily = 2}), "2026-01-05T13 2026-01-04T12 ");
  // The 4th is a Sunday, the 5th a Monday; the 31st and the 1st lie in one week.
  EXPECT_EQ(kept(year(), {.weekly = 2}), "2026-01-05T13 2026-01-04T12 ");
  EXPECT_EQ(kept(year(), {.monthly = 2}), "2026-01-05T13 2025-12-31T23 ");
  EXPECT_EQ(kept(year(), {.yearly = 2}), "2026-01-05T13 2025-12-31T23 ");
  // More asked than there are: the oldest stays as well.
  EXPECT_EQ(kept(year(), {.yearly = 5}), "2026-01-05T13 2025-12-31T23 2025-03-01T10 ");
  EXPECT_EQ(kept(year(), {.last = KeepPolicy::kAll}).size(), 8u * 14);
}

TEST(Forget, CountsSpansFromTheNewest) {
  EXPECT_EQ(kept(year(), {.within = parse_calendar_span("2h").value()}), "2026-01-05T13 2026-01-05T13 2026-01-05T12 ");
  EXPECT_EQ(kept(year(), {.within_daily = parse_calendar_span("1m").value()}),
            "2026-01-05T13 2026-01-04T12 2026-01-01T01 2025-12-31T23 ");
  EXPECT_EQ(kept(year(), {.within_yearly = parse_calendar_span("1y").value()}),
            "2026-01-05T13 2025-12-31T23 2025-03-01T10 ");
}

TEST(Forget, KeepsByTagsAndTellsWhy) {
  const std::vector<Snapshot> all = {at("2026-01-01T00:00:00Z", {"keep", "a"}), at("2026-01-02T00:00:00Z", {"a"}),
                                     at("2026-01-03T00:00:00Z")};
  const ForgetDecision decision = apply_policy(all, {.last = 1, .tags = {{"keep", "a"}, {"z"}}});
  ASSERT_EQ(decision.keep.size(), 2u);
  EXPECT_EQ(decision.keep[0].reasons, std::vector<std::string>{"last snapshot"});
  EXPECT_EQ(decision.keep[1].reasons, std::vector<std::string>{"has tags [keep, a]"});
  ASSERT_EQ(decision.remove.size(), 1u);
  EXPECT_EQ(decision.remove[0].id, all[1].id);
}

TEST(Forget, ADayIsADayOfTheSnapshotsOwnZone) {
  // 04:00Z and 06:00Z: one day in UTC, two days at -05:00.
  EXPECT_EQ(
      apply_policy({at("2026-01-01T23:00:00-05:00"), at("2026-01-02T01:00:00-05:00"), at("2025-01-01T00:00:00-05:00")},
                   {.daily = 2})
          .keep.size(),
      2u);
  EXPECT_EQ(kept({at("2026-01-02T04:00:00Z"), at("2026-01-02T06:00:00Z"), at("2025-01-01T00:00:00Z")}, {.daily = 2}),
            "2026-01-02T06 2025-01-01T00 ");
}

TEST(Forget, ParsesSpansAndGroups) {
  EXPECT_EQ(parse_calendar_span("1y2m3d4h").value(), (CalendarSpan{1, 2, 3, 4}));
  for (const char* wrong : {"", "5", "d", "1w", "1d2", "-1d", "99999999999d"}) {
    EXPECT_TRUE(parse_calendar_span(wrong).is(ErrorCode::invalid)) << wrong;
  }
  EXPECT_EQ(format_rfc3339(before(parse_rfc3339("2026-03-31T10:00:00Z").value(), {.months = 1})),
            "2026-03-03T10:00:00Z");
  EXPECT_FALSE(parse_group_by("").value().host);
  EXPECT_TRUE(parse_group_by("tags,host").value().tags);
  EXPECT_TRUE(parse_group_by("color").is(ErrorCode::invalid));
  const std::vector<Snapshot> all = {at("2026-01-01T00:00:00Z", {"b", "a"}),
                                     at("2026-01-02T00:00:00Z", {"a", "b"}, "x")};
  EXPECT_EQ(group_snapshots(all, {}).size(), 2u);
  EXPECT_EQ(group_snapshots(all, {.host = false, .tags = true}).size(), 1u);
}

class ForgetInRepository : public ::testing::Test {
 protected:
  void SetUp() override {
    repository_ =
        Repository::init(store_, crypto::Secret::of("p"), testing::quick_init(), testing::small_packs()).value();
    for (int i = 0; i < 4; ++i) ids_.push_back(testing::back_up(*repository_, {std::to_string(i)}).value());
    LockOptions options = testing::quick_lock(LockMode::exclusive);
    lock_ = repository_->lock(options).value();
  }
  std::set<Id> left() {
    std::set<Id> ids;
    for (const Snapshot& snapshot : repository_->snapshots().value()) ids.insert(snapshot.id);
    return ids;
  }
  std::shared_ptr<objstore::MemStore> store_ = std::make_shared<objstore::MemStore>();
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<Lock> lock_;
  std::vector<Id> ids_;
};

TEST_F(ForgetInRepository, RemovesWhatThePolicyDoesNotKeep) {
  ForgetOptions options;
  options.policy.last = 2;
  options.dry_run = DryRun::yes;
  EXPECT_EQ(forget(*repository_, *lock_, options).value().removed, 0u);
  EXPECT_EQ(left().size(), 4u);
  options.dry_run = DryRun::no;
  EXPECT_EQ(forget(*repository_, *lock_, options).value().removed, 2u);
  EXPECT_EQ(left(), (std::set<Id>{ids_[2], ids_[3]}));
}

TEST_F(ForgetInRepository, RefusesToEmptyAGroupOrToWorkWithoutAPolicyOrALock) {
  ForgetOptions options;
  EXPECT_TRUE(forget(*repository_, *lock_, options).is(ErrorCode::invalid));
  options.policy.tags = {{"typo"}};
  EXPECT_TRUE(forget(*repository_, *lock_, options).is(ErrorCode::invalid));
  options.policy.last = 1;
  ASSERT_TRUE(unlock(repository_->files(), Unlock::all, repository_->clock()));
  EXPECT_TRUE(forget(*repository_, *lock_, options).is(ErrorCode::conflict));
  EXPECT_EQ(left().size(), 4u);
}

}  // namespace
}  // namespace holdfast::repo
