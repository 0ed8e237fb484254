#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace holdfast {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::exists:
      return "exists";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::exhausted:
      return "exhausted";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

Error Error::in(std::string_view what) const& {
  return Error(*this).in(what);
}

Error Error::in(std::string_view what) && {
  message_.insert(0, ": ").insert(0, what);
  return std::move(*this);
}

Error Error::hinted(std::string hint) && {
  if (hint_.empty()) hint_ = std::move(hint);
  return std::move(*this);
}

std::string Error::to_string() const {
  return hint_.empty() ? message_ : message_ + " (" + hint_ + ")";
}

static ErrorCode code_of_errno(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
      return ErrorCode::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorCode::exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::denied;
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
      return ErrorCode::invalid;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return ErrorCode::exhausted;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    case ENOTSUP:
    case ENOSYS:
      return ErrorCode::unsupported;
    case ECANCELED:
      return ErrorCode::cancelled;
    case EBADF:
    case EFAULT:
      return ErrorCode::internal;
    default:
      return ErrorCode::unavailable;
  }
}

Error errno_error(int errno_value, std::string_view what) {
  // GNU strerror_r: thread-safe, returns the text.
  char buffer[128];
  const char* text = strerror_r(errno_value, buffer, sizeof buffer);
  Error error(code_of_errno(errno_value), text);
  if (errno_value == ENOSPC || errno_value == EDQUOT) {
    error = std::move(error).hinted("free space on that file system, then try again");
  }
  return std::move(error).in(what);
}

}  // namespace holdfast
