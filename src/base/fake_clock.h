// A Clock for tests: time stands still until it is moved.
//
// In manual mode a sleeper blocks until another thread advances past its deadline; in `jump` mode a sleep moves the
// clock by its duration and returns at once, so that retry schedules run in no time.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

namespace holdfast {

class FakeClock final : public Clock {
 public:
  enum class Mode { manual, jump };
  explicit FakeClock(Mode mode = Mode::jump, Time start = Time(std::chrono::seconds(1'790'000'000)))
      : mode_(mode), now_(start), boot_(std::chrono::hours(1)) {}

  Time now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  BootTime boottime() const override {
    std::lock_guard lock(mutex_);
    return boot_;
  }
  Status sleep(std::stop_token stop, Duration duration) override {
    std::unique_lock lock(mutex_);
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while waiting");
    if (mode_ == Mode::jump) {
      move(duration);
      return {};
    }
    const BootTime due = boot_ + duration;
    ++sleepers_;
    moved_.notify_all();
    const bool reached = moved_.wait(lock, stop, [&] { return boot_ >= due; });
    --sleepers_;
    if (!reached) return Error(ErrorCode::cancelled, "stopped while waiting");
    return {};
  }

  void advance(Duration duration) {
    std::lock_guard lock(mutex_);
    move(duration);
  }
  /// Moves only the wall clock, as a bad time server would.
  void skew(Duration duration) {
    std::lock_guard lock(mutex_);
    now_ += duration;
  }
  /// Blocks until that many threads sleep on this clock: what a test waits for before it advances.
  void wait_for_sleepers(int count) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return sleepers_ >= count; });
  }

 private:
  void move(Duration duration) {
    if (duration > Duration::zero()) {
      now_ += duration;
      boot_ += duration;
    }
    moved_.notify_all();
  }
  const Mode mode_;
  mutable std::mutex mutex_;
  std::condition_variable_any moved_;
  Time now_;
  BootTime boot_;
  int sleepers_ = 0;
};

}  // namespace holdfast
