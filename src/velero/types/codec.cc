#include "velero/types/codec.h"

#include "velero/types/meta.h"

namespace holdfast::velero {

namespace {
std::string lookup(const StringMap& map, std::string_view key) {
  const auto it = map.find(std::string(key));
  return it == map.end() ? std::string() : it->second;
}
}  // namespace

std::string ObjectMeta::label(std::string_view key) const {
  return lookup(labels, key);
}
std::string ObjectMeta::annotation(std::string_view key) const {
  return lookup(annotations, key);
}

namespace codec {

Error wrong_type(const Where& at, std::string_view wanted, const json::value& got) {
  static constexpr std::string_view kNames[] = {"null",     "a boolean", "a number", "a number",
                                                "a number", "text",      "a list",   "an object"};
  const std::string path = at.text();
  return {ErrorCode::invalid, fmt::format("{}: expected {}, found {}", path.empty() ? "the object" : path, wanted,
                                          kNames[static_cast<size_t>(got.kind())])};
}

Status read(const json::value& v, std::string& out, const Where& at) {
  if (!v.is_string()) return wrong_type(at, "text", v);
  out = std::string(v.get_string());
  return {};
}

Status read(const json::value& v, bool& out, const Where& at) {
  if (!v.is_bool()) return wrong_type(at, "true or false", v);
  out = v.get_bool();
  return {};
}

Status read(const json::value& v, int64_t& out, const Where& at) {
  boost::system::error_code error;
  out = v.is_number() ? v.to_number<int64_t>(error) : 0;
  if (!v.is_number() || error) return wrong_type(at, "a whole number", v);
  return {};
}

Status read(const json::value& v, Time& out, const Where& at) {
  if (!v.is_string()) return wrong_type(at, "a time", v);
  Result<Time> time = parse_rfc3339(v.get_string());
  if (!time) return std::move(time).error().in(at.text());
  out = *time;
  return {};
}

Status read(const json::value& v, Duration& out, const Where& at) {
  if (!v.is_string()) return wrong_type(at, "a duration such as 30s or 4h0m0s", v);
  Result<Duration> duration = parse_go_duration(v.get_string());
  if (!duration) return std::move(duration).error().in(at.text());
  out = *duration;
  return {};
}

Status read(const json::value& v, json::array& out, const Where& at) {
  if (!v.is_array()) return wrong_type(at, "a list", v);
  out = v.get_array();
  return {};
}

Status read(const json::value& v, json::object& out, const Where& at) {
  if (!v.is_object()) return wrong_type(at, "an object", v);
  out = v.get_object();
  return {};
}

std::string go_escaped(std::string text) {
  struct Escape {
    std::string_view plain;
    std::string_view escaped;
  };
  static constexpr Escape kEscapes[] = {
      {"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}};
  if (text.find_first_of("<>&\xe2") == std::string::npos) return text;
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    const auto* hit = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                   [rest](const Escape& escape) { return rest.starts_with(escape.plain); });
    if (hit == std::end(kEscapes)) {
      out += text[at++];
    } else {
      out += hit->escaped;
      at += hit->plain.size();
    }
  }
  return out;
}

std::string file_text(const json::value& v) {
  return go_escaped(json::compact(v)) + "\n";
}

}  // namespace codec
}  // namespace holdfast::velero
