// How far a long operation is. The operation calls, the caller of the operation implements: a terminal line, a status
// field of a custom resource, or nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::repo {

/// Called from any thread of the operation, also at once; must not block for long and must not call back.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A new stage begins ("load index"); counters start at zero. A total of 0 is not known yet.
  virtual void stage(std::string_view name, uint64_t total_items, uint64_t total_bytes) = 0;
  /// That much more of the stage is done.
  virtual void done(uint64_t items, uint64_t bytes) = 0;
};

/// Shows nothing.
class NoProgress final : public Progress {
 public:
  void stage(std::string_view, uint64_t, uint64_t) override {}
  void done(uint64_t, uint64_t) override {}
};

}  // namespace holdfast::repo
