#include "app/cli/kit.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "app/cli/stage.h"
#include "base/random.h"
#include "objstore/fs.h"
#include "repo/repository.h"
#include "velero/names.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

void add_secret(Stage& stage, const std::string& name, const std::string& key, const std::string& value) {
  stage.api().seed(json::object{{"apiVersion", "v1"},
                                {"kind", "Secret"},
                                {"metadata", json::object{{"name", name}, {"namespace", "velero"}}},
                                {"data", json::object{{key, to_base64(value)}}}});
}

json::value peek_secret(Stage& stage, const std::string& name) {
  return stage.api().peek(kube::types::secrets(), "velero", name);
}

json::value peek_secret_copy(Stage& stage, const std::string& name) {
  return json::object{{"apiVersion", "v1"},
                      {"kind", "Secret"},
                      {"metadata", json::object{{"name", name}, {"namespace", "velero"}}},
                      {"data", json::object_at(peek_secret(stage, name), {"data"})}};
}

class KitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "hf-kit-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    here_.load("1.14/crs/cluster1-backupstoragelocations.yaml");
    add_secret(here_, "cloud-credentials", "cloud", "[default]\nkey");
  }
  void TearDown() override { std::filesystem::remove(path_); }
  void export_kit() { ASSERT_EQ(here_.run({"kit", "export", path_}), 0) << here_.err(); }

  std::string path_;
  Stage here_;
  Stage there_;
};

TEST_F(KitTest, IsAPrivateFileWithEverythingInIt) {
  export_kit();
  struct stat about {};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(here_.run({"kit", "check", path_}), 0) << here_.out();
  const Kit kit = read_kit(read_file(path_).value()).value();
  EXPECT_EQ(kit.locations.size(), 1u);
  EXPECT_EQ(read_kit(write_kit(kit)).value().secrets.size(), kit.secrets.size());
  // The password did not exist yet: it is made, and the repositories to come use it.
  EXPECT_EQ(json::string_at(peek_secret(here_, "velero-repo-credentials"), {"data", "repository-password"}),
            kit.secret("velero-repo-credentials")->data.at("repository-password"));
}

TEST_F(KitTest, BringsALocationToAnotherSite) {
  export_kit();
  EXPECT_EQ(there_.run({"kit", "import", path_}), 0) << there_.err();
  const json::value location = there_.api().peek(kube::types::velero("backupstoragelocations"), "velero", "default");
  EXPECT_EQ(json::string_at(location, {"spec", "objectStorage", "bucket"}), "apps-dr-guide");
  for (const char* name : {"cloud-credentials", "velero-repo-credentials"})
    EXPECT_EQ(json::object_at(peek_secret(there_, name), {"data"}),
              json::object_at(peek_secret(here_, name), {"data"}));
  EXPECT_EQ(there_.run({"kit", "import", path_}), 0) << there_.err();
  EXPECT_THAT(there_.out(), HasSubstr("BackupStorageLocation/default: is there already"));
}

TEST_F(KitTest, ALocationCanBeAddedUnderAnotherNameBesideTheSitesOwn) {
  export_kit();
  add_secret(there_, "cloud-credentials", "cloud", "this site's own");
  there_.api().seed(peek_secret_copy(here_, "velero-repo-credentials"));
  ASSERT_EQ(there_.run({"backup-location", "create", "default", "--provider", "aws", "--bucket", "own", "--default"}),
            0);
  EXPECT_EQ(there_.run({"kit", "import", path_}), 1);
  EXPECT_THAT(there_.err(), HasSubstr("--from-kit"));
  EXPECT_EQ(there_.run({"backup-location", "create", "site-a", "--from-kit", path_, "--access-mode", "ReadOnly"}), 0)
      << there_.err();
  const json::value location = there_.api().peek(kube::types::velero("backupstoragelocations"), "velero", "site-a");
  EXPECT_EQ(json::string_at(location, {"spec", "accessMode"}), "ReadOnly");
  EXPECT_FALSE(json::bool_at(location, {"spec", "default"}));
  const std::string secret = json::string_at(location, {"spec", "credential", "name"});
  EXPECT_EQ(json::string_at(peek_secret(there_, secret), {"data", "cloud"}), to_base64("[default]\nkey"));
  EXPECT_EQ(json::string_at(peek_secret(there_, "cloud-credentials"), {"data", "cloud"}), to_base64("this site's own"));
}

/// Another site, with a password and a location in a directory of its own.
class KitPasswordTest : public KitTest {
 protected:
  void SetUp() override {
    KitTest::SetUp();
    export_kit();
    add_secret(there_, "velero-repo-credentials", "repository-password", "of this site");
    std::filesystem::create_directories(store_);
  }
  void TearDown() override {
    std::filesystem::remove_all(store_);
    KitTest::TearDown();
  }
  void add_location() {
    ASSERT_EQ(there_.run({"backup-location", "create", "own", "--provider", "holdfast.dev/directory", "--bucket", "b",
                          "--config", "path=" + store_}),
              0)
        << there_.err();
  }
  void add_repository(const std::string& ns, const std::string& password) {
    repo::InitOptions init;
    init.kdf = crypto::ScryptCost{.n = 2, .r = 8, .p = 1};
    std::filesystem::create_directories(store_ + "/restic/" + ns);
    ASSERT_TRUE(repo::Repository::init(*objstore::open_directory({.path = store_ + "/restic/" + ns}),
                                       crypto::Secret::of(password), init)
                    .ok());
  }
  std::string password() {
    return from_base64(json::string_at(peek_secret(there_, "velero-repo-credentials"), {"data", "repository-password"}))
        .value();
  }
  std::string kits_password() {
    return from_base64(json::string_at(peek_secret(here_, "velero-repo-credentials"), {"data", "repository-password"}))
        .value();
  }
  void expect_refused(const std::string& why) {
    EXPECT_EQ(there_.run({"kit", "import", path_}), 1);
    EXPECT_THAT(there_.err(), HasSubstr("it is in use"));
    EXPECT_THAT(there_.err(), HasSubstr(why));
    EXPECT_THAT(there_.err(), HasSubstr("--replace-password"));
    EXPECT_EQ(there_.err().find("of this site"), std::string::npos);
    EXPECT_EQ(password(), "of this site");
    EXPECT_TRUE(there_.api().peek(kube::types::velero("backupstoragelocations"), "velero", "default").is_null());
  }
  const std::string store_ = ::testing::TempDir() + "hf-kit-store-" + random_hex(6);
};

TEST_F(KitPasswordTest, OneThatNothingUsesIsReplaced) {
  add_location();
  add_repository("web", "somebody else's");
  EXPECT_EQ(there_.run({"kit", "import", path_}), 0) << there_.err();
  EXPECT_THAT(there_.out(), HasSubstr("nothing used the password"));
  EXPECT_EQ(password(), kits_password());
}

TEST_F(KitPasswordTest, BackupRepositoriesStandAgainstIt) {
  there_.load("1.14/crs/cluster1-backuprepositories.yaml");
  expect_refused("BackupRepository web-app1-default-restic-7p7dd is there");
}

TEST_F(KitPasswordTest, SnapshotsOfVolumesStandAgainstIt) {
  there_.load("1.14/crs/cluster1-podvolumebackups.yaml");
  expect_refused("PodVolumeBackups name");
}

TEST_F(KitPasswordTest, ARepositoryThatOpensWithItStandsAgainstIt) {
  add_location();
  add_repository("db", "somebody else's");
  add_repository("web", "of this site");
  expect_refused("the repository of namespace web in backup location own opens with it");
  EXPECT_EQ(there_.err().find("namespace db"), std::string::npos);
}

TEST_F(KitPasswordTest, WhereThatCannotBeToldItIsNotReplaced) {
  add_location();
  std::filesystem::remove_all(store_);
  expect_refused("what lies in backup location own: it cannot be told");
}

TEST_F(KitPasswordTest, OnRequestTheFormerOneIsKeptBesideAndWhatItOpenedIsNamed) {
  add_location();
  add_repository("web", "of this site");
  EXPECT_EQ(there_.run({"kit", "import", path_, "--replace-password"}), 0) << there_.err();
  EXPECT_EQ(password(), kits_password());
  EXPECT_THAT(there_.out(), HasSubstr("no longer fits: the repository of namespace web in backup location own"));
  const std::string words = "the former password is in Secret ";
  const size_t at = there_.out().find(words);
  ASSERT_NE(at, std::string::npos);
  const std::string rest = there_.out().substr(at + words.size());
  const json::value former = peek_secret(there_, rest.substr(0, rest.find('\n')));
  EXPECT_EQ(json::string_at(former, {"data", "repository-password"}), to_base64("of this site"));
}

TEST_F(KitPasswordTest, AChangeByOthersMeanwhileIsNotOverwritten) {
  kube::FakeApi::Fault race;
  race.verb = "list";
  race.resource = "backupstoragelocations.velero.io";
  race.meanwhile = [&] {
    const json::value patch = json::object{{"data", json::object{{"repository-password", to_base64("newer")}}}};
    EXPECT_TRUE(there_.api()
                    .patch(kube::types::secrets(), "velero", "velero-repo-credentials", kube::PatchKind::merge, patch)
                    .ok());
  };
  there_.api().inject(race);
  EXPECT_EQ(there_.run({"kit", "import", path_}), 1);
  EXPECT_THAT(there_.err(), HasSubstr("has just been changed by others"));
  EXPECT_EQ(password(), "newer");
}

TEST_F(KitTest, SaysWhatIsMissing) {
  Kit kit;
  EXPECT_EQ(kit_faults(kit).size(), 2u);
  export_kit();
  kit = read_kit(read_file(path_).value()).value();
  kit.secrets.clear();
  ASSERT_TRUE(write_file_atomically(path_, write_kit(kit), 0644).ok());
  EXPECT_EQ(here_.run({"kit", "check", path_}), 1);
  EXPECT_THAT(here_.out(), HasSubstr("location default: its credentials (key cloud of Secret cloud-credentials)"));
  EXPECT_THAT(here_.out(), HasSubstr("repository password"));
  EXPECT_THAT(here_.out(), HasSubstr("others can read the file"));
  EXPECT_EQ(there_.run({"kit", "import", path_}), 1);
  EXPECT_EQ(there_.api().count("create"), 0u);
}

TEST_F(KitTest, RefusesForeignFiles) {
  EXPECT_TRUE(read_kit("kind: Pod\n").is(ErrorCode::invalid));
  EXPECT_TRUE(read_kit("kind: RecoveryKit\nformat: 2\ncreated: \"2026-11-21T06:24:20Z\"\n").is(ErrorCode::unsupported));
  EXPECT_TRUE(read_kit("kind: RecoveryKit\nformat: 1\ncreated: yesterday\n").is(ErrorCode::invalid));
  const Result<Kit> bad = read_kit(
      "kind: RecoveryKit\nformat: 1\ncreated: \"2026-11-21T06:24:20Z\"\nsecrets:\n- name: s\n  data: {k: \"se "
      "cret\"}\n");
  ASSERT_TRUE(bad.is(ErrorCode::invalid));
  EXPECT_EQ(bad.error().message().find("se cret"), std::string::npos);
}

TEST_F(KitTest, NeedsTheCredentialsOfEveryLocation) {
  Stage bare;
  EXPECT_EQ(bare.run({"kit", "export", path_}), 1);
  EXPECT_THAT(bare.err(), HasSubstr("no backup location"));
  bare.load("1.14/crs/cluster1-backupstoragelocations.yaml");
  EXPECT_EQ(bare.run({"kit", "export", path_}), 1);
  EXPECT_THAT(bare.err(), HasSubstr("cloud-credentials"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace holdfast::app
