// A bounded queue between threads: the only way data flows between stages.
//
// push blocks while the queue is full, pop while it is empty; both give up when the stop token asks or the queue is
// closed. After close() what is inside can still be popped; then pop answers "closed" (an empty optional).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/check.h"

namespace holdfast::sync {

template <typename T>
class Queue {
 public:
  explicit Queue(size_t capacity) : capacity_(capacity) { CHECK(capacity > 0); }

  /// False where the queue was closed or `stop` asked first; the item is then dropped.
  [[nodiscard]] bool push(T item, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return closed_ || items_.size() < capacity_; });
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  /// The oldest item; empty when the queue is closed and drained, or `stop` asked first.
  [[nodiscard]] std::optional<T> pop(std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return item;
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  [[nodiscard]] size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace holdfast::sync
