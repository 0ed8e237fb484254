// A queue of names for control loops: a name waits at most once, is worked on by at most one worker at a time, and
// comes again when it was added while being worked on. Holds names only, so it is bounded by the number of objects.
//
// A worker asks get(), works, and calls done(). Delays and back-off run on the injected clock, in a thread of the
// queue's own. Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "sync/retry.h"

namespace holdfast::kube {

class WorkQueue {
 public:
  struct Options {
    Clock* clock = &system_clock();
    /// Back-off of a name; its deadline is not used.
    sync::RetrySchedule back_off = {.first = std::chrono::milliseconds(200), .longest = std::chrono::minutes(5)};
  };
  explicit WorkQueue(const Options& options);
  /// Shuts down and joins the timer.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// Queues a name, unless it waits already; dropped after shut_down().
  void add(const std::string& name);
  /// Queues it when the time is over; of several delays the earliest counts.
  void add_after(const std::string& name, Duration delay);
  /// Queues it after the name's back-off, which grows with every call until forget().
  void add_with_back_off(const std::string& name);
  void forget(const std::string& name);

  /// The next name, now the caller's until done(); empty when shut down or `stop` asked.
  [[nodiscard]] std::optional<std::string> get(std::stop_token stop = {});
  void done(const std::string& name);

  /// No more names go in or come out.
  void shut_down();
  /// Names that wait now, without delayed ones.
  [[nodiscard]] size_t size() const;
  /// True where nothing waits, is delayed or is being worked on.
  [[nodiscard]] bool idle() const;

 private:
  void add_locked(const std::string& name);
  void keep_time(const std::stop_token& stop);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> ready_;
  std::set<std::string> waiting_;  // what is in ready_, or comes again after done()
  std::set<std::string> working_;
  std::map<std::string, BootTime> delayed_;
  std::map<std::string, int> failures_;
  std::stop_source nap_;  // ends the timer's present sleep
  bool shut_ = false;
  std::jthread timer_;
};

}  // namespace holdfast::kube
