// Time, as a thing that is handed in: code under test never reads a clock or sleeps by itself.
//
// Two clocks, never mixed (safety.md 11): `now` is UTC for records that people and other machines read; `boottime`
// (CLOCK_BOOTTIME) counts durations, also through a suspend. All members may be called from any thread.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast {

using Duration = std::chrono::nanoseconds;
/// A point in UTC with nanoseconds.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

struct BootClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
/// A point on CLOCK_BOOTTIME of this machine; meaningless elsewhere.
using BootTime = BootClock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Time now() const = 0;
  [[nodiscard]] virtual BootTime boottime() const = 0;
  /// Waits; cancelled when `stop` asks for it first. A duration of zero or less only looks at `stop`.
  virtual Status sleep(std::stop_token stop, Duration duration) = 0;
};

/// The machine's clock. Lives for ever.
[[nodiscard]] Clock& system_clock();

/// RFC 3339 in UTC with whole seconds, as Kubernetes writes it: "2026-11-21T06:18:56Z".
[[nodiscard]] std::string format_rfc3339(Time time);
/// RFC 3339 in UTC with up to nine fractional digits, trailing zeros trimmed, as Go's RFC3339Nano.
[[nodiscard]] std::string format_rfc3339_nano(Time time);
/// Any RFC 3339 time with optional fraction (1 to 9 digits) and zone. invalid for anything else.
[[nodiscard]] Result<Time> parse_rfc3339(std::string_view text);

/// A Go duration: "1h30m", "4h0m0s", "250ms", "-1.5h". invalid for anything else; saturates nowhere: too large is
/// invalid.
[[nodiscard]] Result<Duration> parse_go_duration(std::string_view text);
/// As Go prints it: "720h0m0s", "1.5s", "250ms", "0s".
[[nodiscard]] std::string format_go_duration(Duration duration);

}  // namespace holdfast
