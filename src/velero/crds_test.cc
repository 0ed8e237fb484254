#include "velero/crds.h"

#include <algorithm>
#include <map>

#include "velero/fixture.h"

namespace holdfast::velero {
namespace {

/// Without descriptions; lists of words sorted.
json::value bare(const json::value& v) {
  if (v.is_array()) {
    json::array out;
    for (const json::value& item : v.get_array()) out.push_back(bare(item));
    const bool words = std::all_of(out.begin(), out.end(), [](const json::value& item) { return item.is_string(); });
    if (words)
      std::sort(out.begin(), out.end(),
                [](const json::value& a, const json::value& b) { return a.get_string() < b.get_string(); });
    return out;
  }
  if (!v.is_object()) return v;
  json::object out;
  for (const auto& [key, item] : v.get_object())
    if (key != "description" || !item.is_string()) out[key] = bare(item);
  return out;
}

std::map<std::string, json::value> real(const std::string& version) {
  std::map<std::string, json::value> out;
  const std::vector<json::value> documents =
      *yaml::parse_all(fixture::text(version + "/cli/install-crds-only-o-yaml.txt.gz"));
  for (const json::value& document : documents)
    for (const json::value& crd : json::array_at(document, {"items"}))
      out[json::string_at(crd, {"metadata", "name"})] = bare(json::object_at(crd, {"spec"}));
  return out;
}

std::map<std::string, json::value> ours() {
  std::map<std::string, json::value> out;
  for (const json::object& crd : custom_resource_definitions())
    out[json::string_at(crd, {"metadata", "name"})] = bare(json::object_at(crd, {"spec"}));
  return out;
}

/// Our own without the column that shows why a location cannot be used, which Velero does not have.
json::value without_message_column(json::value spec) {
  json::array& columns = spec.at("versions").get_array()[0].at("additionalPrinterColumns").get_array();
  EXPECT_EQ(json::string_at(columns.back(), {"name"}), "Message");
  columns.pop_back();
  return spec;
}

/// The differences that carry no meaning for a client are taken out of the real one.
json::value comparable(json::value spec) {
  json::array& versions = spec.get_object()["versions"].get_array();
  for (json::value& version : versions) {
    json::object& v = version.get_object();
    const json::value* subresources = v.if_contains("subresources");
    if (subresources != nullptr && subresources->get_object().empty()) v.erase("subresources");
  }
  return spec;
}

TEST(Crds, EqualThoseOfVelero118) {
  const auto mine = ours();
  const auto theirs = real("1.18");
  ASSERT_EQ(theirs.size(), 13U);
  ASSERT_EQ(mine.size(), theirs.size());
  for (const auto& [name, spec] : theirs) {
    ASSERT_TRUE(mine.contains(name)) << name;
    const bool location = name == "backupstoragelocations.velero.io";
    EXPECT_EQ(location ? without_message_column(mine.at(name)) : mine.at(name), comparable(spec)) << name;
  }
}

/// Every property of `old` is a property of `now`, of the same type, and nothing new is required.
void expect_accepts(const json::value& old, const json::value& now, const std::string& where) {
  EXPECT_EQ(json::string_at(old, {"type"}), json::string_at(now, {"type"})) << where;
  for (const auto& [key, inner] : json::object_at(old, {"properties"})) {
    const json::value* other = json::find(now, {"properties", key});
    ASSERT_NE(other, nullptr) << where << "." << key;
    expect_accepts(inner, *other, where + "." + std::string(key));
  }
  if (const json::value* items = json::find(old, {"items"}))
    expect_accepts(*items, json::object_at(now, {"items"}), where + "[]");
  const std::vector<std::string> required = json::strings(json::array_at(old, {"required"}));
  for (const std::string& name : json::strings(json::array_at(now, {"required"})))
    EXPECT_NE(std::find(required.begin(), required.end(), name), required.end()) << where << " now requires " << name;
}

TEST(Crds, AcceptWhatVelero114Writes) {
  const auto mine = ours();
  const auto old = real("1.14");
  ASSERT_EQ(old.size(), 13U);
  for (const auto& [name, spec] : old) {
    ASSERT_TRUE(mine.contains(name)) << name;
    const json::value& now = mine.at(name);
    EXPECT_EQ(json::object_at(spec, {"names"}), json::object_at(now, {"names"})) << name;
    expect_accepts(json::array_at(spec, {"versions"}).at(0).at("schema").at("openAPIV3Schema"),
                   json::array_at(now, {"versions"}).at(0).at("schema").at("openAPIV3Schema"), name);
  }
}

}  // namespace
}  // namespace holdfast::velero
