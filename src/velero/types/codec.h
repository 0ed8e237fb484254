// Inside velero/ only: turns structs into JSON objects and back, from one list of fields per struct.
//
// A struct S takes part through a template `fields(V& v, S& s)` that calls v("name", s.member) for members that Go
// would mark omitempty, and v.always("name", s.member) for those it always writes. Nested structs are always written,
// as Go does; optional ones only when set.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <type_traits>

#include "velero/types/meta.h"

namespace holdfast::velero::codec {

template <class S, class T>
concept Is = std::same_as<std::remove_const_t<S>, T>;

template <class T>
concept Struct = requires(T t) {
  t.extra;
};

/// A step of the path from the root to a member, for error messages; lives on the stack of the reader.
struct Where {
  const Where* parent = nullptr;
  std::string_view key;
  std::string_view index{};
  [[nodiscard]] std::string text() const {
    std::string out = parent != nullptr ? parent->text() : std::string();
    if (!out.empty() && !key.empty()) out += '.';
    out += key;
    if (!index.empty()) out += fmt::format("[{}]", index);
    return out;
  }
};

[[nodiscard]] Error wrong_type(const Where& at, std::string_view wanted, const json::value& got);

Status read(const json::value& v, std::string& out, const Where& at);
Status read(const json::value& v, bool& out, const Where& at);
Status read(const json::value& v, int64_t& out, const Where& at);
Status read(const json::value& v, Time& out, const Where& at);
Status read(const json::value& v, Duration& out, const Where& at);
Status read(const json::value& v, json::array& out, const Where& at);
Status read(const json::value& v, json::object& out, const Where& at);
inline Status read(const json::value& v, json::value& out, const Where&) {
  out = v;
  return {};
}
template <Struct T>
Status read(const json::value& v, T& out, const Where& at);
template <class T>
Status read(const json::value& v, std::optional<T>& out, const Where& at) {
  return read(v, out.emplace(), at);
}
template <class T>
Status read(const json::value& v, std::vector<T>& out, const Where& at) {
  if (!v.is_array()) return wrong_type(at, "a list", v);
  out.clear();
  for (const json::value& item : v.get_array()) {
    const std::string number = std::to_string(out.size());
    const Where inner{&at, {}, number};
    Status status = item.is_null() ? wrong_type(inner, "an entry", item) : read(item, out.emplace_back(), inner);
    if (!status.ok()) return status;
  }
  return {};
}
template <class T>
Status read(const json::value& v, std::map<std::string, T>& out, const Where& at) {
  if (!v.is_object()) return wrong_type(at, "an object", v);
  out.clear();
  for (const auto& [key, item] : v.get_object()) {
    const Where inner{&at, {key.data(), key.size()}};
    T& entry = out[std::string(key)];
    if (item.is_null()) continue;
    if (Status status = read(item, entry, inner); !status.ok()) return status;
  }
  return {};
}

[[nodiscard]] inline bool is_empty(const std::string& v) {
  return v.empty();
}
[[nodiscard]] inline bool is_empty(bool v) {
  return !v;
}
[[nodiscard]] inline bool is_empty(int64_t v) {
  return v == 0;
}
[[nodiscard]] inline bool is_empty(const json::array& v) {
  return v.empty();
}
[[nodiscard]] inline bool is_empty(const json::object& v) {
  return v.empty();
}
[[nodiscard]] inline bool is_empty(const json::value& v) {
  return v.is_null();
}
template <class T>
[[nodiscard]] bool is_empty(const std::optional<T>& v) {
  return !v.has_value();
}
template <class T>
[[nodiscard]] bool is_empty(const std::vector<T>& v) {
  return v.empty();
}
template <class T>
[[nodiscard]] bool is_empty(const std::map<std::string, T>& v) {
  return v.empty();
}
template <Struct T>
[[nodiscard]] bool is_empty(const T&) {
  return false;
}

template <class T>
requires std::same_as<T, std::string> || std::same_as<T, bool> || std::same_as<T, int64_t> ||
    std::same_as<T, json::value> || std::same_as<T, json::array> || std::same_as<T, json::object>
[[nodiscard]] json::value write(const T& v) {
  return json::value(v);
}
[[nodiscard]] inline json::value write(const Time& v) {
  return json::value(format_rfc3339(v));
}
[[nodiscard]] inline json::value write(const Duration& v) {
  return json::value(format_go_duration(v));
}
template <Struct T>
[[nodiscard]] json::value write(const T& v);
template <class T>
[[nodiscard]] json::value write(const std::optional<T>& v) {
  return v ? write(*v) : json::value();
}
template <class T>
[[nodiscard]] json::value write(const std::vector<T>& v) {
  json::array out;
  for (const T& item : v) out.push_back(write(item));
  return out;
}
template <class T>
[[nodiscard]] json::value write(const std::map<std::string, T>& v) {
  json::object out;
  for (const auto& [key, item] : v) out[key] = write(item);
  return out;
}

class Reader {
 public:
  Reader(const json::object& in, json::object& extra, const Where& at) : in_(in), extra_(extra), at_(at) {}

  template <class T>
  void operator()(std::string_view key, T& field) {
    field = T{};
    const json::value* v = in_.if_contains(key);
    if (v == nullptr || !status_.ok()) return;
    ++seen_;
    if (!v->is_null()) status_ = read(*v, field, Where{&at_, key});
    if (v->is_null() || is_empty(field)) extra_[key] = *v;
    extra_keys_.push_back(key);
  }
  template <class T>
  void always(std::string_view key, T& field) {
    (*this)(key, field);
  }

  /// Keeps the members nobody asked for.
  Status finish() {
    if (!status_.ok() || seen_ == in_.size()) return status_;
    for (const auto& [key, v] : in_) {
      const std::string_view name(key.data(), key.size());
      if (std::find(extra_keys_.begin(), extra_keys_.end(), name) == extra_keys_.end()) extra_[name] = v;
    }
    return status_;
  }

 private:
  const json::object& in_;
  json::object& extra_;
  const Where& at_;
  size_t seen_ = 0;
  std::vector<std::string_view> extra_keys_;
  Status status_;
};

class Writer {
 public:
  explicit Writer(const json::object& extra) : extra_(extra) {}

  template <class T>
  void operator()(std::string_view key, const T& field) {
    if (!is_empty(field)) {
      out_[key] = write(field);
    } else if (const json::value* kept = extra_.if_contains(key)) {
      out_[key] = *kept;
    }
    known_.push_back(key);
  }
  template <class T>
  void always(std::string_view key, const T& field) {
    (*this)(key, field);
    if (!out_.contains(key)) out_[key] = write(field);
  }

  [[nodiscard]] json::object finish() {
    for (const auto& [key, v] : extra_) {
      const std::string_view name(key.data(), key.size());
      if (std::find(known_.begin(), known_.end(), name) == known_.end()) out_[name] = v;
    }
    return std::move(out_);
  }

 private:
  const json::object& extra_;
  json::object out_;
  std::vector<std::string_view> known_;
};

template <Struct T>
Status read(const json::value& v, T& out, const Where& at) {
  if (!v.is_object()) return wrong_type(at, "an object", v);
  out = T{};
  Reader reader(v.get_object(), out.extra, at);
  fields(reader, out);
  return reader.finish();
}

template <Struct T>
json::value write(const T& v) {
  Writer writer(v.extra);
  fields(writer, v);
  return writer.finish();
}

/// For resources: read, and refuse an object of another kind.
template <Struct T>
[[nodiscard]] Result<T> decode_struct(const json::value& v) {
  T out;
  if (Status status = read(v, out, Where{}); !status.ok()) return std::move(status).error();
  if constexpr (requires { T::kKind; }) {
    if (!out.kind.empty() && out.kind != T::kKind)
      return Error(ErrorCode::invalid, fmt::format("kind: expected {}, found {}", T::kKind, out.kind));
  }
  return out;
}

/// A JSON text with the escapes that Go adds: <, >, & and the two Unicode line ends.
[[nodiscard]] std::string go_escaped(std::string json_text);
/// The file form of a value: one line, Go's escapes, a newline.
[[nodiscard]] std::string file_text(const json::value& v);

/// A file that is a JSON list of structs; null is an empty one.
template <Struct T>
[[nodiscard]] Result<std::vector<T>> decode_list(std::string_view text) {
  const json::value v = TRY(json::parse(text));
  std::vector<T> out;
  if (v.is_null()) return out;
  if (!v.is_array()) return wrong_type(Where{}, "a list", v);
  if (Status status = read(v, out, Where{}); !status.ok()) return std::move(status).error();
  return out;
}
/// One line and its newline.
template <Struct T>
[[nodiscard]] std::string encode_list(const std::vector<T>& list) {
  return file_text(write(list));
}

}  // namespace holdfast::velero::codec
