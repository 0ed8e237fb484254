#include "velero/types.h"

#include "velero/fixture.h"
#include "velero/metadata.h"

namespace holdfast::velero {
namespace {

/// Go writes empty structs where kubectl's user wrote nothing; otherwise the objects have to be equal.
json::value without_empty_objects(const json::value& v) {
  if (v.is_array()) {
    json::array out;
    for (const json::value& item : v.get_array()) out.push_back(without_empty_objects(item));
    return out;
  }
  if (!v.is_object()) return v;
  json::object out;
  for (const auto& [key, item] : v.get_object()) {
    const json::value inner = without_empty_objects(item);
    if (!inner.is_object() || !inner.get_object().empty()) out[key] = inner;
  }
  return out;
}

template <class T>
void round_trip(const json::value& item, const std::string& where, size_t& count) {
  Result<T> decoded = decode<T>(item);
  ASSERT_TRUE(decoded.ok()) << where << ": " << decoded.error().to_string();
  const json::object again = encode(*decoded);
  EXPECT_EQ(without_empty_objects(again), without_empty_objects(item)) << where << "\n"
                                                                       << json::compact(item) << "\n"
                                                                       << json::compact(again);
  ++count;
}

template <class T>
size_t round_trip_all(const std::string& plural) {
  size_t count = 0;
  for (const auto& path : fixture::ending("-" + plural + ".yaml")) {
    Result<json::value> list = yaml::parse(fixture::text(path));
    EXPECT_TRUE(list.ok()) << path;
    if (list.ok())
      for (const json::value& item : json::array_at(*list, {"items"})) round_trip<T>(item, path.string(), count);
  }
  return count;
}

TEST(Types, ResourcesOfRealClustersSurviveTheRoundTrip) {
  EXPECT_GT(round_trip_all<Backup>("backups"), 5U);
  EXPECT_GT(round_trip_all<Restore>("restores"), 3U);
  EXPECT_GT(round_trip_all<Schedule>("schedules"), 1U);
  EXPECT_GT(round_trip_all<BackupStorageLocation>("backupstoragelocations"), 3U);
  EXPECT_GT(round_trip_all<PodVolumeBackup>("podvolumebackups"), 5U);
  EXPECT_GT(round_trip_all<PodVolumeRestore>("podvolumerestores"), 3U);
  EXPECT_GT(round_trip_all<BackupRepository>("backuprepositories"), 3U);
  EXPECT_GT(round_trip_all<DownloadRequest>("downloadrequests"), 3U);
}

TEST(Types, MetadataIsWrittenByteForByteAsVeleroDoes) {
  size_t count = 0;
  for (const auto& path : fixture::ending("velero-backup.json")) {
    const std::string text = fixture::text(path);
    Result<Backup> backup = decode_metadata(text);
    ASSERT_TRUE(backup.ok()) << path << ": " << backup.error().to_string();
    EXPECT_EQ(encode_metadata(*backup), text) << path;
    ++count;
  }
  EXPECT_GE(count, 10U);
}

TEST(Types, FieldsAreRead) {
  Result<Backup> backup = decode_metadata(fixture::text("1.14/bucket/oadp/backups/b2/velero-backup.json"));
  ASSERT_TRUE(backup.ok());
  EXPECT_EQ(backup->metadata.name, "b2");
  EXPECT_EQ(backup->metadata.label("run"), "2");
  EXPECT_EQ(backup->spec.included_namespaces, (StringList{"web-app1", "web-app2"}));
  EXPECT_EQ(backup->spec.ttl, std::chrono::hours(720));
  EXPECT_EQ(backup->spec.default_volumes_to_fs_backup, true);
  EXPECT_EQ(backup->spec.snapshot_volumes, std::nullopt);
  EXPECT_EQ(backup->status.phase, "Completed");
  ASSERT_TRUE(backup->status.progress.has_value());
  EXPECT_EQ(backup->status.progress->items_backed_up, 54);
  ASSERT_TRUE(backup->status.hook_status.has_value());
  EXPECT_EQ(backup->status.hook_status->hooks_attempted, 2);
}

TEST(Types, ChangedFieldsReplaceWhatWasThere) {
  Result<Backup> backup = decode_metadata(fixture::text("1.14/bucket/oadp/backups/b2/velero-backup.json"));
  ASSERT_TRUE(backup.ok());
  backup->spec.included_namespaces = {};
  backup->spec.ttl = std::nullopt;
  backup->metadata.annotations["holdfast.dev/epoch"] = "7";
  const json::object out = encode(*backup);
  EXPECT_EQ(json::find(out, {"spec", "includedNamespaces"}), nullptr);
  EXPECT_EQ(json::find(out, {"spec", "ttl"}), nullptr);
  EXPECT_EQ(json::string_at(out, {"metadata", "annotations", "holdfast.dev/epoch"}), "7");
  EXPECT_NE(json::find(out, {"metadata", "managedFields"}), nullptr);
}

TEST(Types, UnknownAndEmptyMembersStay) {
  const json::value in =
      *json::parse(R"({"kind":"Backup","apiVersion":"velero.io/v1","metadata":{"name":"x","labels":null},)"
                   R"("spec":{"metadata":{},"includedNamespaces":[],"hooks":{},"newField":{"a":[1,2.5]}},)"
                   R"("status":{"strange":true},"more":1})");
  Result<Backup> backup = decode<Backup>(in);
  ASSERT_TRUE(backup.ok()) << backup.error().to_string();
  EXPECT_EQ(json::value(encode(*backup)), in);
}

TEST(Types, TextIsEscapedAsGoDoes) {
  Backup backup;
  backup.metadata.name = "x";
  backup.metadata.annotations["a"] = "<&>\xe2\x80\xa8\xe2\x82\xac";
  const std::string text = encode_metadata(backup);
  EXPECT_NE(text.find("\"\\u003c\\u0026\\u003e\\u2028\xe2\x82\xac\""), std::string::npos) << text;
  EXPECT_EQ(decode_metadata(text)->metadata.annotations, backup.metadata.annotations);
}

struct Wrong {
  std::string text;
  std::string message;
};

TEST(Types, ErrorsNameTheField) {
  const std::vector<Wrong> cases = {
      {R"({"kind":"Restore"})", "kind: expected Backup, found Restore"},
      {R"([])", "the object: expected an object, found a list"},
      {R"({"spec":{"includedNamespaces":"a"}})", "spec.includedNamespaces: expected a list, found text"},
      {R"({"spec":{"includedNamespaces":["a",3]}})", "spec.includedNamespaces[1]: expected text, found a number"},
      {R"({"spec":{"hooks":{"resources":[{"pre":[{"exec":{"command":"x"}}]}]}}})",
       "spec.hooks.resources[0].pre[0].exec.command: expected a list, found text"},
      {R"({"metadata":{"labels":{"a":1}}})", "metadata.labels.a: expected text, found a number"},
      {R"({"status":{"errors":1.5}})", "status.errors: expected a whole number, found a number"},
      {R"({"spec":{"snapshotVolumes":"yes"}})", "spec.snapshotVolumes: expected true or false, found text"},
  };
  for (const Wrong& wrong : cases) {
    Result<Backup> backup = decode<Backup>(*json::parse(wrong.text));
    ASSERT_FALSE(backup.ok()) << wrong.text;
    EXPECT_EQ(backup.error().code(), ErrorCode::invalid);
    EXPECT_EQ(backup.error().message(), wrong.message);
  }
  for (const char* text : {R"({"spec":{"ttl":"3 days"}})", R"({"spec":{"ttl":""}})"}) {
    Result<Backup> backup = decode<Backup>(*json::parse(text));
    ASSERT_FALSE(backup.ok());
    EXPECT_EQ(backup.error().message().substr(0, 10), "spec.ttl: ");
  }
}

TEST(Types, NewObjectsHaveVelerosEmptyMembers) {
  Backup backup;
  backup.metadata.name = "x";
  EXPECT_EQ(json::compact(encode(backup)), R"({"kind":"Backup","apiVersion":"velero.io/v1","metadata":{"name":"x"},)"
                                           R"("spec":{"metadata":{},"hooks":{}},"status":{}})");
}

}  // namespace
}  // namespace holdfast::velero
