// How the API server says no: Errors on the inside, Kubernetes' Status objects on the wire.
//
// An Error's code gives status and reason (not_found 404 NotFound, exists 409 AlreadyExists, conflict 409 Conflict,
// denied 403 Forbidden, invalid 422 Invalid, unsupported 405 MethodNotAllowed, ...); where Kubernetes distinguishes
// more than the codes do, the hint holds the reason ("Expired", "BadRequest", "Unauthorized", "UnsupportedMediaType").
#pragma once

#include <string>

#include "base/json.h"

namespace holdfast::sandbox {

[[nodiscard]] Error bad_request(std::string message);
[[nodiscard]] Error forbidden(std::string message);
[[nodiscard]] Error method_not_allowed(std::string message);
[[nodiscard]] Error unsupported_media_type(std::string message);
/// `subject` is "PLURAL.GROUP \"NAME\"", as Kubernetes words it.
[[nodiscard]] Error not_found(const std::string& subject);
[[nodiscard]] Error already_exists(const std::string& subject);
[[nodiscard]] Error conflict(const std::string& subject, const std::string& why);
[[nodiscard]] Error invalid(const std::string& kind, const std::string& name, const std::string& why);

[[nodiscard]] int http_status(const Error& error);
/// {"kind":"Status","status":"Failure",...}
[[nodiscard]] json::object failure_status(const Error& error);
/// {"kind":"Status","status":"Success","details":...}
[[nodiscard]] json::object success_status(const json::object& details);

}  // namespace holdfast::sandbox
