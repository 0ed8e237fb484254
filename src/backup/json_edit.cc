#include "backup/json_edit.h"

namespace holdfast::backup {

json::value* find_mutable(json::object& root, json::Path path) {
  return const_cast<json::value*>(json::find(root, path));
}

json::array* find_array(json::object& root, json::Path path) {
  json::value* found = find_mutable(root, path);
  return found == nullptr ? nullptr : found->if_array();
}

void each_object(json::object& root, json::Path path, const std::function<void(json::object&)>& visit) {
  json::array* list = find_array(root, path);
  if (list == nullptr) return;
  for (json::value& element : *list) {
    if (json::object* object = element.if_object()) visit(*object);
  }
}

void drop_objects(json::object& root, json::Path path, const std::function<bool(const json::object&)>& drop) {
  json::array* list = find_array(root, path);
  if (list == nullptr) return;
  json::array kept;
  for (json::value& element : *list) {
    const json::object* object = element.if_object();
    if (object == nullptr || !drop(*object)) kept.push_back(std::move(element));
  }
  if (kept.empty()) {
    json::erase(root, path);
  } else {
    *list = std::move(kept);
  }
}

namespace {

bool drop_from_map(json::object& object, std::string_view map, std::string_view name) {
  json::value* found = find_mutable(object, {"metadata", map});
  json::object* members = found == nullptr ? nullptr : found->if_object();
  if (members == nullptr || members->erase(name) == 0) return false;
  if (members->empty()) json::erase(object, {"metadata", map});
  return true;
}

}  // namespace

bool drop_label(json::object& object, std::string_view label) {
  return drop_from_map(object, "labels", label);
}
bool drop_annotation(json::object& object, std::string_view annotation) {
  return drop_from_map(object, "annotations", annotation);
}

namespace {

const json::value* metadata_member(const json::object& object, std::string_view map, std::string_view name) {
  return json::find(object, {"metadata", map, name});
}

std::string text_of(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string label(const json::object& object, std::string_view name) {
  return text_of(metadata_member(object, "labels", name));
}
std::string annotation(const json::object& object, std::string_view name) {
  return text_of(metadata_member(object, "annotations", name));
}
bool has_annotation(const json::object& object, std::string_view name) {
  return metadata_member(object, "annotations", name) != nullptr;
}
std::string object_name(const json::object& object) {
  return text_of(json::find(object, {"metadata", "name"}));
}
std::string object_namespace(const json::object& object) {
  return text_of(json::find(object, {"metadata", "namespace"}));
}

json::object* pod_spec(json::object& object) {
  json::value* found = nullptr;
  if (json::string_at(object, {"kind"}) == "Pod") {
    found = find_mutable(object, {"spec"});
  } else {
    found = find_mutable(object, {"spec", "template", "spec"});
    if (found == nullptr) found = find_mutable(object, {"spec", "jobTemplate", "spec", "template", "spec"});
  }
  return found == nullptr ? nullptr : found->if_object();
}

void each_container(json::object& pod_spec, const std::function<void(json::object&)>& visit) {
  each_object(pod_spec, {"initContainers"}, visit);
  each_object(pod_spec, {"containers"}, visit);
}

}  // namespace holdfast::backup
