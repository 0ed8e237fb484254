#include "sandbox/apiserver/representation.h"

#include "base/text.h"
#include "sandbox/apiserver/table.h"

namespace holdfast::sandbox {

namespace {

json::object list_metadata(const ListHead& head) {
  json::object meta{{"resourceVersion", std::to_string(head.revision)}};
  if (!head.continue_token.empty()) {
    meta["continue"] = head.continue_token;
    meta["remainingItemCount"] = head.remaining;
  }
  return meta;
}

json::value metadata_only(const Representation& form, const Object& object) {
  return json::object{{"kind", "PartialObjectMetadata"},
                      {"apiVersion", form.group_version},
                      {"metadata", json::object_at(*object, {"metadata"})}};
}

}  // namespace

Result<Representation> choose_representation(std::string_view accept) {
  if (accept.empty()) return Representation{};
  for (const std::string& range : split(accept, ',')) {
    const std::vector<std::string> parts = split(range, ';');
    const std::string type = to_lower(trim(parts[0]));
    if (type != "application/json" && type != "*/*" && type != "application/*") continue;
    std::string as;
    std::string version = "v1";
    for (const std::string& part : parts) {
      const std::string_view field = trim(part);
      if (field.rfind("as=", 0) == 0) as = field.substr(3);
      if (field.rfind("v=", 0) == 0) version = field.substr(2);
    }
    if (version != "v1" && version != "v1beta1") continue;
    const std::string group_version = "meta.k8s.io/" + version;
    if (as.empty()) return Representation{};
    if (as == "Table") return Representation{.form = Form::table, .group_version = group_version};
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
      return Representation{.form = Form::metadata, .group_version = group_version};
    }
  }
  return Error(ErrorCode::unsupported,
               "only the following media types are accepted: application/json, also as Table and PartialObjectMetadata",
               "NotAcceptable");
}

json::value versioned(const ResourceKind& kind, const json::value& object) {
  if (json::string_at(object, {"apiVersion"}) == kind.group_version()) return object;
  json::value copy = object;
  copy.as_object()["apiVersion"] = kind.group_version();
  return copy;
}

json::value represent(const Representation& form, const ResourceKind& kind, const Object& object, Time now) {
  switch (form.form) {
    case Form::table: {
      json::object meta{{"resourceVersion", json::string_at(*object, {"metadata", "resourceVersion"})}};
      return table_of(form.group_version, kind, {object}, std::move(meta), now);
    }
    case Form::metadata:
      return metadata_only(form, object);
    case Form::object:
      break;
  }
  return versioned(kind, *object);
}

json::value represent_list(const Representation& form, const ResourceKind& kind, const std::vector<Object>& objects,
                           const ListHead& head, Time now) {
  if (form.form == Form::table) return table_of(form.group_version, kind, objects, list_metadata(head), now);
  json::array items;
  items.reserve(objects.size());
  for (const Object& object : objects) {
    if (form.form == Form::metadata) {
      items.push_back(metadata_only(form, object));
      continue;
    }
    items.push_back(versioned(kind, *object));
  }
  const bool whole = form.form == Form::object;
  return json::object{{"kind", whole ? kind.kind + "List" : "PartialObjectMetadataList"},
                      {"apiVersion", whole ? kind.group_version() : form.group_version},
                      {"metadata", list_metadata(head)},
                      {"items", std::move(items)}};
}

}  // namespace holdfast::sandbox
