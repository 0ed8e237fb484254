// A reader of JSON text in place, for tree blobs: no values are built, so a directory of any size is read with the
// memory of one node. Every failure is `corrupt` and names what was expected. Internal to repo.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::repo {

class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::string_view rest() const { return rest_; }
  void skip_space();
  /// Takes the character (after white space) if it is next.
  [[nodiscard]] bool take(char c);
  /// Takes it or fails.
  [[nodiscard]] Status expect(char c);
  /// Takes `null` if it is next.
  [[nodiscard]] bool take_null();
  /// A string, decoded: lone surrogates and bytes that are no UTF-8 become U+FFFD, as Go reads them.
  [[nodiscard]] Result<std::string> string();
  /// A whole number from 0 to `largest`.
  [[nodiscard]] Result<uint64_t> number(uint64_t largest = UINT64_MAX);
  /// Any value, as its text; nesting above 100 is refused.
  [[nodiscard]] Result<std::string_view> raw_value();
  /// Between two members: true after a comma, false after `close`.
  [[nodiscard]] Result<bool> more(char close);

 private:
  Status skip_value(int depth);
  Status skip_members(char close, int depth);
  Status skip_string();
  Status append_escape(std::string& out);
  [[nodiscard]] Result<uint32_t> hex4();
  std::string_view rest_;
};

}  // namespace holdfast::repo
