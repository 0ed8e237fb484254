#include "kube/work_queue.h"

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace holdfast::kube {

WorkQueue::WorkQueue(const Options& options)
    : options_(options), timer_([this](const std::stop_token& stop) { keep_time(stop); }) {}

WorkQueue::~WorkQueue() {
  shut_down();
}

void WorkQueue::add_locked(const std::string& name) {
  if (shut_ || !waiting_.insert(name).second) return;
  if (working_.contains(name)) return;  // done() puts it into ready_
  ready_.push_back(name);
  changed_.notify_all();
}

void WorkQueue::add(const std::string& name) {
  std::lock_guard lock(mutex_);
  add_locked(name);
}

void WorkQueue::add_after(const std::string& name, Duration delay) {
  std::lock_guard lock(mutex_);
  if (shut_) return;
  if (delay <= Duration::zero()) {
    add_locked(name);
    return;
  }
  const BootTime due = options_.clock->boottime() + delay;
  const auto [entry, is_new] = delayed_.try_emplace(name, due);
  entry->second = std::min(entry->second, due);
  nap_.request_stop();
  changed_.notify_all();
}

void WorkQueue::add_with_back_off(const std::string& name) {
  Duration pause{};
  {
    std::lock_guard lock(mutex_);
    uint16_t number = 0;
    random_bytes(std::as_writable_bytes(std::span(&number, 1)));
    pause = sync::pause_before_retry(options_.back_off, ++failures_[name], number / 65536.0);
  }
  add_after(name, pause);
}

void WorkQueue::forget(const std::string& name) {
  std::lock_guard lock(mutex_);
  failures_.erase(name);
}

std::optional<std::string> WorkQueue::get(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return shut_ || !ready_.empty(); });
  if (shut_ || stop.stop_requested() || ready_.empty()) return std::nullopt;
  std::string name = std::move(ready_.front());
  ready_.pop_front();
  waiting_.erase(name);
  working_.insert(name);
  return name;
}

void WorkQueue::done(const std::string& name) {
  std::lock_guard lock(mutex_);
  CHECK(working_.erase(name) == 1);
  if (!shut_ && waiting_.contains(name)) ready_.push_back(name);
  changed_.notify_all();
}

void WorkQueue::shut_down() {
  std::lock_guard lock(mutex_);
  shut_ = true;
  timer_.request_stop();
  nap_.request_stop();
  changed_.notify_all();
}

size_t WorkQueue::size() const {
  std::lock_guard lock(mutex_);
  return ready_.size();
}

bool WorkQueue::idle() const {
  std::lock_guard lock(mutex_);
  return ready_.empty() && waiting_.empty() && working_.empty() && delayed_.empty();
}

void WorkQueue::keep_time(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, stop, [&] { return shut_ || !delayed_.empty(); });
    if (shut_ || stop.stop_requested()) return;
    BootTime next = BootTime::max();
    const BootTime now = options_.clock->boottime();
    for (auto entry = delayed_.begin(); entry != delayed_.end();) {
      if (entry->second <= now) {
        add_locked(entry->first);
        entry = delayed_.erase(entry);
      } else {
        next = std::min(next, entry->second);
        ++entry;
      }
    }
    if (delayed_.empty()) continue;
    nap_ = std::stop_source();
    const std::stop_token nap = nap_.get_token();
    lock.unlock();
    // Ended early by an earlier delay or by shut_down(); either way the loop looks anew.
    const Status slept = options_.clock->sleep(nap, next - now);
    lock.lock();
    if (!slept && (shut_ || stop.stop_requested())) return;
  }
}

}  // namespace holdfast::kube
