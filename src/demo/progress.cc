#include "demo/progress.h"

#include <fmt/format.h>

namespace holdfast::demo {

Progress::Progress(std::function<void(std::string_view)> write, Clock& clock)
    : write_(std::move(write)), clock_(clock), begin_(clock.boottime()) {}

void Progress::line(std::string_view lead, std::string_view what) const {
  const double seconds = std::chrono::duration<double>(clock_.boottime() - begin_).count();
  write_(fmt::format("{:6.1f} s {}{}\n", seconds, lead, what));
}

}  // namespace holdfast::demo
