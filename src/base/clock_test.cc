#include "base/clock.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/fake_clock.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, PrintsWhatItReads) {
  for (const char* text : {"2026-11-21T06:18:56Z", "1970-01-01T00:00:00Z", "2000-02-29T23:59:59.000000001Z",
                           "1969-12-31T23:59:59.5Z", "2261-12-31T00:00:00Z"}) {
    const Result<Time> time = parse_rfc3339(text);
    ASSERT_TRUE(time.ok()) << text;
    EXPECT_EQ(format_rfc3339_nano(*time), text);
  }
}

TEST(Rfc3339, ReadsZones) {
  EXPECT_EQ(*parse_rfc3339("2026-11-21T01:18:56-05:00"), *parse_rfc3339("2026-11-21T06:18:56Z"));
  EXPECT_EQ(*parse_rfc3339("2026-11-21T11:48:56+05:30"), *parse_rfc3339("2026-11-21T06:18:56Z"));
}

TEST(Rfc3339, RefusesOtherText) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T06:18:56", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T06:18:56.Z", "2026-11-21T06:18:56.1234567890Z", "2026-11-21T06:18:56+0530", "2026-11-21T06:18:56Zx",
        "0001-01-01T00:00:00Z", "2026-11-21T06:18:56+05"}) {
    EXPECT_TRUE(parse_rfc3339(text).is(ErrorCode::invalid)) << text;
  }
}

TEST(GoDuration, PrintsAsGoDoes) {
  EXPECT_EQ(format_go_duration(720h), "720h0m0s");
  EXPECT_EQ(format_go_duration(90min + 500ms), "1h30m0.5s");
  EXPECT_EQ(format_go_duration(0s), "0s");
  EXPECT_EQ(format_go_duration(1500us), "1.5ms");
  EXPECT_EQ(format_go_duration(-3s), "-3s");
  EXPECT_EQ(format_go_duration(7ns), "7ns");
}

TEST(GoDuration, RoundTrips) {
  for (const Duration d :
       {Duration(1), Duration(-1), Duration(999'999'999), Duration(3'600'000'000'001), Duration(24h * 400)}) {
    EXPECT_EQ(*parse_go_duration(format_go_duration(d)), d);
  }
  EXPECT_EQ(*parse_go_duration("1.5h"), 90min);
  EXPECT_EQ(*parse_go_duration("1.000000001s"), 1s + 1ns);
  // More digits than the largest floating point number has, on both sides of the point.
  const std::string endless(6000, '9');
  EXPECT_TRUE(parse_go_duration(endless + "." + endless + "s").is(ErrorCode::invalid));
  EXPECT_EQ(*parse_go_duration("0"), 0s);
}

TEST(GoDuration, RefusesOtherText) {
  for (const char* text : {"", "-", "1", "h", "1x", "1h-2m", "1..5h", ".h", "999999999h", "1 h"}) {
    EXPECT_TRUE(parse_go_duration(text).is(ErrorCode::invalid)) << text;
  }
}

TEST(SystemClock, SleepEndsWhenAskedToStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(system_clock().sleep(stop.get_token(), 1h).is(ErrorCode::cancelled));
}

TEST(FakeClock, SleeperWakesWhenTheClockIsMoved) {
  FakeClock clock(FakeClock::Mode::manual);
  const BootTime start = clock.boottime();
  std::jthread sleeper([&](std::stop_token stop) { EXPECT_TRUE(clock.sleep(stop, 10s).ok()); });
  clock.wait_for_sleepers(1);
  clock.advance(10s);
  sleeper.join();
  EXPECT_EQ(clock.boottime() - start, 10s);
}

}  // namespace
}  // namespace holdfast
