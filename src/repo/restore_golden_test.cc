// Every golden repository restored, and compared with a fresh corpus made by the script that made theirs.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/process.h"
#include "repo/restore.h"
#include "repo/test_corpus.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

class GoldenRestore : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    if (!testing::privileged()) return;
    scratch_ = std::make_unique<testing::TemporaryDirectory>();
    const std::vector<std::string> make = {"python3", testing::fixture("make-corpus.py"), scratch_->path("corpus")};
    ASSERT_TRUE(run_checked(make).ok());
  }
  static void TearDownTestSuite() { scratch_.reset(); }
  void SetUp() override {
    if (testing::privileged()) return;
    const char* ci = std::getenv("CI");
    if (ci && std::string(ci) == "true") FAIL() << "the golden restore needs root";
    GTEST_SKIP() << "the corpus has owners, devices and trusted attributes: needs root";
  }
  static inline std::unique_ptr<testing::TemporaryDirectory> scratch_;
};

TEST_P(GoldenRestore, EqualsAFreshCorpus) {
  const std::string name = GetParam();
  const bool old = name.starts_with("v0.9") || name.starts_with("v0.12") || name.starts_with("v0.14");
  const TreeProfile kept = old ? TreeProfile::restic_0_14 : TreeProfile::restic_0_19;
  const auto store = objstore::open_directory({.path = testing::fixture(name)}).value();
  const auto repository = Repository::open(store, crypto::Secret::of("golden")).value();
  ASSERT_TRUE(repository->load_index().ok());
  RestoreOptions options;
  options.target = scratch_->path(name);
  options.sparse = true;
  options.verify = true;
  NoProgress progress;
  const RestoreResult result = restore(*repository, repository->snapshots().value().front(), options, progress).value();
  for (const ItemError& item : result.errors) ADD_FAILURE() << item.path << ": " << item.error.to_string();
  const auto expected = testing::describe_tree(scratch_->path("corpus"), kept);
  const auto found = testing::describe_tree(options.target, kept);
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [path, description] : expected) {
    ASSERT_TRUE(found.contains(path)) << path;
    EXPECT_EQ(found.at(path), description) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Restic, GoldenRestore,
                         ::testing::Values("v0.9.6-1", "v0.12.1-1", "v0.14.0-2", "v0.17.3-2", "v0.19.1-1", "v0.19.1-2",
                                           "v0.19.1-2-max-newyork"),
                         [](const auto& suite) {
                           std::string name = suite.param;
                           for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace holdfast::repo
