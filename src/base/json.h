// The JSON seam: Boost.JSON values, with lookups that answer instead of throwing.
//
// Kubernetes objects stay JSON values all the way (unknown fields survive; member order is kept). Lookups never insert.
// Numbers: integers stay int64/uint64; a double is printed as shortest text.
#pragma once

#include <boost/json.hpp>

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Parses one JSON text (depth at most 64, nothing behind it but white space). invalid names the byte offset.
[[nodiscard]] Result<value> parse(std::string_view text);
/// Parses and demands an object.
[[nodiscard]] Result<object> parse_object(std::string_view text);

/// One line, no spaces.
[[nodiscard]] std::string compact(const value& v);
/// Two spaces of indentation, as Go's MarshalIndent(v, "", "  ") lays it out; no newline at the end; empty objects as
/// {}.
[[nodiscard]] std::string pretty(const value& v);

using Path = std::initializer_list<std::string_view>;

/// The value at a path of object members; nullptr where any step is missing or not an object.
[[nodiscard]] const value* find(const value& v, Path path);
[[nodiscard]] const value* find(const object& o, Path path);
/// The value at the path as text; `other` where it is missing or not a string.
[[nodiscard]] std::string string_at(const value& v, Path path, std::string_view other = {});
[[nodiscard]] int64_t int_at(const value& v, Path path, int64_t other = 0);
[[nodiscard]] bool bool_at(const value& v, Path path, bool other = false);
/// The array or object at the path; an empty one where it is missing or of another kind.
[[nodiscard]] const array& array_at(const value& v, Path path);
[[nodiscard]] const object& object_at(const value& v, Path path);
// The same from an object; without these an object would be copied into a value and what is returned would dangle.
[[nodiscard]] std::string string_at(const object& o, Path path, std::string_view other = {});
[[nodiscard]] int64_t int_at(const object& o, Path path, int64_t other = 0);
[[nodiscard]] bool bool_at(const object& o, Path path, bool other = false);
[[nodiscard]] const array& array_at(const object& o, Path path);
[[nodiscard]] const object& object_at(const object& o, Path path);

/// The object at the path, made (with all its parents) where missing; what is there and no object is replaced.
object& make_object(object& root, Path path);
/// Sets the value at a path, making the objects on the way.
void set(object& root, Path path, value v);
template <std::convertible_to<std::string_view> Text>
void set(object& root, Path path, const Text& text) {
  set(root, path, value(std::string_view(text)));
}
/// Removes the member at a path; says whether it was there.
bool erase(object& root, Path path);

/// Every string of an array; entries of other kinds are left out.
[[nodiscard]] std::vector<std::string> strings(const array& list);
[[nodiscard]] array from_strings(const std::vector<std::string>& list);

}  // namespace holdfast::json
