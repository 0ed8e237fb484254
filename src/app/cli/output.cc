#include "app/cli/output.h"

#include <algorithm>

#include "base/yaml.h"
#include "velero/names.h"

namespace holdfast::app {

config::Option output_option(std::string help) {
  return {.name = "output",
          .help = std::move(help),
          .letter = 'o',
          .value_name = "FORMAT",
          .choices = {"table", "json", "yaml"}};
}

std::optional<Format> output_format(const config::Arguments& arguments) {
  const std::string word = arguments.text("output");
  if (word.empty()) return std::nullopt;
  return word == "json" ? Format::json : word == "yaml" ? Format::yaml : Format::table;
}

json::value sorted(const json::value& v) {
  if (v.is_array()) {
    json::array out;
    for (const json::value& item : v.get_array()) out.push_back(sorted(item));
    return out;
  }
  if (!v.is_object()) return v;
  std::vector<std::string_view> keys;
  for (const auto& member : v.get_object()) keys.emplace_back(member.key().data(), member.key().size());
  std::sort(keys.begin(), keys.end());
  json::object out;
  for (const std::string_view key : keys) out[key] = sorted(v.get_object().at(key));
  return out;
}

std::string object_text(Format format, const json::value& object) {
  if (format == Format::json) return json::pretty(object) + "\n";
  return yaml::emit(sorted(object)) + "\n";
}

std::string wide_json(const json::value& v) {
  std::string out;
  bool line_start = true;
  size_t spaces = 0;
  // Only the indentation of a line can be spaces at its start: text inside JSON strings has no line ends.
  for (const char c : json::pretty(v)) {
    if (line_start && c == ' ') {
      ++spaces;
      continue;
    }
    if (line_start) out.append(2 * spaces, ' ');
    line_start = c == '\n';
    if (line_start) spaces = 0;
    out += c;
  }
  return out;
}

std::vector<config::Option> get_options() {
  return {output_option("how to print: table, json or yaml"),
          {.name = "selector", .help = "only objects with these labels", .letter = 'l', .value_name = "SELECTOR"},
          {.name = "show-labels", .kind = config::Kind::boolean, .help = "labels in the last column"}};
}

}  // namespace holdfast::app
