#include "kube/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace holdfast::kube {

namespace {
constexpr size_t kStreamMax = size_t{1} << 20;
constexpr size_t kExcerpt = 200;

ErrorCode code_for(int status, std::string_view reason) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::denied;
    case 404:
      return ErrorCode::not_found;
    case 405:
    case 406:
    case 415:
    case 501:
      return ErrorCode::unsupported;
    case 408:
    case 504:
      return ErrorCode::timeout;
    case 409:
      return reason == "AlreadyExists" ? ErrorCode::exists : ErrorCode::conflict;
    case 410:
      return ErrorCode::conflict;
    case 429:
      return ErrorCode::unavailable;
    default:
      return status >= 500 ? ErrorCode::unavailable : ErrorCode::invalid;
  }
}

std::string hint_for(int status) {
  if (status == 401) return "check the credentials of this kubeconfig context";
  if (status == 403) return "grant the named right to this user or service account";
  return {};
}

/// Foreign text for an error: short, one line, printable.
std::string excerpt(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kExcerpt)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return std::string(trim(out));
}

}  // namespace

std::string resource_path(const ResourceType& type, const std::string& ns, const std::string& name,
                          const std::string& subresource) {
  std::string path = type.group.empty() ? "/api/" : "/apis/" + net::percent_encode(type.group) + "/";
  path += net::percent_encode(type.version);
  if (type.namespaced && !ns.empty()) path += "/namespaces/" + net::percent_encode(ns);
  path += "/" + net::percent_encode(type.plural);
  if (!name.empty()) path += "/" + net::percent_encode(name);
  if (!subresource.empty()) path += "/" + net::percent_encode(subresource);
  return path;
}

std::string query_text(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    out += out.empty() ? '?' : '&';
    out += net::percent_encode(name) + "=" + net::percent_encode(value);
  }
  return out;
}

Error status_error(const json::value& status, int code) {
  const std::string reason = json::string_at(status, {"reason"});
  std::string message = json::string_at(status, {"message"});
  if (message.empty()) message = reason.empty() ? fmt::format("the server answered {}", code) : reason;
  if (code == 410 && message.find("Expired") == std::string::npos) message = "Expired: " + message;
  return {code_for(code, reason), message, hint_for(code)};
}

Error answer_error(int status, std::string_view body) {
  const Result<json::value> parsed = json::parse(body);
  if (parsed.ok() && json::string_at(*parsed, {"kind"}) == "Status") return status_error(*parsed, status);
  const std::string text = excerpt(body);
  return {code_for(status, ""),
          text.empty() ? fmt::format("the server answered {}", status)
                       : fmt::format("the server answered {}: {}", status, text),
          hint_for(status)};
}

std::optional<Duration> retry_after(const net::Headers& headers) {
  const Result<int64_t> seconds = parse_int(trim(headers.get("Retry-After")));
  if (!seconds || *seconds < 0 || *seconds > 86400) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

Result<WatchEvent> parse_watch_line(std::string_view line) {
  Result<json::value> parsed = json::parse(line);
  if (!parsed) return Error(ErrorCode::corrupt, "a watch event is " + parsed.error().message());
  const std::string type = json::string_at(*parsed, {"type"});
  const json::value* object = json::find(*parsed, {"object"});
  if (object == nullptr || !object->is_object()) return Error(ErrorCode::corrupt, "a watch event without an object");
  if (type == "ERROR") {
    return status_error(*object, static_cast<int>(std::clamp<int64_t>(json::int_at(*object, {"code"}, 500), 0, 999)));
  }
  WatchEvent event{WatchEvent::Kind::added, *object};
  if (type == "MODIFIED") {
    event.kind = WatchEvent::Kind::modified;
  } else if (type == "DELETED") {
    event.kind = WatchEvent::Kind::deleted;
  } else if (type == "BOOKMARK") {
    event.kind = WatchEvent::Kind::bookmark;
  } else if (type != "ADDED") {
    return Error(ErrorCode::corrupt, fmt::format("a watch event of the unknown type \"{}\"", excerpt(type)));
  }
  return event;
}

std::vector<ResourceType> parse_group_discovery(const json::value& document, std::vector<std::string>& stale) {
  std::vector<ResourceType> types;
  for (const json::value& group : json::array_at(document, {"items"})) {
    for (const json::value& version : json::array_at(group, {"versions"})) {
      ResourceType base;
      base.group = json::string_at(group, {"metadata", "name"});
      base.version = json::string_at(version, {"version"});
      if (json::string_at(version, {"freshness"}) == "Stale") stale.push_back(base.api_version());
      for (const json::value& resource : json::array_at(version, {"resources"})) {
        ResourceType type = base;
        type.plural = json::string_at(resource, {"resource"});
        type.kind = json::string_at(resource, {"responseKind", "kind"});
        type.namespaced = json::string_at(resource, {"scope"}) != "Cluster";
        type.singular = json::string_at(resource, {"singularResource"});
        type.short_names = json::strings(json::array_at(resource, {"shortNames"}));
        type.verbs = json::strings(json::array_at(resource, {"verbs"}));
        if (!type.plural.empty() && !type.version.empty()) types.push_back(std::move(type));
      }
    }
  }
  return types;
}

std::vector<ResourceType> parse_resource_list(const json::value& document, const std::string& group,
                                              const std::string& version) {
  std::vector<ResourceType> types;
  for (const json::value& resource : json::array_at(document, {"resources"})) {
    ResourceType type;
    type.group = group;
    type.version = version;
    type.plural = json::string_at(resource, {"name"});
    type.kind = json::string_at(resource, {"kind"});
    type.namespaced = json::bool_at(resource, {"namespaced"});
    type.singular = json::string_at(resource, {"singularName"});
    type.short_names = json::strings(json::array_at(resource, {"shortNames"}));
    type.verbs = json::strings(json::array_at(resource, {"verbs"}));
    if (!type.plural.empty() && type.plural.find('/') == std::string::npos) types.push_back(std::move(type));
  }
  return types;
}

void mark_preferred(std::vector<ResourceType>& types) {
  std::set<std::string> seen;
  for (ResourceType& type : types) type.preferred = seen.insert(type.group_resource()).second;
}

namespace {

/// The exit code that a Failure with reason NonZeroExitCode names.
std::optional<int> exit_code_of(const json::value& status) {
  if (json::string_at(status, {"reason"}) != "NonZeroExitCode") return std::nullopt;
  for (const json::value& cause : json::array_at(status, {"details", "causes"})) {
    if (json::string_at(cause, {"reason"}) != "ExitCode") continue;
    const Result<int64_t> code = parse_int(json::string_at(cause, {"message"}));
    if (code.ok() && *code >= 0 && *code <= 255) return static_cast<int>(*code);
  }
  return std::nullopt;
}

void keep(std::string& stream, std::string_view more) {
  stream.append(more.substr(0, kStreamMax - std::min(kStreamMax, stream.size())));
}

}  // namespace

Status ExecChannels::take(std::string_view message) {
  enum Channel : char { kStdout = 1, kStderr = 2, kError = 3, kClose = static_cast<char>(0xff) };
  if (message.empty()) return {};
  const char channel = message.front();
  message.remove_prefix(1);
  if (channel == kStdout) {
    keep(result_.out, message);
  } else if (channel == kStderr) {
    keep(result_.err, message);
  } else if (channel == kError) {
    if (message.empty()) return {};  // servers open every channel with an empty message
    const Result<json::value> status = json::parse(message);
    if (!status) return Error(ErrorCode::corrupt, "exec: the error channel says " + excerpt(message));
    complete_ = true;
    if (json::string_at(*status, {"status"}) == "Success") return {};
    const std::optional<int> code = exit_code_of(*status);
    if (code) {
      result_.exit_code = *code;
    } else {
      error_ =
          status_error(*status, static_cast<int>(std::clamp<int64_t>(json::int_at(*status, {"code"}, 500), 0, 999)));
    }
  } else if (channel != kClose) {
    return Error(ErrorCode::corrupt, fmt::format("exec: unknown channel {}", static_cast<int>(channel)));
  }
  return {};
}

Result<ExecResult> ExecChannels::result() const {
  if (error_) return *error_;
  if (!complete_) return Error(ErrorCode::unavailable, "exec: the connection ended before the command did");
  return result_;
}

}  // namespace holdfast::kube
