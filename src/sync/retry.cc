#include "sync/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace holdfast::sync {

Duration pause_before_retry(const RetrySchedule& schedule, int attempt, double random) {
  const double grown = static_cast<double>(schedule.first.count()) * std::pow(schedule.factor, attempt - 1);
  const double capped = std::min(grown, static_cast<double>(schedule.longest.count()));
  return Duration(static_cast<int64_t>(capped * (0.5 + random / 2)));
}

static double random_fraction() {
  uint32_t number = 0;
  random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return number / 4294967296.0;
}

Status retry(const RetrySchedule& schedule, Clock& clock, std::stop_token stop,
             const std::function<Status()>& attempt) {
  const BootTime start = clock.boottime();
  for (int count = 1;; ++count) {
    Status status = attempt();
    if (status.ok() || !status.error().retryable()) return status;
    const Duration pause = pause_before_retry(schedule, count, random_fraction());
    if (clock.boottime() - start + pause > schedule.deadline || !clock.sleep(stop, pause)) {
      if (count == 1) return status;
      return std::move(status).error().in(fmt::format("after {} attempts", count));
    }
  }
}

}  // namespace holdfast::sync
