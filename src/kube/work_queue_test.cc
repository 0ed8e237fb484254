#include "kube/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/fake_clock.h"
#include "kube/controller.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

TEST(WorkQueue, ANameWaitsOnceAndInOrder) {
  WorkQueue queue({});
  queue.add("a");
  queue.add("b");
  queue.add("a");
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.get(), "a");
  EXPECT_EQ(queue.get(), "b");
  queue.done("a");
  queue.done("b");
  EXPECT_TRUE(queue.idle());
}

TEST(WorkQueue, ANameBeingWorkedOnComesAgainAfterwards) {
  WorkQueue queue({});
  queue.add("a");
  EXPECT_EQ(queue.get(), "a");
  queue.add("a");
  queue.add("a");
  EXPECT_EQ(queue.size(), 0U) << "nobody else may have it now";
  queue.done("a");
  EXPECT_EQ(queue.get(), "a");
  queue.done("a");
  EXPECT_TRUE(queue.idle());
}

TEST(WorkQueue, DelaysRunOnTheClockAndTheEarliestCounts) {
  FakeClock clock(FakeClock::Mode::manual);
  WorkQueue queue({.clock = &clock});
  queue.add_after("a", 10s);
  clock.wait_for_sleepers(1);
  queue.add_after("a", 20s);
  queue.add_after("b", 30s);
  clock.wait_for_sleepers(1);
  clock.advance(10s);
  EXPECT_EQ(queue.get(), "a");
  EXPECT_EQ(queue.size(), 0U);
  queue.done("a");
  queue.add_after("c", 5s);
  clock.advance(20s);
  std::set<std::string> rest{*queue.get(), *queue.get()};
  EXPECT_EQ(rest, (std::set<std::string>{"b", "c"}));
}

TEST(WorkQueue, BackOffGrowsUntilForgotten) {
  FakeClock clock;  // jumps: the time that went by is the sum of the pauses
  WorkQueue queue({.clock = &clock, .back_off = {.first = 1s, .longest = 8s}});
  const auto pause = [&] {
    const BootTime start = clock.boottime();
    queue.add_with_back_off("a");
    EXPECT_EQ(queue.get(), "a");
    queue.done("a");
    return clock.boottime() - start;
  };
  EXPECT_LE(pause(), 1s);
  pause();
  pause();
  EXPECT_GE(pause(), 4s);
  EXPECT_LE(pause(), 8s);
  queue.forget("a");
  EXPECT_LE(pause(), 1s);
}

TEST(WorkQueue, ShutDownAndStopWakeWorkers) {
  WorkQueue queue({});
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(queue.get(stop.get_token()).has_value());
  std::jthread closer([&] { queue.shut_down(); });
  EXPECT_FALSE(queue.get().has_value());
  queue.add("late");
  EXPECT_FALSE(queue.get().has_value());
}

/// Workers on few names: never two at once on one name, and no add is lost.
TEST(Controller, NeverRunsANameTwiceAtOnceAndMissesNothing) {
  constexpr int kNames = 5;
  std::array<std::atomic<int>, kNames> running{};
  std::array<std::atomic<int>, kNames> wanted{};
  std::array<std::atomic<int>, kNames> seen{};
  std::atomic<int> overlaps = 0;
  Controller controller({.name = "test", .workers = 4}, [&](const std::string& name, std::stop_token) -> Result<After> {
    const size_t i = static_cast<size_t>(name[0] - '0');
    if (++running[i] > 1) ++overlaps;
    seen[i] = wanted[i].load();
    --running[i];
    return After::done();
  });
  controller.start();
  for (int round = 0; round < 4000; ++round) {
    const size_t i = static_cast<size_t>(round % kNames);
    ++wanted[i];
    controller.enqueue(std::to_string(i));
  }
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (!controller.queue().idle() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  controller.stop();
  EXPECT_EQ(overlaps, 0);
  for (size_t i = 0; i < kNames; ++i) EXPECT_EQ(seen[i], wanted[i]);
}

TEST(Controller, RepeatsAfterDelayAndAfterErrorAndLogsOnce) {
  FakeClock clock;
  const auto sink = std::make_shared<log::MemorySink>();
  std::vector<BootTime> times;
  std::mutex mutex;
  std::condition_variable_any finished;
  Controller controller({.name = "test", .log = log::Logger(sink), .queue = {.clock = &clock}},
                        [&](const std::string&, std::stop_token) -> Result<After> {
                          std::lock_guard lock(mutex);
                          times.push_back(clock.boottime());
                          finished.notify_all();
                          if (times.size() == 1) return After::in(1min);
                          if (times.size() == 2) return Error(ErrorCode::unavailable, "503");
                          return After::done();
                        });
  controller.start();
  controller.enqueue("a");
  std::unique_lock lock(mutex);
  ASSERT_TRUE(finished.wait_for(lock, 20s, [&] { return times.size() == 3; }));
  EXPECT_EQ(times[1] - times[0], 1min);
  EXPECT_GT(times[2], times[1]);
  lock.unlock();
  controller.stop();
  ASSERT_EQ(sink->records().size(), 1U);
  EXPECT_EQ(sink->records()[0].message, "reconcile failed");
}

}  // namespace
}  // namespace holdfast::kube
