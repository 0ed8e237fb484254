#include "base/json.h"

#include <fmt/format.h>

// The library's code is compiled here, once.
#include <boost/json/src.hpp>

#include <algorithm>
#include <cmath>

namespace holdfast::json {

namespace {

/// False where a number lies beyond double: Boost.JSON reads it as infinite and would print what is no JSON.
bool numbers_fit(const value& v) {
  if (const double* number = v.if_double()) return std::isfinite(*number);
  if (const array* list = v.if_array()) return std::all_of(list->begin(), list->end(), numbers_fit);
  if (const object* members = v.if_object()) {
    return std::all_of(members->begin(), members->end(),
                       [](const auto& member) { return numbers_fit(member.value()); });
  }
  return true;
}

}  // namespace

Result<value> parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 64;
  boost::json::parser parser({}, options);
  boost::json::error_code error;
  const size_t used = parser.write(text.data(), text.size(), error);
  if (error) {
    return Error(ErrorCode::invalid, fmt::format("not JSON at byte {}: {}", used, error.message()));
  }
  value v = parser.release();
  if (!numbers_fit(v)) return Error(ErrorCode::invalid, "not JSON that can be kept: a number lies beyond 1.8e308");
  return v;
}

Result<object> parse_object(std::string_view text) {
  value v = TRY(parse(text));
  if (!v.is_object()) return Error(ErrorCode::invalid, "the JSON is not an object");
  return std::move(v.get_object());
}

std::string compact(const value& v) {
  return boost::json::serialize(v);
}

namespace {

void append_pretty(std::string& out, const value& v, size_t indent) {
  const auto newline = [&](size_t depth) {
    out.push_back('\n');
    out.append(2 * depth, ' ');
  };
  if (v.is_object() && !v.get_object().empty()) {
    out.push_back('{');
    bool first = true;
    for (const auto& [key, member] : v.get_object()) {
      if (!first) out.push_back(',');
      first = false;
      newline(indent + 1);
      out += boost::json::serialize(value(key));
      out += ": ";
      append_pretty(out, member, indent + 1);
    }
    newline(indent);
    out.push_back('}');
  } else if (v.is_array() && !v.get_array().empty()) {
    out.push_back('[');
    bool first = true;
    for (const value& element : v.get_array()) {
      if (!first) out.push_back(',');
      first = false;
      newline(indent + 1);
      append_pretty(out, element, indent + 1);
    }
    newline(indent);
    out.push_back(']');
  } else {
    out += boost::json::serialize(v);
  }
}

}  // namespace

std::string pretty(const value& v) {
  std::string out;
  append_pretty(out, v, 0);
  return out;
}

const value* find(const value& v, Path path) {
  const value* at = &v;
  for (const std::string_view step : path) {
    const object* o = at->if_object();
    if (o == nullptr) return nullptr;
    at = o->if_contains(step);
    if (at == nullptr) return nullptr;
  }
  return at;
}

const value* find(const object& o, Path path) {
  const object* at = &o;
  const value* found = nullptr;
  for (const std::string_view step : path) {
    if (at == nullptr) return nullptr;
    found = at->if_contains(step);
    if (found == nullptr) return nullptr;
    at = found->if_object();
  }
  return found;
}

namespace {

std::string as_string(const value* found, std::string_view other) {
  if (found == nullptr || !found->is_string()) return std::string(other);
  return std::string(found->get_string());
}

int64_t as_int(const value* found, int64_t other) {
  if (found == nullptr) return other;
  boost::json::error_code error;
  const auto number = found->to_number<int64_t>(error);
  return error ? other : number;
}

bool as_bool(const value* found, bool other) {
  return found != nullptr && found->is_bool() ? found->get_bool() : other;
}

const array& as_array(const value* found) {
  static const array empty;
  return found != nullptr && found->is_array() ? found->get_array() : empty;
}

const object& as_object(const value* found) {
  static const object empty;
  return found != nullptr && found->is_object() ? found->get_object() : empty;
}

}  // namespace

std::string string_at(const value& v, Path path, std::string_view other) {
  return as_string(find(v, path), other);
}
std::string string_at(const object& o, Path path, std::string_view other) {
  return as_string(find(o, path), other);
}
int64_t int_at(const value& v, Path path, int64_t other) {
  return as_int(find(v, path), other);
}
int64_t int_at(const object& o, Path path, int64_t other) {
  return as_int(find(o, path), other);
}
bool bool_at(const value& v, Path path, bool other) {
  return as_bool(find(v, path), other);
}
bool bool_at(const object& o, Path path, bool other) {
  return as_bool(find(o, path), other);
}
const array& array_at(const value& v, Path path) {
  return as_array(find(v, path));
}
const array& array_at(const object& o, Path path) {
  return as_array(find(o, path));
}
const object& object_at(const value& v, Path path) {
  return as_object(find(v, path));
}
const object& object_at(const object& o, Path path) {
  return as_object(find(o, path));
}

object& make_object(object& root, Path path) {
  object* at = &root;
  for (const std::string_view step : path) {
    value& member = (*at)[step];
    if (!member.is_object()) member.emplace_object();
    at = &member.get_object();
  }
  return *at;
}

void set(object& root, Path path, value v) {
  CHECK(path.size() > 0);
  object* at = &root;
  for (auto step = path.begin(); step + 1 != path.end(); ++step) at = &make_object(*at, {*step});
  at->insert_or_assign(*(path.end() - 1), std::move(v));
}

bool erase(object& root, Path path) {
  CHECK(path.size() > 0);
  object* at = &root;
  for (auto step = path.begin(); step + 1 != path.end(); ++step) {
    value* member = at->if_contains(*step);
    if (member == nullptr || !member->is_object()) return false;
    at = &member->get_object();
  }
  return at->stable_erase(*(path.end() - 1)) > 0;  // plain erase would move the last member
}

std::vector<std::string> strings(const array& list) {
  std::vector<std::string> out;
  for (const value& element : list) {
    if (element.is_string()) out.emplace_back(element.get_string());
  }
  return out;
}

array from_strings(const std::vector<std::string>& list) {
  array out;
  out.reserve(list.size());
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

}  // namespace holdfast::json
