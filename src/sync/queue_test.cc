#include "sync/queue.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace holdfast::sync {
namespace {

TEST(Queue, MovesEverythingOnceUnderContention) {
  Queue<int> queue(3);
  std::vector<int> seen;
  {
    std::jthread consumer([&] {
      while (auto item = queue.pop()) seen.push_back(*item);
    });
    {
      std::vector<std::jthread> producers;
      for (int p = 0; p < 4; ++p) {
        producers.emplace_back([&queue, p] {
          for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.push(p * 100 + i));
        });
      }
    }
    queue.close();
  }
  std::sort(seen.begin(), seen.end());
  std::vector<int> expected(400);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(seen, expected);
}

TEST(Queue, StopEndsBothSides) {
  Queue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  std::stop_source stop;
  std::jthread pusher([&] { EXPECT_FALSE(queue.push(2, stop.get_token())); });
  stop.request_stop();
  pusher.join();
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(stop.get_token()), std::nullopt);
}

TEST(Queue, ClosedQueueIsDrainedThenEnds) {
  Queue<int> queue(2);
  ASSERT_TRUE(queue.push(1));
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

}  // namespace
}  // namespace holdfast::sync
