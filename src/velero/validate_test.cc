#include "velero/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "velero/fixture.h"

namespace holdfast::velero {
namespace {

/// "KIND/NAME" -> text of summary.txt of a version; faults joined by " ; ".
std::map<std::string, std::string> golden(const std::string& version) {
  std::map<std::string, std::string> out;
  for (const std::string& line : split(fixture::text(version + "/extra/validation/summary.txt"), '\n')) {
    const std::vector<std::string> columns = split(line, '\t');
    if (columns.size() < 4) continue;
    std::string text = columns[3];
    for (size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at)) text.replace(at, 2, "\n");
    out[columns[0] + "/" + columns[1]] = text;
  }
  return out;
}

BackupStorageLocation location(const std::string& name, const std::string& mode) {
  BackupStorageLocation out;
  out.metadata.name = name;
  out.spec.access_mode = mode;
  out.status.phase = "Available";
  return out;
}

StringList faults_of(const json::value& object) {
  const std::string kind = json::string_at(object, {"kind"});
  if (kind == "Backup") {
    Backup backup = *decode<Backup>(object);
    if (backup.spec.storage_location.empty()) backup.spec.storage_location = "default";
    const BackupStorageLocation used =
        location(backup.spec.storage_location, backup.spec.storage_location == "ro" ? "ReadOnly" : "ReadWrite");
    BackupLookups lookups{.location = &used,
                          .namespaces = {"web-app1", "web-app2"},
                          .volume_snapshot_locations = {},
                          .resource_policy_fault = missing_policy_text("velero", "nosuchcm")};
    return validate(backup, lookups);
  }
  if (kind == "Restore") {
    const Restore restore = *decode<Restore>(object);
    const BackupStorageLocation used = location("default", "");
    return validate(restore, {.backup_exists = restore.spec.backup_name != "nosuch",
                              .schedule_backups = 0,
                              .schedule_backups_completed = 0,
                              .location = &used,
                              .resource_modifier_fault = missing_modifier_text("velero", "nosuchcm")});
  }
  if (kind == "Schedule") return validate(*decode<Schedule>(object));
  return validate(*decode<BackupStorageLocation>(object));
}

TEST(Validate, TextsAreThoseOfVelero114) {
  const auto expected = golden("1.14");
  ASSERT_GE(expected.size(), 17U);
  size_t checked = 0;
  for (const json::value& object : *yaml::parse_all(fixture::text("1.14/extra/validation/input.yaml"))) {
    const std::string key = json::string_at(object, {"kind"}) + "/" + json::string_at(object, {"metadata", "name"});
    if (key.starts_with("BackupStorageLocation/")) {
      EXPECT_TRUE(faults_of(object).empty()) << key;  // these fail only when the bucket is looked at
      continue;
    }
    ASSERT_TRUE(expected.contains(key)) << key;
    EXPECT_EQ(fmt::format("{}", fmt::join(faults_of(object), " ; ")), expected.at(key)) << key;
    ++checked;
  }
  EXPECT_EQ(checked, 17U);
}

TEST(Validate, OnlyKnownTextsDifferFrom118) {
  const auto expected = golden("1.18");
  StringList different;
  for (const json::value& object : *yaml::parse_all(fixture::text("1.18/extra/validation/input.yaml"))) {
    const std::string key = json::string_at(object, {"kind"}) + "/" + json::string_at(object, {"metadata", "name"});
    if (key.starts_with("BackupStorageLocation/") || key == "Backup/x-vsl") continue;
    if (fmt::format("{}", fmt::join(faults_of(object), " ; ")) != expected.at(key)) different.push_back(key);
  }
  EXPECT_EQ(different, (StringList{"Backup/x-policy", "Restore/y-inithook", "Schedule/z-badcron"}));
}

TEST(Validate, MissingNamespaceAndLocation) {
  Backup backup;
  backup.spec.included_namespaces = {"web-app1", "no-such-namespace"};
  backup.spec.storage_location = "nosuch";
  const StringList faults = validate(
      backup,
      {.location = nullptr, .namespaces = {"web-app1"}, .volume_snapshot_locations = {}, .resource_policy_fault = {}});
  ASSERT_EQ(faults.size(), 2U);
  const json::value list = *yaml::parse(fixture::text("1.14/crs/cluster1-backups.yaml"));
  StringList real;
  for (const json::value& item : json::array_at(list, {"items"}))
    for (const std::string& text : json::strings(json::array_at(item, {"status", "validationErrors"})))
      real.push_back(text);
  for (const std::string& fault : faults)
    EXPECT_NE(std::find(real.begin(), real.end(), fault), real.end())
        << fault << "\nreal: " << fmt::format("{}", fmt::join(real, "\n"));
}

TEST(Validate, GoodOnesHaveNoFaults) {
  for (const char* file :
       {"1.14/bucket/oadp/backups/b2/velero-backup.json", "1.18/bucket/backups/b118/velero-backup.json"}) {
    const Backup backup = *decode<Backup>(*json::parse(fixture::text(file)));
    const BackupStorageLocation used = location("default", "ReadWrite");
    const StringList faults = validate(backup, {.location = &used,
                                                .namespaces = {"web-app1", "web-app2"},
                                                .volume_snapshot_locations = {},
                                                .resource_policy_fault = {}});
    EXPECT_TRUE(faults.empty()) << faults.front();
  }
}

TEST(Validate, Locations) {
  BackupStorageLocation bsl;
  EXPECT_EQ(validate(bsl).size(), 2U);
  bsl.spec.provider = "holdfast.dev/directory";
  EXPECT_EQ(validate(bsl).size(), 1U);
  bsl.spec.config["path"] = "/srv/backups";
  EXPECT_TRUE(validate(bsl).empty());
  bsl.spec.provider = "aws";
  bsl.spec.object_storage = ObjectStorageLocation{"a/b", "x//y", "", {}};
  bsl.spec.access_mode = "WriteOnly";
  EXPECT_EQ(validate(bsl).size(), 3U);
  EXPECT_EQ(unavailable_message("z", "Backup store contains invalid top-level directories: [other]"),
            "BackupStorageLocation \"z\" is unavailable: Backup store contains invalid top-level directories: [other]");
}

}  // namespace
}  // namespace holdfast::velero
