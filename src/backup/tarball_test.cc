#include "backup/tarball.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "velero/gzip.h"

namespace holdfast::backup {
namespace {

const std::string kFixtures = HOLDFAST_SOURCE_DIR "/tests/fixtures/velero/";

json::object config_map(const std::string& ns, const std::string& name, const std::string& text = "x") {
  json::object metadata{{"name", name}};
  if (!ns.empty()) metadata["namespace"] = ns;
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata}, {"data", json::object{{"k", text}}}};
}

struct Raw {
  std::string path;
  std::string body;
  mode_t type = AE_IFREG;
  std::string link = {};
};

/// A tarball entry by entry, wrong ones too.
std::string raw_tarball(const std::vector<Raw>& entries, bool with_version = true) {
  std::string tar(1 << 22, '\0');
  size_t used = 0;
  archive* out = archive_write_new();
  archive_write_set_format_pax_restricted(out);
  archive_write_open_memory(out, tar.data(), tar.size(), &used);
  std::vector<Raw> all = entries;
  if (with_version) all.insert(all.begin(), Raw{"metadata/version", "1.1.0\n"});
  for (const Raw& raw : all) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, raw.path.c_str());
    archive_entry_set_filetype(entry, raw.type);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, static_cast<la_int64_t>(raw.body.size()));
    if (raw.type == AE_IFLNK) archive_entry_set_symlink(entry, raw.link.c_str());
    if (raw.type == AE_IFREG && !raw.link.empty()) archive_entry_set_hardlink(entry, raw.link.c_str());
    EXPECT_EQ(archive_write_header(out, entry), ARCHIVE_OK);
    archive_write_data(out, raw.body.data(), raw.body.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  tar.resize(used);
  return velero::gzip(tar).value();
}

Result<Tarball> read(const std::string& packed, Tarball::Limits limits = {}) {
  return Tarball::read(memory_source(packed), limits);
}

Tarball::Limits limit(uint64_t Tarball::Limits::*which, uint64_t value) {
  Tarball::Limits limits;
  limits.*which = value;
  return limits;
}

const std::string kPath = "resources/configmaps/namespaces/a/c.json";
const std::string kBody = json::compact(config_map("a", "c"));

TEST(TarballWriter, WritesWhatTheReaderReads) {
  std::string packed;
  Result<TarballWriter> writer = TarballWriter::create(
      [&](std::string_view bytes) -> Status {
        packed += bytes;
        return {};
      },
      Time(std::chrono::seconds(1'790'000'000)));
  ASSERT_TRUE(writer.ok());
  const std::string long_name(230, 'n');
  ASSERT_TRUE(writer->add({{"configmaps", "a", "c"}, "v1", true}, config_map("a", "c")).ok());
  ASSERT_TRUE(writer->add({{"configmaps", "a", long_name}, "v1", true}, config_map("a", long_name)).ok());
  ASSERT_TRUE(writer->add({{"namespaces", "", "a"}, "v1", true}, config_map("", "a")).ok());
  ASSERT_TRUE(
      writer->add({{"clusterroles.rbac.authorization.k8s.io", "", "system:x"}, "v1", true}, config_map("", "system:x"))
          .ok());
  ASSERT_TRUE(writer->add({{"things.example.com", "a", "t"}, "v1beta1", false}, config_map("a", "t")).ok());
  EXPECT_TRUE(writer->add({{"configmaps", "a", ".."}, "v1", true}, config_map("a", "..")).is(ErrorCode::invalid));
  EXPECT_TRUE(writer->add({{"configmaps", "a/b", "c"}, "v1", true}, config_map("a", "c")).is(ErrorCode::invalid));
  ASSERT_TRUE(writer->finish().ok());

  const Result<Tarball> tarball = read(packed);
  ASSERT_TRUE(tarball.ok()) << tarball.error().to_string();
  EXPECT_EQ(tarball->format(), "1.1.0");
  ASSERT_EQ(tarball->entries().size(), 5U);
  const Tarball::Entry* entry = tarball->find({"configmaps", "a", long_name});
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->item.version, "v1");
  EXPECT_TRUE(entry->item.preferred);
  EXPECT_EQ(tarball->object(*entry).value(), config_map("a", long_name));
  const Tarball::Entry* thing = tarball->find({"things.example.com", "a", "t"});
  ASSERT_NE(thing, nullptr);
  EXPECT_FALSE(thing->item.preferred);
  EXPECT_EQ(thing->item.version, "v1beta1");
  EXPECT_EQ(tarball->find({"configmaps", "a", "nosuch"}), nullptr);
}

TEST(TarballWriter, AFailingSinkFailsTheWriter) {
  size_t room = 600;
  bool failed = false;
  Result<TarballWriter> writer = TarballWriter::create(
      [&](std::string_view bytes) -> Status {
        if (bytes.size() > room) return Error(ErrorCode::exhausted, "disk full");
        room -= bytes.size();
        return {};
      },
      Time());
  ASSERT_TRUE(writer.ok());
  for (int i = 0; i < 5000 && !failed; ++i) {
    const std::string name = "c" + std::to_string(i);
    const Status status =
        writer->add({{"configmaps", "a", name}, "v1", true}, config_map("a", name, std::to_string(i * 7919)));
    failed = status.is(ErrorCode::exhausted);
  }
  EXPECT_TRUE(failed || writer->finish().is(ErrorCode::exhausted));
}

TEST(TarballReader, ReadsWhatVeleroWrote) {
  struct Case {
    std::string file;
    size_t items;
  };
  for (const Case& c : {Case{"1.14/bucket/oadp/backups/b1/b1", 54}, Case{"1.14/bucket/oadp/backups/b3/b3", 56},
                        Case{"1.18/bucket/backups/b118/b118", 56}, Case{"1.14/bucket/oadp/backups/bpf2/bpf2", 53}}) {
    const Result<Tarball> tarball = read(read_file(kFixtures + c.file + ".tar.gz").value());
    ASSERT_TRUE(tarball.ok()) << tarball.error().to_string();
    EXPECT_EQ(tarball->entries().size(), c.items) << c.file;
    for (const Tarball::Entry& entry : tarball->entries()) {
      EXPECT_EQ(entry.item.version, "v1") << entry.item.key.to_string();
      EXPECT_TRUE(tarball->object(entry).ok()) << entry.item.key.to_string();
    }
  }
}

TEST(TarballReader, ReadsFormatOne) {
  const Result<Tarball> tarball = read(raw_tarball({{"metadata/version", "1"}, {kPath, kBody}}, false));
  ASSERT_TRUE(tarball.ok());
  EXPECT_EQ(tarball->format(), "1");
  ASSERT_EQ(tarball->entries().size(), 1U);
  EXPECT_EQ(tarball->entries()[0].item.version, "");
}

TEST(TarballReader, FallsBackToThePreferredVersionsDirectory) {
  const Result<Tarball> tarball =
      read(raw_tarball({{"resources/configmaps/v1-preferredversion/namespaces/a/c.json", kBody},
                        {"resources/configmaps/v1beta1/namespaces/a/c.json", kBody}}));
  ASSERT_TRUE(tarball.ok());
  ASSERT_EQ(tarball->entries().size(), 2U);
  EXPECT_TRUE(tarball->find({"configmaps", "a", "c"})->item.preferred);
}

TEST(TarballReader, RefusesWhatLeadsOutside) {
  for (const std::string& path :
       {std::string("../etc/passwd"), std::string("resources/configmaps/namespaces/../../c.json"),
        std::string("/resources/configmaps/namespaces/a/c.json"), std::string("resources//namespaces/a/c.json"),
        std::string("resources/configmaps/./namespaces/a/c.json"), std::string(1100, 'p')}) {
    EXPECT_TRUE(read(raw_tarball({{path, kBody}})).is(ErrorCode::corrupt)) << path;
  }
}

TEST(TarballReader, RefusesLinksAndDevices) {
  EXPECT_TRUE(read(raw_tarball({{kPath, "", AE_IFLNK, "/etc/passwd"}})).is(ErrorCode::corrupt));
  EXPECT_TRUE(read(raw_tarball({{kPath, "", AE_IFREG, "metadata/version"}})).is(ErrorCode::corrupt));
  EXPECT_TRUE(read(raw_tarball({{kPath, "", AE_IFIFO}})).is(ErrorCode::corrupt));
  EXPECT_TRUE(read(raw_tarball({{kPath, "", AE_IFCHR}})).is(ErrorCode::corrupt));
  EXPECT_TRUE(read(raw_tarball({{"resources", "", AE_IFDIR}, {kPath, kBody}})).ok());
}

TEST(TarballReader, RefusesTwoBodiesForOneObject) {
  const std::string other = json::compact(config_map("a", "c", "other"));
  EXPECT_TRUE(read(raw_tarball({{kPath, kBody}, {kPath, kBody}})).ok());
  EXPECT_TRUE(read(raw_tarball({{kPath, kBody}, {kPath, other}})).is(ErrorCode::corrupt));
  EXPECT_TRUE(
      read(raw_tarball({{kPath, kBody}, {"resources/configmaps/v1-preferredversion/namespaces/a/c.json", other}}))
          .is(ErrorCode::corrupt));
}

TEST(TarballReader, HonoursLimits) {
  const std::string packed = raw_tarball({{kPath, kBody}});
  EXPECT_TRUE(read(packed, limit(&Tarball::Limits::object_bytes, 10)).is(ErrorCode::exhausted));
  EXPECT_TRUE(read(packed, limit(&Tarball::Limits::total_bytes, 512)).is(ErrorCode::exhausted));
  EXPECT_TRUE(read(packed, limit(&Tarball::Limits::entries, 1)).is(ErrorCode::exhausted));
}

TEST(TarballReader, RefusesMissingAndNewerVersions) {
  EXPECT_TRUE(read(raw_tarball({{kPath, kBody}}, false)).is(ErrorCode::corrupt));
  EXPECT_TRUE(read(raw_tarball({{"metadata/version", "2.0.0\n"}}, false)).is(ErrorCode::unsupported));
}

TEST(TarballReader, EveryCutIsAnError) {
  const std::string packed = read_file(kFixtures + "1.14/bucket/oadp/backups/b3/b3.tar.gz").value();
  for (size_t length = 0; length < packed.size(); length += 97) {
    EXPECT_FALSE(read(packed.substr(0, length)).ok()) << length;
  }
  for (size_t cut = 1; cut < 20; ++cut) EXPECT_FALSE(read(packed.substr(0, packed.size() - cut)).ok()) << cut;
}

TEST(TarballReader, AnObjectWithAnotherNameIsCorrupt) {
  const Result<Tarball> tarball = read(raw_tarball({{kPath, json::compact(config_map("a", "d"))},
                                                    {"resources/configmaps/namespaces/b/c.json", kBody},
                                                    {"resources/configmaps/namespaces/b/n.json", "no json"}}));
  ASSERT_TRUE(tarball.ok());
  for (const Tarball::Entry& entry : tarball->entries()) {
    EXPECT_TRUE(tarball->object(entry).is(ErrorCode::corrupt)) << entry.item.key.to_string();
  }
}

}  // namespace
}  // namespace holdfast::backup
