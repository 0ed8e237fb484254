#include "control/follower.h"

namespace holdfast::control {

namespace {

constexpr Duration kLook = std::chrono::milliseconds(100);

}  // namespace

Follower::Follower(Clock& clock, Duration limit, std::string run)
    : clock_(clock), deadline_(clock.boottime() + limit), run_(std::move(run)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

Follower::~Follower() {
  join();
  give_up("the " + run_ + " has ended");
}

void Follower::join() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Follower::add(std::unique_ptr<Job> job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  ++open_;
}

void Follower::follow(const std::stop_token& stop) {
  while (clock_.sleep(stop, kLook)) {
    // Looking asks the API and calls back: never with the lock held.
    std::list<std::unique_ptr<Job>> mine;
    {
      std::lock_guard lock(mutex_);
      mine.swap(jobs_);
    }
    size_t ended = 0;
    for (auto job = mine.begin(); job != mine.end();) {
      if ((*job)->look(stop)) {
        (*job)->end();
        job = mine.erase(job);
        ++ended;
      } else {
        ++job;
      }
    }
    {
      std::lock_guard lock(mutex_);
      open_ -= ended;
      jobs_.splice(jobs_.begin(), mine);
    }
    changed_.notify_all();
  }
}

void Follower::wait(const std::stop_token& stop) {
  {
    std::unique_lock lock(mutex_);
    while (open_ > 0 && !stop.stop_requested() && clock_.boottime() < deadline_) {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(200), [&] { return open_ == 0; });
    }
  }
  // The thread may hold jobs outside the list while it looks at them: it ends before what is left is counted.
  join();
  give_up(stop.stop_requested() ? "the " + run_ + " was stopped" : "no end within the time-out");
}

void Follower::give_up(const std::string& why) {
  std::list<std::unique_ptr<Job>> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(jobs_);
    open_ = 0;
  }
  for (const std::unique_ptr<Job>& job : left) job->give_up(why);
}

}  // namespace holdfast::control
