// Times of nodes: instants with nanoseconds over the years 0 to 9999, and the RFC 3339 text they are stored as.
//
// A 64-bit count of nanoseconds ends in 2262, so this is a type of its own. The text carries the offset of the zone of
// the process that wrote it; it is kept beside the instant, because a tree keeps its id only while its text stays. Pure
// but for the zone of this process (localtime_r); any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

struct timespec;

namespace holdfast::repo {

struct NodeTime {
  int64_t seconds = -62135596800;  ///< since 1970; the default is Go's zero time, year 1
  int32_t nanoseconds = 0;         ///< 0 to 999,999,999
  std::string text = {};           ///< as stored; empty: written in the zone of this process

  /// The same instant, whatever the texts.
  [[nodiscard]] bool same_instant(const NodeTime& other) const {
    return seconds == other.seconds && nanoseconds == other.nanoseconds;
  }
  /// From a file's time; years outside 0 to 9999 move into them as restic moves them.
  [[nodiscard]] static NodeTime from(const timespec& time);
  [[nodiscard]] static NodeTime from(Time time);
  [[nodiscard]] timespec to_timespec() const;
};

/// As Go's RFC3339Nano: up to nine digits, trailing zeros trimmed, "Z" or the offset in minutes. Uses `text` if set.
void append_node_time(std::string& out, const NodeTime& time);
/// Keeps the text. invalid for anything but RFC 3339.
[[nodiscard]] Result<NodeTime> parse_node_time(std::string_view text);

}  // namespace holdfast::repo
