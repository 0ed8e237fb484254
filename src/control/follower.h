// One thread that looks at many jobs until each has ended: the volumes of pods while a backup or a restore runs.
//
// Jobs are looked at one after another, every tenth of a second, never with a lock held. What has not ended when the
// wait is over is given up. Owned by the run; its destructor stops and joins. add() from any thread.
#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"

namespace holdfast::control {

class Follower {
 public:
  class Job {
   public:
    virtual ~Job() = default;
    /// Looks now; true when it has ended. end() or give_up() is called once afterwards, and nothing more.
    [[nodiscard]] virtual bool look(const std::stop_token& stop) = 0;
    virtual void end() = 0;
    virtual void give_up(const std::string& why) = 0;
  };

  /// `run`: "backup" or "restore", for the reasons of jobs that are given up.
  Follower(Clock& clock, Duration limit, std::string run);
  /// Gives up what is left.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void add(std::unique_ptr<Job> job);
  /// Returns when every job has ended; after the limit or `stop` gives up what is left. No add() after it.
  void wait(const std::stop_token& stop);

 private:
  void follow(const std::stop_token& stop);
  void join();
  void give_up(const std::string& why);

  Clock& clock_;
  const BootTime deadline_;
  const std::string run_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<std::unique_ptr<Job>> jobs_;
  size_t open_ = 0;  ///< jobs that have not ended, also those that the thread holds just now
  std::jthread thread_;
};

}  // namespace holdfast::control
