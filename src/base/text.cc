#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace holdfast {

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out.push_back(kDigits[std::to_integer<size_t>(b >> 4)]);
    out.push_back(kDigits[std::to_integer<size_t>(b & std::byte{0x0f})]);
  }
  return out;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return Error(ErrorCode::invalid, "hex text of odd length");
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return Error(ErrorCode::invalid, fmt::format("no hex digits at offset {}", i));
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

namespace {
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::array<int, 256> kBase64Values = [] {
  std::array<int, 256> table{};
  table.fill(-1);
  for (size_t i = 0; i < kBase64.size(); ++i) table[static_cast<unsigned char>(kBase64[i])] = static_cast<int>(i);
  return table;
}();
}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out.push_back(i + k <= bytes.size() ? kBase64[group >> (18 - 6 * k) & 63U] : '=');
    }
  }
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  const Error bad(ErrorCode::invalid, "not base64");
  std::string letters;
  letters.reserve(text.size());
  std::copy_if(text.begin(), text.end(), std::back_inserter(letters), [](char c) { return c != '\n' && c != '\r'; });
  if (letters.size() % 4 != 0) return bad;
  size_t padding = 0;
  while (padding < 2 && padding < letters.size() && letters[letters.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(letters.size() / 4 * 3);
  for (size_t i = 0; i < letters.size(); i += 4) {
    uint32_t group = 0;
    for (size_t k = 0; k < 4; ++k) {
      const bool pad = i + k >= letters.size() - padding;
      const int digit = pad ? 0 : kBase64Values[static_cast<unsigned char>(letters[i + k])];
      if (digit < 0) return bad;
      group = group << 6 | static_cast<uint32_t>(digit);
    }
    for (const unsigned shift : {16U, 8U, 0U}) out.push_back(static_cast<char>(group >> shift & 255U));
  }
  out.resize(out.size() - padding);
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (true) {
    const size_t at = text.find(separator);
    out.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<int64_t> parse_int(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a whole number", text));
  }
  return number;
}

std::string format_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double number = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; number >= 1024 && unit + 1 < kUnits.size(); ++unit) number /= 1024;
  return fmt::format("{:.3f} {}", number, kUnits[unit]);
}

Result<uint64_t> parse_quantity(std::string_view text) {
  const Error bad(ErrorCode::invalid, fmt::format("\"{}\" is not a quantity", text), "write it like 10Gi or 500M");
  long double number = 0;
  long double scale = 0;
  size_t at = 0;
  for (; at < text.size() && ((text[at] >= '0' && text[at] <= '9') || text[at] == '.'); ++at) {
    if (text[at] == '.') {
      if (scale != 0) return bad;
      scale = 1;
      continue;
    }
    number = number * 10 + (text[at] - '0');
    scale *= 10;
  }
  if (at == 0) return bad;
  if (scale != 0) number /= scale;
  const std::string_view unit = text.substr(at);
  struct Suffix {
    std::string_view name;
    long double factor;
  };
  constexpr long double kKi = 1024;
  static constexpr std::array<Suffix, 14> kSuffixes = {{{"", 1},
                                                        {"m", 0.001L},
                                                        {"k", 1e3L},
                                                        {"M", 1e6L},
                                                        {"G", 1e9L},
                                                        {"T", 1e12L},
                                                        {"P", 1e15L},
                                                        {"E", 1e18L},
                                                        {"Ki", kKi},
                                                        {"Mi", kKi * kKi},
                                                        {"Gi", kKi * kKi * kKi},
                                                        {"Ti", kKi * kKi * kKi * kKi},
                                                        {"Pi", kKi * kKi * kKi * kKi * kKi},
                                                        {"Ei", kKi * kKi * kKi * kKi * kKi * kKi}}};
  long double factor = 0;
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.name == unit) factor = suffix.factor;
  }
  if (factor == 0 && (unit.starts_with('e') || unit.starts_with('E'))) {
    const Result<int64_t> exponent = parse_int(unit.substr(1));
    if (!exponent || *exponent < -18 || *exponent > 18) return bad;
    factor = std::pow(10.0L, static_cast<long double>(*exponent));
  }
  if (factor == 0) return bad;
  const long double bytes = std::ceil(number * factor);
  if (!(bytes <= 18446744073709549568.0L)) return bad;  // a NaN, from thousands of digits, too
  return static_cast<uint64_t>(bytes);
}

}  // namespace holdfast
