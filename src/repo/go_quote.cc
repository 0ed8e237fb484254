#include "repo/go_quote.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace holdfast::repo {
namespace {

struct RuneRange {
  uint32_t first, last;
};
#include "repo/go_isprint.inc"

constexpr char32_t kReplacement = 0xfffd;
constexpr char kHex[] = "0123456789abcdef";

void append_hex_byte(std::string& out, std::string_view prefix, unsigned char byte) {
  out += prefix;
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

/// The letter of a short escape, or 0.
char short_escape(char32_t rune) {
  switch (rune) {
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    case '"':
    case '\\':
      return static_cast<char>(rune);
    default:
      return 0;
  }
}

void append_quoted_rune(std::string& out, char32_t rune, std::string_view bytes, GoRelease release) {
  if (const char letter = short_escape(rune)) {
    out += '\\';
    out += letter;
  } else if (go_is_printable(rune, release)) {
    out += bytes;
  } else if (rune < ' ' || rune == 0x7f) {
    append_hex_byte(out, "\\x", static_cast<unsigned char>(rune));
  } else if (rune < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(rune));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<uint32_t>(rune));
  }
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

Error bad_escape(std::string_view text) {
  return {ErrorCode::invalid, fmt::format("\"{}\" is no quoted text of Go", go_quote(text, GoRelease::go1_26))};
}

/// `count` digits of `base` at `at`, or nothing.
std::optional<uint32_t> read_digits(std::string_view text, size_t at, size_t count, uint32_t base) {
  if (at + count > text.size()) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text.substr(at, count)) {
    const int digit = digit_value(c);
    if (digit >= static_cast<int>(base)) return std::nullopt;
    value = value * base + static_cast<uint32_t>(digit);
  }
  return value;
}

/// Reads the escape whose letter is at text[at]; answers how many characters it took, 0 where it is none.
size_t read_escape(std::string_view text, size_t at, std::string& out) {
  if (at >= text.size()) return 0;
  const char letter = text[at];
  constexpr std::string_view kLetters = "abfnrtv\\\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
  if (const size_t known = kLetters.find(letter); known != std::string_view::npos) {
    out += kMeanings[known];
    return 1;
  }
  if (letter == 'x' || (letter >= '0' && letter <= '7')) {
    const size_t skip = letter == 'x' ? 1 : 0;
    const auto value = skip ? read_digits(text, at + 1, 2, 16) : read_digits(text, at, 3, 8);
    if (!value || *value > 255) return 0;
    out += static_cast<char>(*value);
    return 3;
  }
  if (letter == 'u' || letter == 'U') {
    const size_t count = letter == 'u' ? 4 : 8;
    const auto value = read_digits(text, at + 1, count, 16);
    if (!value || *value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)) return 0;
    append_utf8(out, *value);
    return 1 + count;
  }
  return 0;
}

void append_json_ascii(std::string& out, char c, GoRelease release) {
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
    case '\f':
      if (release == GoRelease::go1_26) {
        out += c == '\b' ? "\\b" : "\\f";
        return;
      }
      break;
    default:
      break;
  }
  append_hex_byte(out, "\\u00", static_cast<unsigned char>(c));
}

bool plain_in_json(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

}  // namespace

bool go_is_printable(char32_t rune, GoRelease release) {
  if (rune < 0x7f) return rune >= ' ';
  const std::span<const RuneRange> ranges = release == GoRelease::go1_19 ? std::span<const RuneRange>(kPrintableGo119)
                                                                         : std::span<const RuneRange>(kPrintableGo126);
  const auto at = std::ranges::lower_bound(ranges, static_cast<uint32_t>(rune), {}, &RuneRange::last);
  return at != ranges.end() && at->first <= rune;
}

void append_utf8(std::string& out, char32_t rune) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) rune = kReplacement;
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((rune >> shift) & 0x3f)); };
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xc0 | (rune >> 6));
    tail(0);
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xe0 | (rune >> 12));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | (rune >> 18));
    tail(12), tail(6), tail(0);
  }
}

DecodedRune decode_utf8(std::string_view text) {
  const auto byte = [&](size_t n) { return static_cast<unsigned char>(text[n]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  constexpr DecodedRune kBad{kReplacement, 1, false};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return kBad;
  char32_t rune = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return kBad;
    rune = (rune << 6) | (byte(i) & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < kSmallest[length] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return kBad;
  return {rune, length, true};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const DecodedRune next = decode_utf8(text);
    if (!next.valid) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

void append_go_quoted(std::string& out, std::string_view text, GoRelease release) {
  while (!text.empty()) {
    const DecodedRune next = decode_utf8(text);
    if (next.valid) {
      append_quoted_rune(out, next.rune, text.substr(0, next.length), release);
    } else {
      append_hex_byte(out, "\\x", static_cast<unsigned char>(text[0]));
    }
    text.remove_prefix(next.length);
  }
}

std::string go_quote(std::string_view text, GoRelease release) {
  std::string out;
  out.reserve(text.size());
  append_go_quoted(out, text, release);
  return out;
}

Result<std::string> go_unquote(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\n') return bad_escape(text);
    if (c == '\\') {
      const size_t taken = read_escape(text, at + 1, out);
      if (taken == 0) return bad_escape(text);
      at += 1 + taken;
      continue;
    }
    const DecodedRune next = decode_utf8(text.substr(at));
    append_utf8(out, next.rune);  // Go reads a stray byte as U+FFFD
    at += next.length;
  }
  return out;
}

void append_go_json(std::string& out, std::string_view text, GoRelease release) {
  out += '"';
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && plain_in_json(static_cast<unsigned char>(text[plain]))) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const DecodedRune next = decode_utf8(text);
    if (!next.valid) {
      out += "\\ufffd";
    } else if (next.rune == 0x2028 || next.rune == 0x2029) {
      out += next.rune == 0x2028 ? "\\u2028" : "\\u2029";
    } else if (next.length > 1) {
      out += text.substr(0, next.length);
    } else {
      append_json_ascii(out, text[0], release);
    }
    text.remove_prefix(next.length);
  }
  out += '"';
}

}  // namespace holdfast::repo
