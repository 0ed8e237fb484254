// The one error type of the program.
//
// An Error says three things: what the caller can do about it (the code), what went wrong, told from the outside
// in ("restore pvc db-0: read pack 3fa1: GET s3://b/k: 503"), and, where there is one, a next step for the user (the
// hint). Errors are ordinary values: copyable, movable, without locks; they never hold secrets.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

/// What a caller can do about a failure. A closed list: a new code needs a caller that treats it differently.
enum class ErrorCode {
  not_found,    ///< the named thing does not exist
  exists,       ///< it exists already; a create lost a race or was answered twice
  conflict,     ///< changed by somebody else meanwhile: read again, then decide
  denied,       ///< credentials or rights are missing or wrong
  invalid,      ///< the input is wrong; repeating it cannot help
  unavailable,  ///< the other side cannot be reached or is overloaded; later may help
  timeout,      ///< no answer in time; the act may or may not have happened
  cancelled,    ///< we were asked to stop
  corrupt,      ///< bytes that fail their proof (checksum, MAC, grammar)
  unsupported,  ///< the other side, or this build, lacks the capability
  exhausted,    ///< no space, quota or memory left
  internal,     ///< a fault in this program
};

/// The code's name as it appears in logs and JSON output ("not_found").
[[nodiscard]] std::string_view to_string(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message, std::string hint = {})
      : code_(code), message_(std::move(message)), hint_(std::move(hint)) {}

  [[nodiscard]] ErrorCode code() const { return code_; }
  /// The message chain, outermost context first.
  [[nodiscard]] const std::string& message() const { return message_; }
  /// The next step for a user; empty where nobody knows one.
  [[nodiscard]] const std::string& hint() const { return hint_; }

  /// True where the same call, later, may succeed: unavailable and timeout only. The one place that decides it.
  [[nodiscard]] bool retryable() const { return code_ == ErrorCode::unavailable || code_ == ErrorCode::timeout; }

  /// Puts what was being tried in front of the message: "WHAT: message".
  [[nodiscard]] Error in(std::string_view what) const&;
  [[nodiscard]] Error in(std::string_view what) &&;
  /// The same error with a hint, unless it has one already: the innermost place knows best.
  [[nodiscard]] Error hinted(std::string hint) &&;

  /// "message" or "message (hint)", for people.
  [[nodiscard]] std::string to_string() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
};

/// The Error for an errno value: ENOENT is not_found, EACCES and EPERM denied, ENOSPC and EDQUOT exhausted, ...
[[nodiscard]] Error errno_error(int errno_value, std::string_view what);

}  // namespace holdfast
