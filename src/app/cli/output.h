// What verbs print: objects as JSON or YAML the way velero prints them, and the choice between that and a table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/cli/cluster.h"
#include "velero/describe.h"
#include "velero/names.h"

namespace holdfast::app {

enum class Format { table, json, yaml };

/// -o of create and get verbs; `help` says what a verb does with it.
[[nodiscard]] config::Option output_option(std::string help);
/// The value of -o; nothing where it was not given.
[[nodiscard]] std::optional<Format> output_format(const config::Arguments& arguments);

/// One object: indented JSON and a newline, or YAML with sorted keys and an empty line.
[[nodiscard]] std::string object_text(Format format, const json::value& object);
/// Members of objects in alphabetical order at every depth, as YAML made by Go has them.
[[nodiscard]] json::value sorted(const json::value& v);
/// With four spaces of indentation, as velero prints descriptions.
[[nodiscard]] std::string wide_json(const json::value& v);
/// An object that no server has seen yet: creationTimestamp null, status {}; or its line of a table.
template <class T>
[[nodiscard]] std::string new_object_text(Format format, Time now, T object) {
  if (format == Format::table) return velero::table(std::vector<T>{object}, {now, false});
  if (!object.metadata.creation_timestamp) object.metadata.extra["creationTimestamp"] = nullptr;
  return object_text(format, encode(object));
}

/// -o of a create verb, and the flags for tables that velero takes there too.
[[nodiscard]] std::vector<config::Option> create_output_options();
/// -o, -l, -L, --show-labels of the get verbs.
[[nodiscard]] std::vector<config::Option> get_options();
/// The table with a column for each of those labels behind its lines; `labels`: of the objects, line by line.
[[nodiscard]] std::string with_label_columns(const std::string& table, const std::vector<velero::StringMap>& labels,
                                             const std::vector<std::string>& columns);
/// A table, or the objects: a single one as itself, others as a list whose items bear no kind.
template <class T>
[[nodiscard]] std::string list_text(const std::vector<T>& list, const config::Arguments& arguments, Time now) {
  const Format format = output_format(arguments).value_or(Format::table);
  if (format == Format::table) {
    std::vector<velero::StringMap> labels;
    for (const T& item : list) labels.push_back(item.metadata.labels);
    return with_label_columns(velero::table(list, {now, arguments.boolean("show-labels")}), labels,
                              arguments.list("label-columns"));
  }
  if (list.size() == 1) {
    T only = list.front();
    only.kind = T::kKind;
    only.api_version = velero::kApiVersion;
    return object_text(format, encode(only));
  }
  json::array items;
  for (const T& item : list) {
    json::object encoded = encode(item);
    encoded.erase("kind");
    encoded.erase("apiVersion");
    items.push_back(std::move(encoded));
  }
  return object_text(format, json::object{{"kind", std::string(T::kKind) + "List"},
                                          {"apiVersion", velero::kApiVersion},
                                          {"metadata", json::object{}},
                                          {"items", std::move(items)}});
}

/// `get` of one type.
template <class T>
[[nodiscard]] Result<int> get_verb(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const std::vector<T> list = TRY(named_objects<T>(cluster, arguments.positionals(), arguments.text("selector")));
  surroundings.out(list_text(list, arguments, surroundings.clock->now()));
  return 0;
}

}  // namespace holdfast::app
