#include "repo/node_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.h"

namespace holdfast::repo {
namespace {

using Parts = std::span<const std::string>;

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
  }
  return parts;
}

/// Takes one (possibly escaped) character of a bracket list.
char take_member(std::string_view& pattern) {
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  const char c = pattern[0];
  pattern.remove_prefix(1);
  return c;
}

/// Matches `c` with the bracket list in front of `pattern` and passes it.
bool take_list(std::string_view& pattern, char c) {
  pattern.remove_prefix(1);
  const bool inverted = pattern.starts_with('^') || pattern.starts_with('!');
  if (inverted) pattern.remove_prefix(1);
  bool found = false;
  for (bool first = true; !pattern.empty() && (first || pattern[0] != ']'); first = false) {
    const char low = take_member(pattern);
    char high = low;
    if (pattern.size() > 1 && pattern[0] == '-' && pattern[1] != ']') {
      pattern.remove_prefix(1);
      high = take_member(pattern);
    }
    if (static_cast<unsigned char>(low) <= static_cast<unsigned char>(c) &&
        static_cast<unsigned char>(c) <= static_cast<unsigned char>(high)) {
      found = true;
    }
  }
  if (!pattern.empty()) pattern.remove_prefix(1);
  return found != inverted;
}

bool well_formed(std::string_view part) {
  for (size_t at = 0; at < part.size(); ++at) {
    if (part[at] == '\\' && ++at >= part.size()) return false;
    if (part[at] == '[' && (at == 0 || part[at - 1] != '\\') && part.find(']', at + 2) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

/// True where the whole pattern matches the path or a directory above it. `prefix`: also where the path ends first,
/// so that something below it may match.
bool matches_from(Parts pattern, Parts path, bool prefix) {
  if (pattern.empty()) return true;
  if (path.empty()) return prefix || std::ranges::all_of(pattern, [](const auto& part) { return part == "**"; });
  if (pattern[0] == "**") {
    for (size_t skip = 0; skip <= path.size(); ++skip) {
      if (matches_from(pattern.subspan(1), path.subspan(skip), prefix)) return true;
    }
    return false;
  }
  return matches_part(pattern[0], path[0]) && matches_from(pattern.subspan(1), path.subspan(1), prefix);
}

bool matches_anywhere(Parts pattern, Parts path, bool from_root) {
  if (from_root) return matches_from(pattern, path, false);
  for (size_t skip = 0; skip < path.size(); ++skip) {
    if (matches_from(pattern, path.subspan(skip), false)) return true;
  }
  return false;
}

}  // namespace

bool matches_part(std::string_view pattern, std::string_view name) {
  size_t retry_name = 0;
  std::string_view retry_pattern;
  bool can_retry = false;
  size_t at = 0;
  while (true) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      retry_pattern = pattern;
      retry_name = at;
      can_retry = true;
      continue;
    }
    if (at == name.size() && pattern.empty()) return true;
    bool same = false;
    if (at < name.size() && !pattern.empty()) {
      if (pattern[0] == '?') {
        pattern.remove_prefix(1);
        same = true;
      } else if (pattern[0] == '[') {
        same = take_list(pattern, name[at]);
      } else {
        same = take_member(pattern) == name[at];
      }
    }
    if (same) {
      ++at;
    } else if (can_retry && retry_name < name.size()) {
      pattern = retry_pattern;
      at = ++retry_name;
    } else {
      return false;
    }
  }
}

Status PathFilter::add(std::string_view pattern, LetterCase letter_case) {
  Pattern made;
  made.takes_back = pattern.starts_with('!');
  if (made.takes_back) pattern.remove_prefix(1);
  made.from_root = pattern.starts_with('/');
  made.ignores_case = letter_case == LetterCase::ignored;
  made.parts = parts_of(made.ignores_case ? to_lower(pattern) : std::string(pattern));
  if (made.parts.size() > 100 || (made.parts.empty() && !made.from_root) ||
      !std::ranges::all_of(made.parts, well_formed)) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no pattern", pattern));
  }
  patterns_.push_back(std::move(made));
  return {};
}

bool PathFilter::matches(std::string_view path) const {
  if (patterns_.empty()) return false;
  const std::vector<std::string> parts = parts_of(path);
  std::vector<std::string> lower;
  bool matched = false;
  for (const Pattern& pattern : patterns_) {
    if (pattern.takes_back != matched) continue;
    if (pattern.ignores_case && lower.empty()) lower = parts_of(to_lower(path));
    if (matches_anywhere(pattern.parts, pattern.ignores_case ? lower : parts, pattern.from_root)) {
      matched = !pattern.takes_back;
    }
  }
  return matched;
}

bool PathFilter::may_match_below(std::string_view path) const {
  const std::vector<std::string> parts = parts_of(path);
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    if (pattern.takes_back) return false;
    const std::vector<std::string> own = pattern.ignores_case ? parts_of(to_lower(path)) : parts;
    return !pattern.from_root || matches_from(pattern.parts, own, true);
  });
}

}  // namespace holdfast::repo
