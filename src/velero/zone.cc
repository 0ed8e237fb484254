#include "velero/zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "base/file.h"
#include "base/text.h"

namespace holdfast::velero {

namespace {

constexpr int64_t kEarliest = std::numeric_limits<int64_t>::min() / 4;
constexpr int64_t kLatest = std::numeric_limits<int64_t>::max() / 4;
constexpr size_t kHeader = 44;

int64_t big_endian(std::string_view bytes) {
  uint64_t out = static_cast<unsigned char>(bytes.front()) >= 0x80 ? ~uint64_t{0} : 0;
  for (const char c : bytes) out = (out << 8) | static_cast<unsigned char>(c);
  return static_cast<int64_t>(out);
}

struct Counts {
  size_t utc, standard, leaps, times, types, letters;
  [[nodiscard]] size_t size(size_t width) const {
    return times * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard + utc;
  }
};

bool read_header(std::string_view bytes, Counts& out) {
  if (bytes.size() < kHeader || !bytes.starts_with("TZif") || bytes[4] < '2') return false;
  std::array<size_t, 6> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int64_t number = big_endian(bytes.substr(20 + 4 * i, 4));
    if (number < 0 || number > 1'000'000) return false;
    numbers[i] = static_cast<size_t>(number);
  }
  out = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  return true;
}

bool take_number(std::string_view& text, int64_t limit, int64_t& out) {
  size_t used = 0;
  out = 0;
  while (used < text.size() && text[used] >= '0' && text[used] <= '9') {
    out = out * 10 + (text[used++] - '0');
    if (out > limit) return false;
  }
  text.remove_prefix(used);
  return used > 0;
}

bool take_char(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// [+-]hh[:mm[:ss]]
bool take_time(std::string_view& text, int64_t& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int64_t hours = 0, minutes = 0, seconds = 0;
  if (!take_number(text, 167, hours)) return false;
  if (take_char(text, ':')) {
    if (!take_number(text, 59, minutes)) return false;
    if (take_char(text, ':') && !take_number(text, 59, seconds)) return false;
  }
  out = (hours * 3600 + minutes * 60 + seconds) * (negative ? -1 : 1);
  return true;
}

/// "CET" or "<+03>".
bool take_name(std::string_view& text) {
  if (take_char(text, '<')) {
    const size_t end = text.find('>');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
    return true;
  }
  size_t used = 0;
  while (used < text.size() && ((text[used] | 0x20) >= 'a' && (text[used] | 0x20) <= 'z')) ++used;
  text.remove_prefix(used);
  return used >= 3;
}

int64_t day_number(int64_t year, int month, int day) {
  using namespace std::chrono;
  const sys_days days = std::chrono::year(static_cast<int>(year)) / month / day;
  return days.time_since_epoch().count();
}

int64_t year_of(int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_days days = floor<std::chrono::days>(sys_seconds(seconds(unix_seconds)));
  return static_cast<int>(year_month_day(days).year());
}

}  // namespace

int64_t Zone::Rule::local_second(int64_t year) const {
  using namespace std::chrono;
  int64_t number = 0;
  const bool leap = std::chrono::year(static_cast<int>(year)).is_leap();
  if (kind == 'J') {
    number = day_number(year, 1, 1) + day - 1 + (leap && day >= 60 ? 1 : 0);
  } else if (kind == '0') {
    number = day_number(year, 1, 1) + day;
  } else {
    const int64_t first = day_number(year, month, 1);
    const auto weekday_of_first = static_cast<int>(weekday(sys_days(days(first))).c_encoding());
    number = first + (day - weekday_of_first + 7) % 7 + (week - 1) * 7;
    const int64_t next_month = month == 12 ? day_number(year + 1, 1, 1) : day_number(year, month + 1, 1);
    while (number >= next_month) number -= 7;
  }
  return number * 86400 + seconds;
}

bool Zone::parse_rule(std::string_view& text, Rule& rule) {
  if (!take_char(text, ',')) return false;
  int64_t month = 0, week = 0, day = 0;
  if (take_char(text, 'M')) {
    if (!take_number(text, 12, month) || month < 1 || !take_char(text, '.') || !take_number(text, 5, week) ||
        week < 1 || !take_char(text, '.') || !take_number(text, 6, day))
      return false;
  } else {
    rule.kind = take_char(text, 'J') ? 'J' : '0';
    if (!take_number(text, 365, day) || (rule.kind == 'J' && day < 1)) return false;
  }
  rule.month = static_cast<int>(month);
  rule.week = static_cast<int>(week);
  rule.day = static_cast<int>(day);
  return !take_char(text, '/') || take_time(text, rule.seconds);
}

bool Zone::parse_footer(std::string_view text, Zone& zone) {
  int64_t west = 0;
  if (!take_name(text) || !take_time(text, west)) return false;
  zone.standard_ = -west;
  if (text.empty()) return true;
  if (!take_name(text)) return false;
  zone.daylight_ = zone.standard_ + 3600;
  if (!text.starts_with(',')) {
    if (!take_time(text, west)) return false;
    zone.daylight_ = -west;
  }
  zone.has_rules_ = true;
  return parse_rule(text, zone.daylight_begins_) && parse_rule(text, zone.daylight_ends_) && text.empty();
}

Result<Zone> Zone::parse(std::string_view tzif) {
  const Error damaged(ErrorCode::corrupt, "not a TZif file of version 2");
  Counts counts{};
  if (!read_header(tzif, counts) || tzif.size() < kHeader + counts.size(4)) return damaged;
  tzif.remove_prefix(kHeader + counts.size(4));
  if (!read_header(tzif, counts) || tzif.size() < kHeader + counts.size(8) || counts.types == 0) return damaged;
  const std::string_view times = tzif.substr(kHeader);
  const std::string_view indices = times.substr(8 * counts.times);
  const std::string_view types = indices.substr(counts.times);
  const auto offset_of = [types](size_t index) { return big_endian(types.substr(6 * index, 4)); };
  Zone zone;
  zone.first_offset_ = offset_of(0);
  for (size_t i = 0; i < counts.times; ++i) {
    const auto type = static_cast<unsigned char>(indices[i]);
    const int64_t at = big_endian(times.substr(8 * i, 8));
    if (type >= counts.types) return damaged;
    if (!zone.transitions_.empty() && at <= zone.transitions_.back().at) return damaged;
    zone.transitions_.push_back({at, offset_of(type)});
  }
  std::string_view footer = tzif.substr(kHeader + counts.size(8));
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') return damaged;
  footer = footer.substr(1, footer.size() - 2);
  zone.standard_ = zone.transitions_.empty() ? zone.first_offset_ : zone.transitions_.back().offset;
  if (!footer.empty() && !parse_footer(footer, zone)) return damaged;
  return zone;
}

Result<Zone> Zone::load(const std::string& name, const std::string& directory) {
  if (name.empty() || name == "UTC" || name == "Local") return Zone();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
  const Error unknown(ErrorCode::not_found, fmt::format("unknown time zone {}", name),
                      "use a name of the time zone database, such as Europe/Berlin");
  if (!plain || name.front() == '/') return unknown;
  Result<std::string> bytes = read_file(fmt::format("{}/{}", directory, name), size_t{1} << 20);
  if (bytes.is(ErrorCode::not_found) || bytes.is(ErrorCode::invalid)) return unknown;
  if (!bytes) return std::move(bytes).error().in(fmt::format("time zone {}", name));
  return parse(*bytes).in(fmt::format("time zone {}", name));
}

Zone::Segment Zone::rule_segment(int64_t unix_seconds) const {
  const int64_t from = transitions_.empty() ? kEarliest : transitions_.back().at;
  if (!has_rules_) return {from, kLatest, standard_};
  std::vector<Transition> changes;
  const int64_t year = std::clamp<int64_t>(year_of(unix_seconds), 2, 9998);
  for (int64_t y = year - 1; y <= year + 1; ++y) {
    changes.push_back({daylight_begins_.local_second(y) - standard_, daylight_});
    changes.push_back({daylight_ends_.local_second(y) - daylight_, standard_});
  }
  std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  Segment out{from, kLatest, standard_};
  for (const Transition& change : changes) {
    if (change.at > unix_seconds) {
      out.end = change.at;
      break;
    }
    out.begin = std::max(from, change.at);
    out.offset = change.offset;
  }
  return out;
}

Zone::Segment Zone::at(int64_t unix_seconds) const {
  const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), unix_seconds,
                                     [](int64_t t, const Transition& transition) { return t < transition.at; });
  if (next == transitions_.end()) return rule_segment(unix_seconds);
  if (next == transitions_.begin()) return {kEarliest, next->at, first_offset_};
  return {std::prev(next)->at, next->at, std::prev(next)->offset};
}

}  // namespace holdfast::velero
