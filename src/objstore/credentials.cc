#include "objstore/credentials.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::objstore {

namespace {

constexpr std::string_view kExample = "[default] with aws_access_key_id = ... and aws_secret_access_key = ...";

/// "[profile x]" and "[x]" both name x; empty where the line is no section.
Result<std::string> section_of(std::string_view line, size_t number) {
  if (!line.ends_with(']')) {
    return Error(ErrorCode::invalid, fmt::format("credentials: line {} begins a section and does not end it", number));
  }
  std::string_view name = trim(line.substr(1, line.size() - 2));
  if (name.starts_with("profile ")) name = trim(name.substr(8));
  if (name.empty()) return Error(ErrorCode::invalid, fmt::format("credentials: line {} names no profile", number));
  return std::string(name);
}

void take(Credentials& credentials, const std::string& key, std::string_view value) {
  if (key == "aws_access_key_id") credentials.access_key = value;
  if (key == "aws_secret_access_key") credentials.secret_key = value;
  if (key == "aws_session_token") credentials.session_token = value;
}

bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

Status check_whole(const Credentials& credentials, std::string_view source) {
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return Error(ErrorCode::invalid,
                 fmt::format("{}: the {} is missing", source,
                             credentials.access_key.empty() ? "access key id" : "secret access key"),
                 std::string(kExample));
  }
  if (!is_printable(credentials.access_key + credentials.secret_key + credentials.session_token)) {
    return Error(ErrorCode::invalid, fmt::format("{}: a key holds a control character", source));
  }
  return {};
}

}  // namespace

Result<Credentials> credentials_from(std::string_view ini, const std::string& profile) {
  const std::string wanted = profile.empty() ? "default" : profile;
  Credentials credentials;
  std::string section;
  bool found = false;
  size_t number = 0;
  for (const std::string& raw : split(ini, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      section = TRY(section_of(line, number));
      found = found || section == wanted;
      continue;
    }
    if (raw[0] == ' ' || raw[0] == '\t') continue;  // a nested setting, or the rest of the one above
    const size_t mark = line.find('=');
    if (mark == std::string_view::npos) {
      return Error(ErrorCode::invalid, fmt::format("credentials: line {} is neither a section nor key = value", number),
                   std::string(kExample));
    }
    if (section == wanted) take(credentials, to_lower(trim(line.substr(0, mark))), trim(line.substr(mark + 1)));
  }
  if (!found) {
    return Error(ErrorCode::not_found, fmt::format("credentials: there is no profile '{}'", wanted),
                 std::string(kExample));
  }
  TRY(check_whole(credentials, fmt::format("credentials: profile '{}'", wanted)));
  return credentials;
}

Result<Credentials> credentials_from_env(const Lookup& lookup) {
  Credentials credentials{lookup("AWS_ACCESS_KEY_ID").value_or(""), lookup("AWS_SECRET_ACCESS_KEY").value_or(""),
                          lookup("AWS_SESSION_TOKEN").value_or("")};
  if (credentials.access_key.empty() && credentials.secret_key.empty()) {
    return Error(ErrorCode::not_found, "no credentials in the environment",
                 "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  TRY(check_whole(credentials, "environment"));
  return credentials;
}

}  // namespace holdfast::objstore
