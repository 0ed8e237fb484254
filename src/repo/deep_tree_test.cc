// Trees deeper than any stack or table of descriptors, and restores that share their descriptors.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "repo/archive.h"
#include "repo/ls.h"
#include "repo/restore.h"
#include "repo/test_corpus.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

using objstore::MemStore;
using testing::TemporaryDirectory;

/// So few descriptors that one for each level, or for each file, is not there.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = count;
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

/// A chain of directories "d" with a file "z" in every thousandth, made and removed without a path of that length.
class DeepTree {
 public:
  DeepTree(std::string root, int levels) : root_(std::move(root)), levels_(levels) {}
  ~DeepTree() { remove(); }

  void make() {
    std::filesystem::create_directories(root_);
    UniqueFd at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY));
    for (int level = 1; level <= levels_; ++level) {
      ASSERT_EQ(::mkdirat(at.get(), "d", 0750), 0);
      at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY));
      if (level % 1000 != 0) continue;
      const UniqueFd file(::openat(at.get(), "z", O_WRONLY | O_CREAT, 0640));
      const std::string text = std::to_string(level);
      ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
  }
  /// How deep it goes; the files' contents and the directories' modes are checked on the way.
  [[nodiscard]] int depth() const {
    UniqueFd at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY));
    for (int level = 0;; ++level) {
      struct stat status {};
      EXPECT_EQ(::fstat(at.get(), &status), 0);
      EXPECT_TRUE(level == 0 || (status.st_mode & 07777) == 0750) << level;
      if (level > 0 && level % 1000 == 0) {
        const UniqueFd file(::openat(at.get(), "z", O_RDONLY));
        char text[16] = {};
        EXPECT_GT(::read(file.get(), text, sizeof(text) - 1), 0);
        EXPECT_EQ(std::string(text), std::to_string(level));
      }
      const int next = ::openat(at.get(), "d", O_RDONLY | O_DIRECTORY);
      if (next < 0) return level;
      at.reset(next);
    }
  }

 private:
  void remove() const {
    UniqueFd at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY));
    int level = 0;
    for (int next = 0; (next = ::openat(at.get(), "d", O_RDONLY | O_DIRECTORY)) >= 0; ++level) at.reset(next);
    for (; level > 0; --level) {
      ::unlinkat(at.get(), "z", 0);
      at.reset(::openat(at.get(), "..", O_RDONLY | O_DIRECTORY));
      ::unlinkat(at.get(), "d", AT_REMOVEDIR);
    }
  }
  const std::string root_;
  const int levels_;
};

std::unique_ptr<Repository> init() {
  return Repository::init(std::make_shared<MemStore>(), crypto::Secret::of(testing::kPassword), testing::quick_init(),
                          testing::small_packs())
      .value();
}

Result<ArchiveResult> back_up(Repository& repository, const std::string& path, std::optional<Snapshot> parent = {}) {
  const auto lock = TRY(repository.lock(testing::quick_lock()));
  ArchiveOptions options;
  options.paths = {"."};
  options.working_directory = path;
  options.parent = std::move(parent);
  NoProgress progress;
  return archive(repository, *lock, options, progress);
}

TEST(DeepTrees, AreSavedAndBroughtBackWithAHandfulOfDescriptors) {
  constexpr int kLevels = 5000;
  const TemporaryDirectory scratch;
  DeepTree source(scratch.path("source"), kLevels), target(scratch.path("target"), kLevels);
  source.make();
  const auto repository = init();
  const FewDescriptors few(100);
  const Result<ArchiveResult> saved = back_up(*repository, scratch.path("source"));
  ASSERT_TRUE(saved) << saved.error().to_string();
  for (const ItemError& item : saved->errors) ADD_FAILURE() << item.error.to_string();
  EXPECT_EQ(saved->summary.dirs_new, static_cast<uint64_t>(kLevels));
  EXPECT_EQ(saved->summary.files_new, 5u);

  RestoreOptions back;
  back.target = scratch.path("target");
  NoProgress progress;
  const Result<RestoreResult> restored = restore(*repository, *saved->snapshot, back, progress);
  ASSERT_TRUE(restored) << restored.error().to_string();
  for (const ItemError& item : restored->errors) ADD_FAILURE() << item.error.to_string();
  EXPECT_EQ(restored->directories, static_cast<uint64_t>(kLevels));
  EXPECT_EQ(target.depth(), kLevels);
}

// A repository that somebody made to hurt: one clear error, and everything else comes back.
TEST(DeepTrees, ThatAreTrapsGiveOneErrorAndStopNothingElse) {
  const TemporaryDirectory scratch;
  const auto repository = init();
  const auto lock = repository->lock(testing::quick_lock()).value();
  Node file;
  file.name = "z";
  file.mode = 0640;
  file.size = 2;
  file.content = {repository->save_blob(BlobType::data, "ok").value().id};
  Node directory;
  directory.name = "d";
  directory.type = NodeType::dir;
  directory.mode = kModeDir | 0750;
  directory.subtree = repository->save_blob(BlobType::tree, TreeWriter(kDefaultTreeProfile).finish()).value().id;
  for (size_t level = 0; level < kDeepestTree + 20; ++level) {
    TreeWriter writer(kDefaultTreeProfile);
    ASSERT_TRUE(writer.add(directory));
    if (level == kDeepestTree + 19) {
      ASSERT_TRUE(writer.add(file));
    }
    directory.subtree = repository->save_blob(BlobType::tree, writer.finish()).value().id;
  }
  ASSERT_TRUE(repository->flush());
  Snapshot snapshot = testing::snapshot_of(*directory.subtree);
  snapshot.id = repository->save_snapshot(snapshot, *lock).value();

  const DeepTree cleanup(scratch.path("target"), 0);
  const FewDescriptors few(100);
  RestoreOptions back;
  back.target = scratch.path("target");
  NoProgress progress;
  const Result<RestoreResult> restored = restore(*repository, snapshot, back, progress);
  ASSERT_TRUE(restored) << restored.error().to_string();
  ASSERT_EQ(restored->errors.size(), 1u);
  EXPECT_TRUE(restored->errors[0].error.code() == ErrorCode::unsupported) << restored->errors[0].error.to_string();
  EXPECT_EQ(read_file(scratch.path("target/z")).value(), "ok");
  const Status listed = walk_tree(*repository, snapshot.tree, "",
                                  [](const std::string&, const Node&) -> Result<Visit> { return Visit::descend; });
  EXPECT_TRUE(listed.is(ErrorCode::unsupported));
}

// Four restores at once, each with more files than all of them may open.
TEST(SharedDescriptors, BoundRestoresTogether) {
  const TemporaryDirectory scratch;
  for (int i = 0; i < 300; ++i) {
    const std::string directory = scratch.path("source/" + std::to_string(i % 30));
    std::filesystem::create_directories(directory);
    ASSERT_TRUE(
        write_file_atomically(directory + "/" + std::to_string(i), testing::noise(2000, static_cast<uint64_t>(i))));
  }
  const auto repository = init();
  const Snapshot snapshot = *back_up(*repository, scratch.path("source")).value().snapshot;
  const auto expected = testing::describe_tree(scratch.path("source"));
  for (const size_t limit : {size_t{0}, size_t{40}}) {
    const FewDescriptors few(160);
    DescriptorBudget budget(limit);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
          RestoreOptions back;
          back.target = scratch.path("target" + std::to_string(limit) + "-" + std::to_string(i));
          back.verify = true;
          back.descriptors = &budget;
          NoProgress progress;
          const Result<RestoreResult> restored = restore(*repository, snapshot, back, progress);
          ASSERT_TRUE(restored) << restored.error().to_string();
          for (const ItemError& item : restored->errors) ADD_FAILURE() << item.error.to_string();
          EXPECT_EQ(restored->verified, 300u);
        });
      }
    }
    EXPECT_EQ(budget.left(), limit) << "every share was given back";
    EXPECT_EQ(testing::describe_tree(scratch.path("target" + std::to_string(limit) + "-3")), expected);
  }
}

}  // namespace
}  // namespace holdfast::repo
