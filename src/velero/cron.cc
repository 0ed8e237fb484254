#include "velero/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/text.h"

namespace holdfast::velero {

namespace {

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Bounds {
  int64_t low;
  int64_t high;
  Names names;
};
const Bounds kMinute{0, 59, {}};
const Bounds kHour{0, 23, {}};
const Bounds kDay{1, 31, {}};
const Bounds kMonth{1, 12, kMonths};
const Bounds kWeekday{0, 6, kWeekdays};

constexpr int64_t kMinutesPerDay = 24 * 60;
constexpr int64_t kYearLimit = 5;

struct Field {
  uint64_t bits = 0;
  bool star = false;
};

Error bad(std::string text) {
  return {ErrorCode::invalid, std::move(text)};
}

Result<int64_t> number(std::string_view text) {
  Result<int64_t> out = parse_int(text);
  if (!out) return bad(fmt::format("Failed to parse int from {}: invalid syntax", text));
  if (*out < 0) return bad(fmt::format("Negative number ({}) not allowed: {}", *out, text));
  return out;
}

Result<int64_t> number_or_name(std::string_view text, const Bounds& bounds) {
  const auto it = std::find(bounds.names.begin(), bounds.names.end(), to_lower(text));
  if (it != bounds.names.end()) return bounds.low + (it - bounds.names.begin());
  return number(text);
}

/// One entry of a list: "*", "?", N, N-M, each with "/STEP"; "N/STEP" means N to the end.
Result<Field> parse_range(const std::string& text, const Bounds& bounds) {
  const std::vector<std::string> range_and_step = split(text, '/');
  const std::vector<std::string> ends = split(range_and_step[0], '-');
  const bool single = ends.size() == 1;
  int64_t low = bounds.low;
  int64_t high = bounds.high;
  Field out;
  if (ends[0] == "*" || ends[0] == "?") {
    out.star = true;
  } else {
    low = TRY(number_or_name(ends[0], bounds));
    high = low;
    if (ends.size() == 2) high = TRY(number_or_name(ends[1], bounds));
    if (ends.size() > 2) return bad(fmt::format("Too many hyphens: {}", text));
  }
  int64_t step = 1;
  if (range_and_step.size() > 2) return bad(fmt::format("Too many slashes: {}", text));
  if (range_and_step.size() == 2) {
    step = TRY(number(range_and_step[1]));
    if (single) high = bounds.high;
    if (step > 1) out.star = false;
  }
  if (low < bounds.low)
    return bad(fmt::format("Beginning of range ({}) below minimum ({}): {}", low, bounds.low, text));
  if (high > bounds.high) return bad(fmt::format("End of range ({}) above maximum ({}): {}", high, bounds.high, text));
  if (low > high) return bad(fmt::format("Beginning of range ({}) beyond end of range ({}): {}", low, high, text));
  if (step == 0) return bad(fmt::format("Step of range should be a positive number: {}", text));
  for (int64_t i = low; i <= high; i += std::min(step, bounds.high + 1)) out.bits |= uint64_t{1} << i;
  return out;
}

Result<Field> parse_field(std::string_view text, const Bounds& bounds) {
  Field out;
  for (const std::string& part : split(text, ',')) {
    if (part.empty()) continue;
    const Field field = TRY(parse_range(part, bounds));
    out.bits |= field.bits;
    out.star = out.star || field.star;
  }
  if (out.bits == 0) return bad(fmt::format("Empty list: {}", text));
  return out;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f') {
      if (!word.empty()) out.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

Result<std::string> expand_descriptor(std::string_view text) {
  if (text == "@yearly" || text == "@annually") return std::string("0 0 1 1 *");
  if (text == "@monthly") return std::string("0 0 1 * *");
  if (text == "@weekly") return std::string("0 0 * * 0");
  if (text == "@daily" || text == "@midnight") return std::string("0 0 * * *");
  if (text == "@hourly") return std::string("0 * * * *");
  return bad(fmt::format("Unrecognized descriptor: {}", text));
}

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

/// The first set bit at or above `from`; 64 where there is none.
int64_t next_bit(uint64_t bits, int64_t from) {
  if (from >= 64) return 64;
  return std::countr_zero(bits & (~uint64_t{0} << from));
}

int64_t seconds_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
Time time_of(int64_t seconds) {
  return Time(std::chrono::seconds(seconds));
}

}  // namespace

Result<Cron> Cron::parse(std::string_view expression) {
  return parse(expression, [](const std::string& name) { return Zone::load(name); });
}

Result<Cron> Cron::parse(std::string_view expression, const ZoneLoader& zones) {
  Cron out;
  if (expression.empty()) return bad("Empty spec string");
  std::string_view rest = expression;
  if (rest.starts_with("TZ=") || rest.starts_with("CRON_TZ=")) {
    const size_t equals = rest.find('=');
    const size_t space = rest.find(' ');
    if (space == std::string_view::npos) return bad(fmt::format("Provided bad location {}: no fields behind it", rest));
    const std::string name(rest.substr(equals + 1, space - equals - 1));
    Result<Zone> zone = zones(name);
    if (!zone)
      return bad(fmt::format("Provided bad location {}: {}", name, zone.error().message())).hinted(zone.error().hint());
    out.zone_ = *std::move(zone);
    rest = trim(rest.substr(space));
  }
  constexpr std::string_view kEvery = "@every ";
  if (rest.starts_with(kEvery)) {
    const std::string_view text = rest.substr(kEvery.size());
    Result<Duration> interval = parse_go_duration(text);
    if (!interval) return bad(fmt::format("Failed to parse duration {}: {}", rest, interval.error().message()));
    const auto whole = std::chrono::floor<std::chrono::seconds>(*interval);
    out.interval_ = std::max<Duration>(whole, std::chrono::seconds(1));
    return out;
  }
  std::string fields_text(rest);
  if (rest.starts_with('@')) fields_text = TRY(expand_descriptor(rest));
  const std::vector<std::string> fields = words(fields_text);
  if (fields.size() != 5) return bad(fmt::format("Expected exactly 5 fields, found {}: {}", fields.size(), rest));
  const Field minute = TRY(parse_field(fields[0], kMinute));
  const Field hour = TRY(parse_field(fields[1], kHour));
  const Field day = TRY(parse_field(fields[2], kDay));
  const Field month = TRY(parse_field(fields[3], kMonth));
  const Field weekday = TRY(parse_field(fields[4], kWeekday));
  out.minutes_ = minute.bits;
  out.hours_ = hour.bits;
  out.days_ = day.bits;
  out.months_ = month.bits;
  out.weekdays_ = weekday.bits;
  out.any_day_ = day.star;
  out.any_weekday_ = weekday.star;
  return out;
}

bool Cron::day_matches(int64_t day_number) const {
  using namespace std::chrono;
  const sys_days date{days(day_number)};
  const year_month_day ymd(date);
  const bool month = ((months_ >> static_cast<unsigned>(ymd.month())) & 1U) != 0;
  const bool day = ((days_ >> static_cast<unsigned>(ymd.day())) & 1U) != 0;
  const bool weekday = ((weekdays_ >> std::chrono::weekday(date).c_encoding()) & 1U) != 0;
  return month && (any_day_ || any_weekday_ ? day && weekday : day || weekday);
}

/// The first matching local minute in [minute, end).
std::optional<int64_t> Cron::next_local(int64_t minute, int64_t end) const {
  while (minute < end) {
    const int64_t day = floor_div(minute, kMinutesPerDay);
    const int64_t in_day = minute - day * kMinutesPerDay;
    if (day_matches(day)) {
      int64_t hour = next_bit(hours_, in_day / 60);
      int64_t in_hour = hour == in_day / 60 ? next_bit(minutes_, in_day % 60) : next_bit(minutes_, 0);
      if (in_hour == 64) {
        hour = next_bit(hours_, hour + 1);
        in_hour = next_bit(minutes_, 0);
      }
      if (hour != 64) {
        const int64_t found = day * kMinutesPerDay + hour * 60 + in_hour;
        return found < end ? std::optional(found) : std::nullopt;
      }
    }
    minute = (day + 1) * kMinutesPerDay;
  }
  return std::nullopt;
}

std::optional<Time> Cron::next(Time after) const {
  const int64_t start = seconds_of(after);
  if (interval_) return time_of(start) + *interval_;
  int64_t now = start + 1;
  const int64_t limit = start + (kYearLimit * 366 + 1) * 86400;
  while (now < limit) {
    const Zone::Segment segment = zone_.at(now);
    const int64_t until = std::min(segment.end, limit);
    const int64_t first = floor_div(now + segment.offset + 59, 60);
    const int64_t end = floor_div(until + segment.offset + 59, 60);
    if (const std::optional<int64_t> found = next_local(first, end)) return time_of(*found * 60 - segment.offset);
    now = until;
  }
  return std::nullopt;
}

}  // namespace holdfast::velero
