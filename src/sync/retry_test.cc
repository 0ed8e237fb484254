#include "sync/retry.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"

namespace holdfast::sync {
namespace {

using namespace std::chrono_literals;

TEST(Retry, RepeatsOnlyPassingFaults) {
  FakeClock clock;
  int calls = 0;
  EXPECT_TRUE(retry({}, clock, {}, [&]() -> Status {
                if (++calls < 4) return Error(ErrorCode::unavailable, "503");
                return {};
              }).ok());
  EXPECT_EQ(calls, 4);
  calls = 0;
  EXPECT_TRUE(retry({}, clock, {}, [&]() -> Status {
                ++calls;
                return Error(ErrorCode::denied, "403");
              }).is(ErrorCode::denied));
  EXPECT_EQ(calls, 1);
}

TEST(Retry, GivesUpAtTheDeadlineAndSaysHowOften) {
  FakeClock clock;
  const BootTime start = clock.boottime();
  const Status status =
      retry({.deadline = 10s}, clock, {}, []() -> Status { return Error(ErrorCode::timeout, "slow"); });
  EXPECT_LE(clock.boottime() - start, 10s);
  EXPECT_NE(status.error().message().find("attempts: slow"), std::string::npos);
}

TEST(Retry, PausesGrowToTheLongest) {
  const RetrySchedule schedule{.first = 100ms, .longest = 1s};
  EXPECT_EQ(pause_before_retry(schedule, 1, 0.0), 50ms);
  EXPECT_EQ(pause_before_retry(schedule, 3, 0.0), 200ms);
  EXPECT_EQ(pause_before_retry(schedule, 60, 0.0), 500ms);
}

TEST(Retry, StopEndsIt) {
  FakeClock clock;
  std::stop_source stop;
  stop.request_stop();
  int calls = 0;
  EXPECT_FALSE(retry({}, clock, stop.get_token(), [&]() -> Status {
                 ++calls;
                 return Error(ErrorCode::unavailable, "503");
               }).ok());
  EXPECT_EQ(calls, 1);
}

TEST(Retry, HandsOnTheValue) {
  FakeClock clock;
  int calls = 0;
  const Result<int> result = retry_value<int>({}, clock, {}, [&]() -> Result<int> {
    if (++calls == 1) return Error(ErrorCode::unavailable, "503");
    return 7;
  });
  EXPECT_EQ(*result, 7);
}

}  // namespace
}  // namespace holdfast::sync
