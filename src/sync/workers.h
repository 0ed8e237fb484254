// A group of threads that do jobs of one kind and stop at the first failure.
//
//   WorkerGroup group(4);
//   for (...) group.add([=](std::stop_token stop) -> Status { ... });   // blocks while all are busy
//   TRY(group.finish());                                                // first failure, after all have ended
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/result.h"
#include "sync/queue.h"

namespace holdfast::sync {

class WorkerGroup {
 public:
  using Job = std::function<Status(std::stop_token)>;

  /// `outer`: a stop asked there reaches every job and makes finish() return cancelled.
  explicit WorkerGroup(size_t threads, std::stop_token outer = {});
  /// Stops and joins.
  ~WorkerGroup();
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;

  /// Queues a job (at most twice as many as there are threads wait); after a failure or stop it is dropped.
  void add(Job job);
  /// Waits for every job; the first failure wins. Call once.
  [[nodiscard]] Status finish();
  /// The token that jobs get: true once one failed or the outer stop asked.
  [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void run();
  void fail(Error error);

  std::stop_source stop_;
  Queue<Job> jobs_;
  std::mutex mutex_;
  std::optional<Error> first_failure_;
  std::stop_callback<std::function<void()>> outer_link_;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::sync
