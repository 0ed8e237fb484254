// CHECK: our own bugs end the process; level-triggered controllers and atomic stores make a restart safe.
// Never CHECK input from users, network or disk: that is an Error.
#pragma once

namespace holdfast {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

/// Always on. Aborts with the expression and its place when it is false.
#define CHECK(expression) \
  (static_cast<bool>(expression) ? void(0) : ::holdfast::check_failed(#expression, __FILE__, __LINE__))
