// Text as Go writes it: strconv.Quote and the strings of encoding/json, to the byte.
//
// restic's tree blobs are content-addressed JSON made by Go, so one byte of difference gives a directory another id.
// Two Go releases matter: 1.19 (Debian's restic 0.14) and 1.26 (restic 0.19); they differ in the table of printable
// runes (Unicode 13.0 and 15.0) and in how JSON spells \b and \f. Pure; any thread. The tables are made by
// tools/go_tables.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::repo {

enum class GoRelease { go1_19, go1_26 };

/// unicode.IsPrint of that release.
[[nodiscard]] bool go_is_printable(char32_t rune, GoRelease release);

/// Appends strconv.Quote(text) without the quotes around it.
void append_go_quoted(std::string& out, std::string_view text, GoRelease release);
[[nodiscard]] std::string go_quote(std::string_view text, GoRelease release);

/// Undoes it: strconv.Unquote of `"` + text + `"`. invalid for an escape Go does not know, a bare quote or a newline.
[[nodiscard]] Result<std::string> go_unquote(std::string_view text);

/// Appends a JSON string with its quotes as encoding/json does: <, > and & escaped, U+2028 and U+2029 too, bytes that
/// are no UTF-8 as \ufffd.
void append_go_json(std::string& out, std::string_view text, GoRelease release);

/// Appends a rune as UTF-8; a surrogate or a value above U+10FFFF becomes U+FFFD.
void append_utf8(std::string& out, char32_t rune);

struct DecodedRune {
  char32_t rune;
  size_t length;  ///< 1 with `valid` false for a byte that begins no UTF-8
  bool valid;
};
/// The first rune of a text that is not empty, by Go's rules (shortest forms only, no surrogates).
[[nodiscard]] DecodedRune decode_utf8(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace holdfast::repo
