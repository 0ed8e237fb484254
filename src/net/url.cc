#include <fmt/format.h>

#include "base/text.h"
#include "net/http.h"

namespace holdfast::net {

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(char c) {
  return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out.push_back(text[at]);
      continue;
    }
    const int high = at + 1 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      return Error(ErrorCode::invalid, fmt::format("wrong percent-escape at offset {}", at));
    }
    out.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return out;
}

static Result<uint16_t> default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return uint16_t{80};
  if (scheme == "https" || scheme == "wss") return uint16_t{443};
  return Error(ErrorCode::invalid, fmt::format("scheme {} is none of http, https, ws, wss", scheme));
}

static Status check_host(std::string_view host, bool bracketed) {
  if (host.empty()) return Error(ErrorCode::invalid, "the host is missing");
  for (const char c : host) {
    const bool good =
        bracketed ? hex_digit(c) >= 0 || c == ':' || c == '.' || c == '%' || is_unreserved(c) : is_unreserved(c);
    if (!good) return Error(ErrorCode::invalid, "the host holds a character that no host name has");
  }
  return {};
}

static Status parse_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return Error(ErrorCode::invalid, "a user in the URL is not taken");
  }
  const bool bracketed = authority.starts_with('[');
  std::string_view rest;
  if (bracketed) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return Error(ErrorCode::invalid, "the address in brackets does not end");
    url.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    rest = authority.substr(colon);
  }
  TRY(check_host(url.host, bracketed));
  if (rest.empty()) return {};
  if (!rest.starts_with(':')) return Error(ErrorCode::invalid, "something other than a port follows the host");
  const Result<int64_t> port = parse_int(rest.substr(1));
  if (!port || *port < 1 || *port > 65535 || !is_digit(rest[1])) {
    return Error(ErrorCode::invalid, "the port is not a number from 1 to 65535");
  }
  url.port = static_cast<uint16_t>(*port);
  return {};
}

Result<Url> parse_url(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      return Error(ErrorCode::invalid, "the URL holds a space or a control character");
    }
    if (c == '#') return Error(ErrorCode::invalid, "a fragment in the URL is not taken");
  }
  const size_t mark = text.find("://");
  if (mark == std::string_view::npos)
    return Error(ErrorCode::invalid, "the URL has no scheme", "begin it with https://");
  Url url;
  url.scheme = to_lower(text.substr(0, mark));
  url.port = TRY(default_port(url.scheme));
  text.remove_prefix(mark + 3);
  const size_t end = std::min(text.find_first_of("/?"), text.size());
  TRY(parse_authority(text.substr(0, end), url));
  text.remove_prefix(end);
  const size_t question = std::min(text.find('?'), text.size());
  url.path = question == 0 ? "/" : std::string(text.substr(0, question));
  if (question < text.size()) url.query = text.substr(question + 1);
  return url;
}

}  // namespace holdfast::net
