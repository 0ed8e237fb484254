#include "repo/node_time.h"

#include <fmt/format.h>

#include <ctime>

namespace holdfast::repo {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr int64_t kDay = 86400;
constexpr int64_t kYear0 = -62167219200;      // 0000-01-01T00:00:00Z
constexpr int64_t kYear10000 = 253402300800;  // 10000-01-01T00:00:00Z
constexpr int64_t kCycle = 146097 * kDay;     // the calendar repeats after 400 years

int64_t days_of(int64_t y, unsigned month, unsigned day) {
  return sys_days(year_month_day(year(static_cast<int>(y)), std::chrono::month(month), std::chrono::day(day)))
      .time_since_epoch()
      .count();
}

int64_t floor_day(int64_t seconds) {
  return seconds >= 0 ? seconds / kDay : -((kDay - 1 - seconds) / kDay);
}

/// Moves a time of another year into `target`, keeping month, day and time of day; 29 February becomes 1 March where
/// the target has none.
int64_t with_year(int64_t seconds, int64_t target) {
  const int64_t cycles = floor_day(seconds) / 146097 - (seconds < 0 ? 1 : 0);
  const int64_t inside = seconds - cycles * kCycle;
  const int64_t day = floor_day(inside);
  const year_month_day date(sys_days(days(static_cast<int>(day))));
  const int64_t first = days_of(target, static_cast<unsigned>(date.month()), 1);
  return (first + static_cast<unsigned>(date.day()) - 1) * kDay + (inside - day * kDay);
}

int64_t zone_offset(int64_t seconds) {
  const time_t at = seconds;
  tm local{};
  return localtime_r(&at, &local) ? local.tm_gmtoff : 0;
}

/// Reads exactly `count` digits at `at`; -1 where there are none.
int64_t digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return -1;
  int64_t value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool has(std::string_view text, size_t at, char c) {
  return at < text.size() && text[at] == c;
}

/// "Z" or "+hh:mm" as the whole of `text`, in seconds.
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int64_t hours = digits(text, 1, 2), minutes = digits(text, 4, 2);
  if (hours < 0 || hours > 24 || minutes < 0 || minutes > 60) return std::nullopt;
  const int64_t offset = hours * 3600 + minutes * 60;
  return text[0] == '-' ? -offset : offset;
}

Error no_time(std::string_view text) {
  return {ErrorCode::invalid, fmt::format("\"{}\" is no RFC 3339 time", text.substr(0, 64))};
}

}  // namespace

NodeTime NodeTime::from(const timespec& time) {
  NodeTime out;
  out.seconds = time.tv_sec;
  out.nanoseconds = static_cast<int32_t>(time.tv_nsec);
  // The year that counts is the one of this process's zone.
  const int64_t offset = zone_offset(out.seconds);
  const int64_t local = out.seconds + offset;
  if (local < kYear0) out.seconds = with_year(local, 0) - offset;
  if (local >= kYear10000) out.seconds = with_year(local, 9999) - offset;
  return out;
}

NodeTime NodeTime::from(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  timespec spec{};
  spec.tv_sec = seconds.time_since_epoch().count();
  spec.tv_nsec = static_cast<long>((time - seconds).count());
  return from(spec);
}

timespec NodeTime::to_timespec() const {
  timespec spec{};
  spec.tv_sec = seconds;
  spec.tv_nsec = nanoseconds;
  return spec;
}

void append_node_time(std::string& out, const NodeTime& time) {
  if (!time.text.empty()) {
    out += time.text;
    return;
  }
  const int64_t offset = zone_offset(time.seconds);
  const int64_t local = time.seconds + offset;
  const int64_t day = floor_day(local);
  const int64_t rest = local - day * kDay;
  const year_month_day date(sys_days(days(static_cast<int>(day))));
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3600, rest / 60 % 60,
                 rest % 60);
  if (time.nanoseconds != 0) {
    std::string fraction = fmt::format(".{:09}", time.nanoseconds);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    out += fraction;
  }
  if (offset == 0) {
    out += 'Z';
    return;
  }
  // Go divides first: an offset with seconds (before zones were whole minutes) loses them towards zero.
  const int64_t minutes = offset / 60;
  const int64_t size = minutes < 0 ? -minutes : minutes;
  fmt::format_to(std::back_inserter(out), "{}{:02}:{:02}", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

Result<NodeTime> parse_node_time(std::string_view text) {
  const int64_t y = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const int64_t hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!has(text, 4, '-') || !has(text, 7, '-') || !has(text, 10, 'T') || !has(text, 13, ':') || !has(text, 16, ':') ||
      y < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59 || text.size() > 64) {
    return no_time(text);
  }
  const year_month_day date(year(static_cast<int>(y)), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return no_time(text);
  size_t at = 19;
  int64_t nanoseconds = 0;
  if (has(text, at, '.')) {
    int64_t unit = 100'000'000;
    const size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      nanoseconds += unit * (text[at] - '0');
    if (at == first) return no_time(text);
  }
  const std::optional<int64_t> offset = parse_offset(text.substr(at));
  if (!offset) return no_time(text);
  NodeTime out;
  out.seconds = days_of(y, static_cast<unsigned>(month), static_cast<unsigned>(day)) * kDay + hour * 3600 +
                minute * 60 + second - *offset;
  out.nanoseconds = static_cast<int32_t>(nanoseconds);
  out.text = std::string(text);
  return out;
}

}  // namespace holdfast::repo
