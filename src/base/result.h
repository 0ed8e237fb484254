// Result<T>: a value or an Error. Status: success or an Error. TRY: the value, or return the Error.
//
//   Result<Config> load(const std::string& path) {
//     std::string text = TRY(read_file(path));
//     return parse(text).in(path);          // adds "PATH: " in front of a failure's message
//   }
//
// Do not nest TRY inside TRY on one line, and never TRY(co_await ...): g++ 12 cannot compile it.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace holdfast {

template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T> && !std::is_same_v<T, Error>);

 public:
  using Value = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  /// From what converts to the value, as a return statement of T would take it.
  template <typename U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
      Result(U&& value)
      : state_(std::in_place_index<0>, T(std::forward<U>(value))) {}         // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// The value; asking a failed Result for it is a bug.
  [[nodiscard]] T& value() & { return checked(); }
  [[nodiscard]] const T& value() const& { return const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &value(); }
  [[nodiscard]] T value_or(T other) && { return ok() ? std::move(checked()) : std::move(other); }

  [[nodiscard]] const Error& error() const& {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  [[nodiscard]] Error error() && {
    CHECK(!ok());
    return std::get<1>(std::move(state_));
  }
  /// True for a failure with that code.
  [[nodiscard]] bool is(ErrorCode code) const { return !ok() && std::get<1>(state_).code() == code; }

  /// Adds what was being tried to a failure's message; leaves a success alone.
  [[nodiscard]] Result in(std::string_view what) && {
    if (!ok()) return std::get<1>(std::move(state_)).in(what);
    return std::move(*this);
  }

 private:
  T& checked() {
    CHECK(ok());
    return std::get<0>(state_);
  }
  std::variant<T, Error> state_;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const& {
    CHECK(!ok());
    return *error_;
  }
  [[nodiscard]] Error error() && {
    CHECK(!ok());
    return *std::move(error_);
  }
  [[nodiscard]] bool is(ErrorCode code) const { return !ok() && error_->code() == code; }
  [[nodiscard]] Status in(std::string_view what) && {
    if (!ok()) return std::move(*error_).in(what);
    return {};
  }

 private:
  std::optional<Error> error_;
};

namespace detail {
template <typename T>
T take_value(Result<T>&& result) {
  return std::move(result).value();
}
inline void take_value(Status&&) {}
}  // namespace detail

}  // namespace holdfast

#define HOLDFAST_TRY_NAMED(name, ...)                \
  __extension__({                                    \
    auto name = (__VA_ARGS__);                       \
    if (!name.ok()) return std::move(name).error();  \
    ::holdfast::detail::take_value(std::move(name)); \
  })
#define HOLDFAST_TRY_PASTE(counter, ...) HOLDFAST_TRY_NAMED(try_result_##counter, __VA_ARGS__)
#define HOLDFAST_TRY_EXPAND(counter, ...) HOLDFAST_TRY_PASTE(counter, __VA_ARGS__)
/// The value of a Result (nothing for a Status); a failure is returned from the function around it.
#define TRY(...) HOLDFAST_TRY_EXPAND(__COUNTER__, __VA_ARGS__)
