#include "kube/lease.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/fake_clock.h"
#include "kube/fake_api.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

/// Lets other threads run until the condition holds, at most twenty seconds.
bool eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

/// One process that competes, on a thread of its own.
class Candidate {
 public:
  Candidate(Api& api, Clock& clock, const std::string& identity)
      : election_(api, {.ns = "default", .name = "l", .identity = identity, .clock = &clock}),
        thread_([this](const std::stop_token& stop) {
          result_ = election_.run(stop, [this](const std::stop_token& leading) -> Status {
            leading_ = true;
            std::mutex mutex;
            std::condition_variable_any never;
            std::unique_lock lock(mutex);
            never.wait(lock, leading, [] { return false; });
            leading_ = false;
            return {};
          });
          over_ = true;
        }) {}
  bool leads() const { return leading_; }
  bool over() const { return over_; }
  /// Stops and tells how it ended.
  Status finish() {
    thread_.request_stop();
    thread_.join();
    return result_;
  }
  std::string seen_holder() const { return election_.holder(); }

 private:
  LeaderElection election_;
  std::atomic<bool> leading_ = false;
  std::atomic<bool> over_ = false;
  Status result_;
  std::jthread thread_;
};

std::string holder(const FakeApi& api) {
  return json::string_at(api.peek(types::leases(), "default", "l"), {"spec", "holderIdentity"});
}

TEST(LeaderElection, LeadsRenewsAndGivesBack) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  Candidate one(api, clock, "one");
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  EXPECT_EQ(holder(api), "one");
  const json::value lease = api.peek(types::leases(), "default", "l");
  EXPECT_EQ(json::int_at(lease, {"spec", "leaseDurationSeconds"}), 15);
  EXPECT_TRUE(parse_rfc3339(json::string_at(lease, {"spec", "renewTime"})).ok());
  for (size_t round = 1; round <= 10; ++round) {
    clock.wait_for_sleepers(2);
    clock.advance(2s);
    ASSERT_TRUE(eventually([&] { return api.count("update", "leases.coordination.k8s.io") == round; }));
    ASSERT_TRUE(one.leads());
  }
  EXPECT_TRUE(one.finish().ok());
  EXPECT_EQ(holder(api), "");
}

TEST(LeaderElection, OnlyOneOfTwoLeadsAndTheOtherFollowsARelease) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  Candidate one(api, clock, "one");
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  Candidate two(api, clock, "two");
  ASSERT_TRUE(eventually([&] { return two.seen_holder() == "one"; }));
  EXPECT_FALSE(two.leads());
  clock.wait_for_sleepers(3);
  EXPECT_TRUE(one.finish().ok());
  clock.wait_for_sleepers(1);
  clock.advance(2s);
  ASSERT_TRUE(eventually([&] { return two.leads(); }));
  EXPECT_EQ(json::int_at(api.peek(types::leases(), "default", "l"), {"spec", "leaseTransitions"}), 1);
  EXPECT_TRUE(two.finish().ok());
}

/// A killed leader leaves its Lease; whatever its renewTime says, the wait is counted on our own clock.
TEST(LeaderElection, TakesOverFromADeadLeaderAfterItsTermWhateverTheWallClocksSay) {
  for (const char* renewed : {"2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"}) {
    FakeClock clock(FakeClock::Mode::manual);
    FakeApi api({.clock = &clock});
    json::object lease = *json::parse_object(R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",
        "metadata":{"name":"l"},"spec":{"holderIdentity":"dead","leaseDurationSeconds":15}})");
    json::set(lease, {"spec", "renewTime"}, renewed);
    api.seed(lease);
    Candidate two(api, clock, "two");
    for (size_t round = 1; round <= 7; ++round) {  // 14 s
      clock.wait_for_sleepers(1);
      clock.skew(1h);
      clock.advance(2s);
      ASSERT_TRUE(eventually([&] { return api.count("get", "leases.coordination.k8s.io") == round + 1; }));
      ASSERT_FALSE(two.leads());
    }
    clock.wait_for_sleepers(1);
    clock.advance(2s);
    ASSERT_TRUE(eventually([&] { return two.leads(); }));
    EXPECT_EQ(holder(api), "two");
    EXPECT_TRUE(two.finish().ok());
  }
}

TEST(LeaderElection, ALeaderWithoutTheServerStopsBeforeItsTermIsOver) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  Candidate one(api, clock, "one");
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  api.inject({.times = 1'000'000, .error = Error(ErrorCode::unavailable, "no route")});
  const size_t gets = api.count("get");
  for (size_t round = 1; round <= 4; ++round) {
    clock.wait_for_sleepers(2);
    clock.advance(2s);
    ASSERT_TRUE(eventually([&] { return api.count("get") == gets + round; }));
    ASSERT_TRUE(one.leads());
  }
  clock.wait_for_sleepers(2);
  clock.advance(2s);  // 10 s of 15
  ASSERT_TRUE(eventually([&] { return one.over(); }));
  EXPECT_TRUE(one.finish().is(ErrorCode::conflict));
}

TEST(LeaderElection, AHangingRenewalDoesNotHideTheDeadline) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  Candidate one(api, clock, "one");
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  api.inject({.verb = "get", .times = 1'000'000, .delay = 1000h});
  clock.wait_for_sleepers(2);
  clock.advance(2s);
  clock.wait_for_sleepers(2);
  clock.advance(8s);
  ASSERT_TRUE(eventually([&] { return one.over(); }));
  EXPECT_TRUE(one.finish().is(ErrorCode::conflict));
}

TEST(LeaderElection, LostAnswersDoNotLoseTheLease) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  using When = FakeApi::Fault::When;
  api.inject({.verb = "create", .when = When::after, .error = Error(ErrorCode::timeout, "lost")});
  api.inject({.verb = "update", .nth = 2, .times = 2, .when = When::after, .error = Error(ErrorCode::timeout, "lost")});
  Candidate one(api, clock, "one");
  clock.wait_for_sleepers(1);
  EXPECT_EQ(holder(api), "one") << "the create happened";
  clock.advance(2s);
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  for (size_t round = 2; round <= 6; ++round) {
    clock.wait_for_sleepers(2);
    clock.advance(2s);
    ASSERT_TRUE(eventually([&] { return api.count("update") == round; }));
    ASSERT_TRUE(one.leads());
  }
  EXPECT_TRUE(one.finish().ok());
}

TEST(LeaderElection, ATakenLeaseEndsTheLead) {
  FakeClock clock(FakeClock::Mode::manual);
  FakeApi api({.clock = &clock});
  Candidate one(api, clock, "one");
  ASSERT_TRUE(eventually([&] { return one.leads(); }));
  ASSERT_TRUE(api.patch(types::leases(), "default", "l", PatchKind::merge,
                        *json::parse(R"({"spec":{"holderIdentity":"thief"}})"))
                  .ok());
  clock.wait_for_sleepers(2);
  clock.advance(2s);
  ASSERT_TRUE(eventually([&] { return one.over(); }));
  EXPECT_TRUE(one.finish().is(ErrorCode::conflict));
  EXPECT_EQ(holder(api), "thief") << "a lost lease is not touched";
}

}  // namespace
}  // namespace holdfast::kube
