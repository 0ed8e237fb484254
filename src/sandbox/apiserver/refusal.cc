#include "sandbox/apiserver/refusal.h"

#include <fmt/format.h>

#include <array>

namespace holdfast::sandbox {

namespace {

struct Wire {
  int status;
  std::string_view reason;
};

constexpr std::array<Wire, 6> kReasons = {{{410, "Expired"},
                                           {400, "BadRequest"},
                                           {401, "Unauthorized"},
                                           {415, "UnsupportedMediaType"},
                                           {406, "NotAcceptable"},
                                           {404, "NotFound"}}};

Wire wire_of(const Error& error) {
  for (const Wire& wire : kReasons) {
    if (error.hint() == wire.reason) return wire;
  }
  switch (error.code()) {
    case ErrorCode::not_found:
      return {404, "NotFound"};
    case ErrorCode::exists:
      return {409, "AlreadyExists"};
    case ErrorCode::conflict:
      return {409, "Conflict"};
    case ErrorCode::denied:
      return {403, "Forbidden"};
    case ErrorCode::invalid:
      return {422, "Invalid"};
    case ErrorCode::unsupported:
      return {405, "MethodNotAllowed"};
    case ErrorCode::unavailable:
      return {503, "ServiceUnavailable"};
    case ErrorCode::timeout:
      return {504, "Timeout"};
    case ErrorCode::exhausted:
      return {507, "InsufficientStorage"};
    default:
      return {500, "InternalError"};
  }
}

}  // namespace

Error bad_request(std::string message) {
  return Error(ErrorCode::invalid, std::move(message), "BadRequest");
}
Error forbidden(std::string message) {
  return Error(ErrorCode::denied, std::move(message));
}
Error method_not_allowed(std::string message) {
  return Error(ErrorCode::unsupported, std::move(message));
}
Error unsupported_media_type(std::string message) {
  return Error(ErrorCode::unsupported, std::move(message), "UnsupportedMediaType");
}
Error not_found(const std::string& subject) {
  return Error(ErrorCode::not_found, subject + " not found");
}
Error already_exists(const std::string& subject) {
  return Error(ErrorCode::exists, subject + " already exists");
}
Error conflict(const std::string& subject, const std::string& why) {
  return Error(ErrorCode::conflict, fmt::format("Operation cannot be fulfilled on {}: {}", subject, why));
}
Error invalid(const std::string& kind, const std::string& name, const std::string& why) {
  return Error(ErrorCode::invalid, fmt::format("{} \"{}\" is invalid: {}", kind, name, why));
}

int http_status(const Error& error) {
  return wire_of(error).status;
}

json::object failure_status(const Error& error) {
  const Wire wire = wire_of(error);
  return {{"kind", "Status"},           {"apiVersion", "v1"},    {"metadata", json::object{}}, {"status", "Failure"},
          {"message", error.message()}, {"reason", wire.reason}, {"code", wire.status}};
}

json::object success_status(const json::object& details) {
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", json::object{}},
          {"status", "Success"},
          {"details", details}};
}

}  // namespace holdfast::sandbox
