#include "base/clock.h"

#include <fmt/format.h>
#include <time.h>

#include <condition_variable>
#include <limits>
#include <mutex>

namespace holdfast {

namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class SystemClock final : public Clock {
 public:
  Time now() const override { return Time(read(CLOCK_REALTIME)); }
  BootTime boottime() const override { return BootTime(read(CLOCK_BOOTTIME)); }
  Status sleep(std::stop_token stop, Duration duration) override {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    if (duration > Duration::zero()) {
      wake.wait_for(lock, stop, duration, [] { return false; });
    }
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while waiting");
    return {};
  }

 private:
  static nanoseconds read(clockid_t id) {
    timespec spec{};
    CHECK(clock_gettime(id, &spec) == 0);
    return seconds(spec.tv_sec) + nanoseconds(spec.tv_nsec);
  }
};

Error bad_time(std::string_view text) {
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is not an RFC 3339 time", text),
               "write it like 2026-11-21T06:18:56Z");
}

/// Reads exactly `count` digits at `at`; -1 where there are none.
int digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::string date_and_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string format_rfc3339(Time time) {
  return date_and_time(time) + "Z";
}

std::string format_rfc3339_nano(Time time) {
  const auto fraction = (time - std::chrono::floor<seconds>(time)).count();
  if (fraction == 0) return format_rfc3339(time);
  std::string text = fmt::format("{}.{:09}", date_and_time(time), fraction);
  text.erase(text.find_last_not_of('0') + 1);
  return text + "Z";
}

Result<Time> parse_rfc3339(std::string_view text) {
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return bad_time(text);
  }
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return bad_time(text);
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad_time(text);
  size_t at = 19;
  int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    int64_t scale = 100'000'000;
    size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      fraction += (text[at] - '0') * scale;
    if (at == first || at - first > 9) return bad_time(text);
  }
  if (at >= text.size()) return bad_time(text);
  std::chrono::minutes offset{0};
  if (text[at] == 'Z' || text[at] == 'z') {
    ++at;
  } else if (text[at] == '+' || text[at] == '-') {
    const int hours = digits(text, at + 1, 2);
    const int minutes = digits(text, at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || text[at + 3] != ':') return bad_time(text);
    offset = std::chrono::minutes(hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
    at += 6;
  }
  if (at != text.size()) return bad_time(text);
  // Nanoseconds since 1970 in 64 bits reach from 1678 to 2261; zero-year sentinels of Go lie outside.
  if (year < 1678 || year > 2261) {
    return Error(ErrorCode::invalid, fmt::format("the time {} lies outside 1678 to 2261", text));
  }
  return Time(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) + std::chrono::minutes(minute) +
              seconds(second) + nanoseconds(fraction) - offset);
}

namespace {

/// Nanoseconds of a Go unit; 0 where there is none of that name.
int64_t unit_nanoseconds(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us" || unit == "µs" || unit == "μs") return 1'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "h") return 3'600'000'000'000;
  return 0;
}

}  // namespace

Result<Duration> parse_go_duration(std::string_view text) {
  const Error bad(ErrorCode::invalid, fmt::format("\"{}\" is not a duration", text),
                  "write it like 90s, 1h30m or 720h");
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (rest == "0") return Duration::zero();
  if (rest.empty()) return bad;
  long double total = 0;
  while (!rest.empty()) {
    const size_t number = std::min(rest.find_first_not_of("0123456789."), rest.size());
    const size_t unit_end = std::min(rest.find_first_of("0123456789.", number), rest.size());
    const std::string_view digits_text = rest.substr(0, number);
    const int64_t unit = unit_nanoseconds(rest.substr(number, unit_end - number));
    long double value = 0;
    long double scale = 0;
    bool any = false;
    for (const char c : digits_text) {
      if (c == '.') {
        if (scale != 0) return bad;
        scale = 1;
        continue;
      }
      any = true;
      value = value * 10 + (c - '0');
      scale *= 10;
    }
    if (!any || unit == 0) return bad;
    total += value * static_cast<long double>(unit) / (scale == 0 ? 1 : scale);
    rest.remove_prefix(unit_end);
  }
  // So that the quotient of two infinities, from thousands of digits, is refused too.
  if (!(total <= static_cast<long double>(std::numeric_limits<int64_t>::max()))) return bad;
  const auto count = static_cast<int64_t>(total);
  return Duration(negative ? -count : count);
}

std::string format_go_duration(Duration duration) {
  const int64_t count = duration.count();
  if (count == 0) return "0s";
  const std::string sign = count < 0 ? "-" : "";
  const uint64_t n = count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count);
  const auto with_fraction = [](uint64_t value, uint64_t unit, int width) {
    std::string text = fmt::format("{}", value / unit);
    if (value % unit != 0) {
      text += fmt::format(".{:0{}}", value % unit, width);
      text.erase(text.find_last_not_of('0') + 1);
    }
    return text;
  };
  if (n < 1'000) return fmt::format("{}{}ns", sign, n);
  if (n < 1'000'000) return sign + with_fraction(n, 1'000, 3) + "µs";
  if (n < 1'000'000'000) return sign + with_fraction(n, 1'000'000, 6) + "ms";
  const uint64_t minutes = n / 60'000'000'000;
  const std::string tail = with_fraction(n % 60'000'000'000, 1'000'000'000, 9) + "s";
  if (minutes == 0) return sign + tail;
  if (minutes < 60) return fmt::format("{}{}m{}", sign, minutes, tail);
  return fmt::format("{}{}h{}m{}", sign, minutes / 60, minutes % 60, tail);
}

}  // namespace holdfast
