#include "sync/workers.h"

#include <gtest/gtest.h>

#include <atomic>

namespace holdfast::sync {
namespace {

TEST(WorkerGroup, RunsEveryJob) {
  std::atomic<int> sum = 0;
  WorkerGroup group(4);
  for (int i = 1; i <= 100; ++i) {
    group.add([&sum, i](std::stop_token) -> Status {
      sum += i;
      return {};
    });
  }
  EXPECT_TRUE(group.finish().ok());
  EXPECT_EQ(sum, 5050);
}

TEST(WorkerGroup, FirstFailureStopsTheOthers) {
  WorkerGroup group(2);
  group.add([](std::stop_token) -> Status { return Error(ErrorCode::corrupt, "pack"); });
  group.add([](std::stop_token stop) -> Status {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait(lock, stop, [] { return false; });
    return Error(ErrorCode::cancelled, "stopped");
  });
  EXPECT_TRUE(group.finish().is(ErrorCode::corrupt));
}

TEST(WorkerGroup, OuterStopReachesJobs) {
  std::stop_source outer;
  WorkerGroup group(1, outer.get_token());
  outer.request_stop();
  group.add([](std::stop_token) -> Status { return {}; });
  EXPECT_TRUE(group.finish().is(ErrorCode::cancelled));
}

}  // namespace
}  // namespace holdfast::sync
