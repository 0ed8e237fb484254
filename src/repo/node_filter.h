// Patterns over paths, as restic's --exclude and --include take them.
//
// A pattern is matched part by part ('*', '?' and [a-z] within a part, "**" for any number of parts). One that begins
// with '/' is matched from the root, any other at every depth; a path below a matching directory matches too. A later
// pattern with '!' in front takes back what earlier ones matched. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::repo {

enum class LetterCase { exact, ignored };

class PathFilter {
 public:
  /// invalid where a pattern is malformed (an open bracket, a trailing backslash, nothing at all).
  [[nodiscard]] Status add(std::string_view pattern, LetterCase letter_case = LetterCase::exact);
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  /// `path` begins with '/'.
  [[nodiscard]] bool matches(std::string_view path) const;
  /// True where something below the directory `path` may match although it does not itself.
  [[nodiscard]] bool may_match_below(std::string_view path) const;

 private:
  struct Pattern {
    std::vector<std::string> parts;
    bool from_root = false;
    bool takes_back = false;
    bool ignores_case = false;
  };
  std::vector<Pattern> patterns_;
};

/// One part of a pattern against one name; the pattern is well-formed.
[[nodiscard]] bool matches_part(std::string_view pattern, std::string_view name);

}  // namespace holdfast::repo
