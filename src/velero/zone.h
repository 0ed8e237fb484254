// Time zones for schedules: the offset from UTC at a point in time, from the system's TZif files (RFC 9636).
//
// g++ 12 has no std::chrono time zones, and the C library's TZ is one global per process. A Zone is an immutable value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::velero {

class Zone {
 public:
  /// A stretch of time with one offset: [begin, end) in Unix seconds.
  struct Segment {
    int64_t begin;
    int64_t end;
    int64_t offset;  ///< seconds east of UTC
  };

  /// UTC.
  Zone() = default;
  /// A TZif file of version 2 or later. corrupt for anything else.
  [[nodiscard]] static Result<Zone> parse(std::string_view tzif);
  /// "UTC", "" and "Local" (a server's clock runs in UTC) without a file; else DIRECTORY/NAME. not_found, invalid.
  [[nodiscard]] static Result<Zone> load(const std::string& name, const std::string& directory = "/usr/share/zoneinfo");

  /// The stretch around a point between the years 1 and 9999.
  [[nodiscard]] Segment at(int64_t unix_seconds) const;

 private:
  struct Transition {
    int64_t at;
    int64_t offset;
  };
  /// A rule of the POSIX TZ string in the file's last line: when a year's change happens.
  struct Rule {
    char kind = 'M';  // M: month, week, weekday; J: day 1..365 without leap days; 0: day 0..365
    int month = 0, week = 0, day = 0;
    int64_t seconds = 7200;
    [[nodiscard]] int64_t local_second(int64_t year) const;
  };

  static bool parse_footer(std::string_view text, Zone& zone);
  static bool parse_rule(std::string_view& text, Rule& rule);
  [[nodiscard]] Segment rule_segment(int64_t unix_seconds) const;

  int64_t first_offset_ = 0;
  std::vector<Transition> transitions_;
  bool has_rules_ = false;
  int64_t standard_ = 0;
  int64_t daylight_ = 0;
  Rule daylight_begins_;
  Rule daylight_ends_;
};

}  // namespace holdfast::velero
