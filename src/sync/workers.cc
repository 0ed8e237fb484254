#include "sync/workers.h"

namespace holdfast::sync {

WorkerGroup::WorkerGroup(size_t threads, std::stop_token outer)
    : jobs_(2 * threads), outer_link_(std::move(outer), [this] { fail(Error(ErrorCode::cancelled, "stopped")); }) {
  CHECK(threads > 0);
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

WorkerGroup::~WorkerGroup() {
  stop_.request_stop();
  jobs_.close();
}

void WorkerGroup::add(Job job) {
  // A refused job is one after a failure; finish() tells of that.
  static_cast<void>(jobs_.push(std::move(job), stop_.get_token()));
}

Status WorkerGroup::finish() {
  jobs_.close();
  threads_.clear();
  std::lock_guard lock(mutex_);
  if (first_failure_.has_value()) return *first_failure_;
  return {};
}

void WorkerGroup::run() {
  while (std::optional<Job> job = jobs_.pop()) {
    if (stop_.stop_requested()) continue;  // drain, so that close() ends the loop
    Status status = (*job)(stop_.get_token());
    if (!status) fail(std::move(status).error());
  }
}

void WorkerGroup::fail(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (!first_failure_.has_value()) first_failure_ = std::move(error);
  }
  stop_.request_stop();
}

}  // namespace holdfast::sync
