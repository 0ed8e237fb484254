// Changing Kubernetes objects in place: lookups that give something to write to, and the places that many kinds share.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace holdfast::backup {

/// As json::find, to write to; nullptr where a step is missing.
[[nodiscard]] json::value* find_mutable(json::object& root, json::Path path);
/// The array at the path; nullptr where there is none.
[[nodiscard]] json::array* find_array(json::object& root, json::Path path);
/// Calls back for every object in the array at the path.
void each_object(json::object& root, json::Path path, const std::function<void(json::object&)>& visit);
/// Removes every object of the array at the path that `drop` asks for; an array that becomes empty goes too.
void drop_objects(json::object& root, json::Path path, const std::function<bool(const json::object&)>& drop);
/// Removes a member of metadata.labels or metadata.annotations; an empty map goes too. Says whether it was there.
bool drop_label(json::object& object, std::string_view label);
bool drop_annotation(json::object& object, std::string_view annotation);

[[nodiscard]] std::string label(const json::object& object, std::string_view name);
[[nodiscard]] std::string annotation(const json::object& object, std::string_view name);
[[nodiscard]] bool has_annotation(const json::object& object, std::string_view name);
[[nodiscard]] std::string object_name(const json::object& object);
[[nodiscard]] std::string object_namespace(const json::object& object);

/// The pod spec inside a Pod, a workload with a template, or a CronJob; nullptr for other kinds.
[[nodiscard]] json::object* pod_spec(json::object& object);
/// Every container and init container of a pod spec.
void each_container(json::object& pod_spec, const std::function<void(json::object&)>& visit);

}  // namespace holdfast::backup
