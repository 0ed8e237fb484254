#include "app/cli/output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
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
  for (const std::string_view key : keys) out[key] = sorted(*v.get_object().if_contains(key));
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

std::string with_label_columns(const std::string& table, const std::vector<velero::StringMap>& labels,
                               const std::vector<std::string>& columns) {
  if (columns.empty() || table.empty()) return table;
  std::vector<std::string> lines = split(table, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (const std::string& column : columns) {
    size_t width = 0;
    for (const std::string& line : lines) width = std::max(width, line.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      lines[i].resize(width + 3, ' ');
      if (i == 0) {
        for (const char c : column.substr(column.rfind('/') + 1))
          lines[i] += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        continue;
      }
      const auto found = i <= labels.size() ? labels[i - 1].find(column) : velero::StringMap::const_iterator();
      lines[i] += i <= labels.size() && found != labels[i - 1].end() ? found->second : "<none>";
    }
  }
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

namespace {

std::vector<config::Option> label_options() {
  return {{.name = "show-labels", .kind = config::Kind::boolean, .help = "labels in the last column"},
          {.name = "label-columns",
           .kind = config::Kind::list,
           .help = "labels to show in columns of their own",
           .letter = 'L'}};
}

}  // namespace

std::vector<config::Option> create_output_options() {
  std::vector<config::Option> out = label_options();
  out.push_back(output_option("print the object as table, json or yaml instead of sending it"));
  return out;
}

std::vector<config::Option> get_options() {
  std::vector<config::Option> out = label_options();
  out.push_back(output_option("how to print: table, json or yaml"));
  out.push_back(
      {.name = "selector", .help = "only objects with these labels", .letter = 'l', .value_name = "SELECTOR"});
  return out;
}

}  // namespace holdfast::app
