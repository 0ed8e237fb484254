// How many descriptors the restores of a process may hold together: four at once must not fail where one would not.
// Nobody waits for a share (that could be for ever, each holding what another needs): who gets none makes do with one
// file at a time. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace holdfast::repo {

class DescriptorBudget {
 public:
  explicit DescriptorBudget(size_t limit) : left_(static_cast<std::ptrdiff_t>(limit)) {}

  /// Descriptors that were granted, or none; given back when it goes. The budget outlives it.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), count_(other.count_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(count_, other.count_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->left_ += static_cast<std::ptrdiff_t>(count_);
    }
    [[nodiscard]] bool granted() const { return budget_ != nullptr; }

   private:
    friend class DescriptorBudget;
    Share(DescriptorBudget& budget, size_t count) : budget_(&budget), count_(count) {}
    DescriptorBudget* budget_ = nullptr;
    size_t count_ = 0;
  };
  [[nodiscard]] Share take(size_t count);
  [[nodiscard]] size_t left() const;

 private:
  std::atomic<std::ptrdiff_t> left_;
};

/// Half of what this process may open (RLIMIT_NOFILE when it is first asked for), at most 4096. Lives for ever.
[[nodiscard]] DescriptorBudget& process_descriptors();

}  // namespace holdfast::repo
