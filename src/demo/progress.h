// Live lines on standard error while the story runs: seconds since the begin, then what happens.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace holdfast::demo {

class Progress {
 public:
  /// `write` gets whole lines with their ends. The clock outlives it.
  Progress(std::function<void(std::string_view)> write, Clock& clock);
  /// A new step of the story.
  void step(std::string_view what) const { line("== ", what); }
  /// Something within a step.
  void note(std::string_view what) const { line("   ", what); }

 private:
  void line(std::string_view lead, std::string_view what) const;
  std::function<void(std::string_view)> write_;
  Clock& clock_;
  BootTime begin_;
};

}  // namespace holdfast::demo
