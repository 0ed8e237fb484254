// The retry schedule: exponential back-off with jitter under one deadline. Only errors that say they are retryable
// repeat.
#pragma once

#include <functional>
#include <stop_token>

#include "base/clock.h"

namespace holdfast::sync {

struct RetrySchedule {
  Duration first = std::chrono::milliseconds(200);  ///< pause before the second attempt
  Duration longest = std::chrono::seconds(30);      ///< no pause is longer
  Duration deadline = std::chrono::minutes(2);      ///< no attempt starts later than this after the first
  double factor = 2.0;
};

/// The pause before attempt `attempt` + 1 (attempt counts from 1); `random` in [0,1) moves it between half and whole.
[[nodiscard]] Duration pause_before_retry(const RetrySchedule& schedule, int attempt, double random);

/// Runs `attempt` until it succeeds, fails for good, the deadline is near or `stop` asks. The last error is returned,
/// with the number of attempts in front where there was more than one.
[[nodiscard]] Status retry(const RetrySchedule& schedule, Clock& clock, std::stop_token stop,
                           const std::function<Status()>& attempt);

/// The same for a call with a value.
template <typename T>
[[nodiscard]] Result<T> retry_value(const RetrySchedule& schedule, Clock& clock, std::stop_token stop,
                                    const std::function<Result<T>()>& attempt) {
  std::optional<T> value;
  Status status = retry(schedule, clock, std::move(stop), [&]() -> Status {
    Result<T> result = attempt();
    if (!result) return std::move(result).error();
    value.emplace(std::move(result).value());
    return {};
  });
  if (!status) return std::move(status).error();
  return std::move(*value);
}

}  // namespace holdfast::sync
