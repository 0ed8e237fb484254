#include "repo/node_json.h"

#include <fmt/format.h>

#include "repo/go_quote.h"

namespace holdfast::repo {
namespace {

constexpr int kDeepest = 100;

Error expected(std::string_view what, std::string_view rest) {
  return {ErrorCode::corrupt,
          fmt::format("JSON: {} expected at \"{}\"", what, go_quote(rest.substr(0, 24), GoRelease::go1_26))};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

void JsonScanner::skip_space() {
  size_t at = 0;
  while (at < rest_.size() && (rest_[at] == ' ' || rest_[at] == '\n' || rest_[at] == '\t' || rest_[at] == '\r')) ++at;
  rest_.remove_prefix(at);
}

bool JsonScanner::take(char c) {
  skip_space();
  if (rest_.empty() || rest_[0] != c) return false;
  rest_.remove_prefix(1);
  return true;
}

Status JsonScanner::expect(char c) {
  if (!take(c)) return expected(std::string_view(&c, 1), rest_);
  return {};
}

bool JsonScanner::take_null() {
  skip_space();
  if (!rest_.starts_with("null")) return false;
  rest_.remove_prefix(4);
  return true;
}

Result<bool> JsonScanner::more(char close) {
  if (take(',')) return true;
  if (take(close)) return false;
  return expected("a comma or the end of the list", rest_);
}

Result<uint32_t> JsonScanner::hex4() {
  if (rest_.size() < 4) return expected("four hex digits", rest_);
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = rest_[static_cast<size_t>(i)];
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return expected("four hex digits", rest_);
    value = value * 16 + static_cast<uint32_t>(digit);
  }
  rest_.remove_prefix(4);
  return value;
}

Status JsonScanner::append_escape(std::string& out) {
  if (rest_.empty()) return expected("an escape", rest_);
  const char letter = rest_[0];
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const size_t known = kLetters.find(letter); known != std::string_view::npos) {
    out += kMeanings[known];
    rest_.remove_prefix(1);
    return {};
  }
  if (letter != 'u') return expected("an escape", rest_);
  rest_.remove_prefix(1);
  char32_t rune = TRY(hex4());
  if (rune >= 0xd800 && rune < 0xdc00 && rest_.starts_with("\\u")) {
    const std::string_view before = rest_;
    rest_.remove_prefix(2);
    const uint32_t low = TRY(hex4());
    if (low >= 0xdc00 && low < 0xe000) {
      rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
    } else {
      rest_ = before;  // the second escape stands for itself
    }
  }
  append_utf8(out, rune);
  return {};
}

Result<std::string> JsonScanner::string() {
  skip_space();
  if (rest_.empty() || rest_[0] != '"') return expected("a string", rest_);
  rest_.remove_prefix(1);
  std::string out;
  while (true) {
    size_t plain = 0;
    while (plain < rest_.size()) {
      const auto c = static_cast<unsigned char>(rest_[plain]);
      if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) break;
      ++plain;
    }
    out += rest_.substr(0, plain);
    rest_.remove_prefix(plain);
    if (rest_.empty()) return expected("the end of a string", rest_);
    const char c = rest_[0];
    if (c == '"') {
      rest_.remove_prefix(1);
      return out;
    }
    if (c == '\\') {
      rest_.remove_prefix(1);
      TRY(append_escape(out));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return expected("an escaped control character", rest_);
    } else {
      const DecodedRune next = decode_utf8(rest_);
      append_utf8(out, next.rune);
      rest_.remove_prefix(next.length);
    }
  }
}

Result<uint64_t> JsonScanner::number(uint64_t largest) {
  skip_space();
  uint64_t value = 0;
  size_t at = 0;
  for (; at < rest_.size() && is_digit(rest_[at]); ++at) {
    const auto digit = static_cast<uint64_t>(rest_[at] - '0');
    if (value > (largest - digit) / 10) return expected(fmt::format("a number up to {}", largest), rest_);
    value = value * 10 + digit;
  }
  const bool fraction = at < rest_.size() && (rest_[at] == '.' || rest_[at] == 'e' || rest_[at] == 'E');
  if (at == 0 || fraction || (at > 1 && rest_[0] == '0')) return expected("a whole number", rest_);
  rest_.remove_prefix(at);
  return value;
}

Status JsonScanner::skip_string() {
  size_t at = 1;
  for (; at < rest_.size() && rest_[at] != '"'; ++at) {
    if (rest_[at] == '\\') ++at;
    if (at < rest_.size() && static_cast<unsigned char>(rest_[at]) < 0x20) return expected("a string", rest_);
  }
  if (at >= rest_.size()) return expected("the end of a string", rest_);
  rest_.remove_prefix(at + 1);
  return {};
}

Status JsonScanner::skip_members(char close, int depth) {
  rest_.remove_prefix(1);
  if (take(close)) return {};
  while (true) {
    if (close == '}') {
      skip_space();
      if (rest_.empty() || rest_[0] != '"') return expected("a member's name", rest_);
      TRY(skip_string());
      TRY(expect(':'));
    }
    TRY(skip_value(depth));
    if (!TRY(more(close))) return {};
  }
}

Status JsonScanner::skip_value(int depth) {
  skip_space();
  if (rest_.empty() || depth > kDeepest) return expected("a value of moderate depth", rest_);
  switch (rest_[0]) {
    case '{':
      return skip_members('}', depth + 1);
    case '[':
      return skip_members(']', depth + 1);
    case '"':
      return skip_string();
    default:
      break;
  }
  for (const std::string_view word : {"null", "true", "false"}) {
    if (!rest_.starts_with(word)) continue;
    rest_.remove_prefix(word.size());
    return {};
  }
  size_t at = 0;
  while (at < rest_.size() &&
         (is_digit(rest_[at]) || std::string_view("+-.eE").find(rest_[at]) != std::string_view::npos)) {
    ++at;
  }
  if (at == 0) return expected("a value", rest_);
  rest_.remove_prefix(at);
  return {};
}

Result<std::string_view> JsonScanner::raw_value() {
  skip_space();
  const std::string_view before = rest_;
  TRY(skip_value(0));
  return before.substr(0, before.size() - rest_.size());
}

}  // namespace holdfast::repo
