// Backup and restore of trees: round trips, parents, excludes, hostile trees, faults of the store.
#include "repo/archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "repo/archive_parent.h"
#include "repo/filesystem.h"
#include "repo/restore.h"
#include "repo/test_corpus.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
using objstore::Fault;
using objstore::FaultStore;
using objstore::MemStore;
using testing::TemporaryDirectory;

std::unique_ptr<Repository> init(const std::shared_ptr<objstore::Store>& store) {
  return Repository::init(store, crypto::Secret::of(testing::kPassword), testing::quick_init(), testing::small_packs())
      .value();
}

/// A session of its own, as a new process has it.
Result<ArchiveResult> back_up(const std::shared_ptr<objstore::Store>& store, ArchiveOptions options) {
  const auto repository = TRY(Repository::open(store, crypto::Secret::of(testing::kPassword), testing::small_packs()));
  const auto lock = TRY(repository->lock(testing::quick_lock()));
  TRY(repository->load_index());
  const std::vector<Snapshot> all = TRY(repository->snapshots());
  options.hostname = "test";
  if (!options.parent) options.parent = find_parent(all, "test", TRY(snapshot_paths(options)), Time::max());
  NoProgress progress;
  return archive(*repository, *lock, options, progress);
}

Result<RestoreResult> bring_back(const std::shared_ptr<objstore::Store>& store, const Snapshot& snapshot,
                                 RestoreOptions options) {
  const auto repository = TRY(Repository::open(store, crypto::Secret::of(testing::kPassword), testing::small_packs()));
  TRY(repository->load_index());
  NoProgress progress;
  return restore(*repository, snapshot, options, progress);
}

ArchiveOptions content_of(const std::string& directory) {
  ArchiveOptions options;
  options.paths = {"."};
  options.working_directory = directory;
  return options;
}

std::string first_error(const RestoreResult& result) {
  return result.errors.empty() ? "" : result.errors[0].path + ": " + result.errors[0].error.to_string();
}

void write_text(const std::string& path, const std::string& text) {
  ASSERT_TRUE(write_file_atomically(path, text).ok());
}

class RoundTrip : public ::testing::TestWithParam<TreeProfile> {};

TEST_P(RoundTrip, BringsBackAnOddTree) {
  const TemporaryDirectory scratch;
  testing::make_corpus(scratch.path("data"), 7);
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  ArchiveOptions options = content_of(scratch.path("data"));
  options.profile = GetParam();
  const Result<ArchiveResult> saved = back_up(store, options);
  ASSERT_TRUE(saved.ok()) << saved.error().to_string();
  EXPECT_TRUE(saved->errors.empty());
  EXPECT_EQ(saved->snapshot->tree_profile, to_string(GetParam()));

  const auto expected = testing::describe_tree(scratch.path("data"), GetParam());
  for (const bool sparse : {false, true}) {
    const std::string target = scratch.path(sparse ? "sparse" : "full");
    RestoreOptions back;
    back.target = target;
    back.sparse = sparse;
    back.verify = true;
    const Result<RestoreResult> restored = bring_back(store, *saved->snapshot, std::move(back));
    ASSERT_TRUE(restored.ok()) << restored.error().to_string();
    EXPECT_TRUE(restored->errors.empty()) << first_error(*restored);
    const auto found = testing::describe_tree(target, GetParam());
    EXPECT_EQ(found.size(), expected.size());
    for (const auto& [path, description] : expected) {
      ASSERT_TRUE(found.contains(path)) << path;
      EXPECT_EQ(found.at(path), description) << path;
    }
    struct stat status {};
    ASSERT_EQ(::stat((target + "/sizes/sparse").c_str(), &status), 0);
    EXPECT_EQ(sparse, status.st_blocks * 512 < status.st_size / 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, RoundTrip, ::testing::Values(TreeProfile::restic_0_14, TreeProfile::restic_0_19),
                         [](const auto& suite) {
                           return suite.param == TreeProfile::restic_0_14 ? "restic_0_14" : "restic_0_19";
                         });

TEST(Archive, ASecondRunAddsNothingAndAChangeAddsItself) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("data/sub"));
  write_text(scratch.path("data/sub/a"), "alpha");
  write_text(scratch.path("data/b"), "beta");
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  const ArchiveResult first = back_up(store, content_of(scratch.path("data"))).value();
  EXPECT_EQ(first.summary.files_new, 2u);
  EXPECT_EQ(first.summary.dirs_new, 1u);
  EXPECT_EQ(first.summary.data_blobs, 2u);
  EXPECT_EQ(first.summary.tree_blobs, 2u);
  const ArchiveResult second = back_up(store, content_of(scratch.path("data"))).value();
  EXPECT_EQ(second.tree, first.tree);
  EXPECT_EQ(second.summary.files_unmodified, 2u);
  EXPECT_EQ(second.summary.dirs_unmodified, 1u);
  EXPECT_EQ(second.summary.data_added, 0u);
  EXPECT_EQ(second.snapshot->parent, first.snapshot->id);

  write_text(scratch.path("data/b"), "gamma");
  const ArchiveResult third = back_up(store, content_of(scratch.path("data"))).value();
  EXPECT_EQ(third.summary.files_changed, 1u);
  EXPECT_EQ(third.summary.files_unmodified, 1u);
  EXPECT_EQ(third.summary.data_blobs, 1u);
  EXPECT_EQ(third.summary.tree_blobs, 1u);
  ArchiveOptions same = content_of(scratch.path("data"));
  same.skip_if_unchanged = true;
  EXPECT_FALSE(back_up(store, same).value().snapshot.has_value());
}

TEST(Archive, InodeAndCtimeCountUnlessIgnored) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("data"));
  write_text(scratch.path("data/f"), "same bytes");
  fs::last_write_time(scratch.path("data/f"), fs::file_time_type::clock::now() - std::chrono::hours(1));
  struct stat status {};
  ASSERT_EQ(::stat(scratch.path("data/f").c_str(), &status), 0);
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  ASSERT_TRUE(back_up(store, content_of(scratch.path("data"))).ok());
  // Another file of the same size and mtime with other content: only inode and ctime tell.
  write_text(scratch.path("data/f"), "othr bytes");
  const timespec times[2] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, scratch.path("data/f").c_str(), times, 0), 0);
  ArchiveOptions trusting = content_of(scratch.path("data"));
  trusting.ignore_inode = true;
  EXPECT_EQ(back_up(store, trusting).value().summary.data_blobs, 0u);
  ArchiveOptions half = content_of(scratch.path("data"));
  half.parent =
      find_parent(Repository::open(store, crypto::Secret::of(testing::kPassword)).value()->snapshots().value(), "test",
                  snapshot_paths(half).value(), Time::max());
  // That parent has the new inode by now, but the file changed right before it and is read once more.
  EXPECT_EQ(back_up(store, half).value().summary.data_blobs, 1u);
}

// What is written in the tick in which the parent's backup read it keeps its times. Here the times are put back.
TEST(Archive, AChangeInTheTickOfTheParentIsSeen) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("data"));
  write_text(scratch.path("data/f"), "same bytes");
  struct stat status {};
  ASSERT_EQ(::stat(scratch.path("data/f").c_str(), &status), 0);
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  ASSERT_TRUE(back_up(store, content_of(scratch.path("data"))).ok());
  write_text(scratch.path("data/f"), "othr bytes");
  const timespec times[2] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, scratch.path("data/f").c_str(), times, 0), 0);
  ArchiveOptions trusting = content_of(scratch.path("data"));
  trusting.ignore_inode = true;
  EXPECT_EQ(back_up(store, trusting).value().summary.data_blobs, 1u);
}

TEST(UnchangedRule, WantsAChangeThatIsClearlyOlderThanTheParent) {
  const TemporaryDirectory scratch;
  const SharedFd directory = open_directory(AT_FDCWD, scratch.path()).value();
  const auto store = std::make_shared<MemStore>();
  const auto repository = init(store);
  ArchiveOptions options;
  options.parent = testing::snapshot_of(Id{});
  const Time began = options.parent->time.instant;
  const auto unchanged = [&](Duration before) {
    Node node;
    node.mtime = NodeTime::from(began - std::chrono::hours(1));
    node.ctime = NodeTime::from(began - before);
    node.content.emplace();
    UnchangedRule rule(*repository, options);
    return rule.unchanged(node, node, directory->get());
  };
  EXPECT_TRUE(unchanged(std::chrono::minutes(6)));
  EXPECT_FALSE(unchanged(std::chrono::seconds(1)));
  EXPECT_FALSE(unchanged(Duration::zero()));
  EXPECT_FALSE(unchanged(-std::chrono::seconds(30))) << "the parent's backup was under way";
  // A time that the user gave the snapshot says nothing about when its files were read.
  options.parent->summary.emplace().backup_start = RecordTime::at(began - std::chrono::hours(2));
  EXPECT_FALSE(unchanged(std::chrono::minutes(6)));
  options.parent->summary->backup_start = RecordTime::at(began + std::chrono::hours(2));
  EXPECT_FALSE(unchanged(std::chrono::seconds(1)));
}

TEST(Archive, PathsBecomeTheTreesOfTheirParts) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("a/b"));
  fs::create_directories(scratch.path("a/c"));
  write_text(scratch.path("a/b/one"), "1");
  write_text(scratch.path("a/c/two"), "2");
  write_text(scratch.path("a/c/not"), "3");
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  ArchiveOptions options;
  options.paths = {scratch.path("a/b"), scratch.path("a/c/two")};
  const ArchiveResult saved = back_up(store, options).value();
  EXPECT_EQ(saved.snapshot->paths, options.paths);
  RestoreOptions back;
  back.target = scratch.path("out");
  back.subfolder = scratch.path("a");
  ASSERT_TRUE(bring_back(store, *saved.snapshot, back).ok());
  EXPECT_TRUE(fs::exists(scratch.path("out/b/one")));
  EXPECT_TRUE(fs::exists(scratch.path("out/c/two")));
  EXPECT_FALSE(fs::exists(scratch.path("out/c/not")));

  options.paths = {scratch.path("a"), scratch.path("a/b")};
  EXPECT_TRUE(back_up(store, options).is(ErrorCode::invalid));
  options.paths = {scratch.path("missing")};
  EXPECT_TRUE(back_up(store, options).is(ErrorCode::not_found));
  options.paths = {scratch.path("a/b"), scratch.path("missing")};
  const ArchiveResult partly = back_up(store, options).value();
  ASSERT_EQ(partly.errors.size(), 1u);
  EXPECT_EQ(partly.errors[0].path, scratch.path("missing"));
  EXPECT_TRUE(partly.snapshot.has_value());
}

TEST(Archive, ExcludesAndMarksLeaveOut) {
  const TemporaryDirectory scratch;
  for (const char* directory : {"d/keep", "d/cache", "d/skip"}) fs::create_directories(scratch.path(directory));
  write_text(scratch.path("d/keep/a.txt"), "a");
  write_text(scratch.path("d/keep/a.tmp"), "t");
  write_text(scratch.path("d/keep/big"), std::string(5000, 'b'));
  write_text(scratch.path("d/cache/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
  write_text(scratch.path("d/cache/x"), "x");
  write_text(scratch.path("d/skip/y"), "y");
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  ArchiveOptions options = content_of(scratch.path("d"));
  ASSERT_TRUE(options.filter.add("*.tmp").ok());
  ASSERT_TRUE(options.filter.add(scratch.path("d/skip")).ok());
  options.exclude_if_present = {"CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55"};
  options.exclude_larger_than = 4096;
  const ArchiveResult saved = back_up(store, options).value();
  RestoreOptions back;
  back.target = scratch.path("out");
  ASSERT_TRUE(bring_back(store, *saved.snapshot, back).ok());
  std::set<std::string> found;
  for (const auto& [path, description] : testing::describe_tree(scratch.path("out"))) found.insert(path);
  EXPECT_EQ(found, (std::set<std::string>{"/cache", "/cache/CACHEDIR.TAG", "/keep", "/keep/a.txt"}));
}

TEST(Archive, AnEmptyVolumeIsASnapshotToo) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("empty"));
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  const ArchiveResult saved = back_up(store, content_of(scratch.path("empty"))).value();
  EXPECT_EQ(saved.tree.hex(), "ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8");
  RestoreOptions back;
  back.target = scratch.path("out");
  EXPECT_TRUE(bring_back(store, *saved.snapshot, back).value().errors.empty());
}

TEST(Restore, FiltersAndOverwriteRules) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("d/x/y"));
  fs::create_directories(scratch.path("d/z"));
  write_text(scratch.path("d/x/y/deep.conf"), "c");
  write_text(scratch.path("d/z/other"), "o");
  const auto store = std::make_shared<MemStore>();
  static_cast<void>(init(store));
  const Snapshot snapshot = *back_up(store, content_of(scratch.path("d"))).value().snapshot;
  RestoreOptions back;
  back.target = scratch.path("out");
  ASSERT_TRUE(back.include.add("*.conf").ok());
  EXPECT_EQ(bring_back(store, snapshot, back).value().files, 1u);
  EXPECT_TRUE(fs::exists(scratch.path("out/x/y/deep.conf")));
  EXPECT_FALSE(fs::exists(scratch.path("out/z")));

  write_text(scratch.path("out/x/y/deep.conf"), "mine");
  back.overwrite = Overwrite::never;
  EXPECT_EQ(bring_back(store, snapshot, back).value().skipped, 1u);
  EXPECT_EQ(*read_file(scratch.path("out/x/y/deep.conf")), "mine");
  back.overwrite = Overwrite::always;
  EXPECT_EQ(bring_back(store, snapshot, back).value().files, 1u);
  EXPECT_EQ(*read_file(scratch.path("out/x/y/deep.conf")), "c");
  back.subfolder = "nowhere";
  EXPECT_TRUE(bring_back(store, snapshot, back).is(ErrorCode::not_found));
}

/// Trees that want to write outside of the target: names with parts, and a link with a directory of the same name.
TEST(Restore, HostileTreesStayInside) {
  const TemporaryDirectory scratch;
  const auto store = std::make_shared<MemStore>();
  const auto repository = init(store);
  const auto lock = repository->lock(testing::quick_lock()).value();
  const auto save_tree = [&](const std::vector<Node>& nodes) {
    std::string blob = "{\"nodes\":[";
    for (const Node& node : nodes) {
      if (&node != &nodes.front()) blob += ',';
      append_node(blob, node, kDefaultTreeProfile);
    }
    return repository->save_blob(BlobType::tree, blob + "]}\n").value().id;
  };
  const Id bytes = repository->save_blob(BlobType::data, "evil").value().id;
  const auto file = [&](const std::string& name) {
    Node node;
    node.name = name;
    node.mode = 0644;
    node.size = 4;
    node.content = {bytes};
    return node;
  };
  Node link;
  link.name = "way";
  link.type = NodeType::symlink;
  link.linktarget = "..";
  Node directory;
  directory.name = "way";
  directory.type = NodeType::dir;
  directory.mode = kModeDir | 0755;
  directory.subtree = save_tree({file("outside")});
  const Id root =
      save_tree({file("../outside"), file("/outside"), file(".."), file("a/b"), link, directory, file("ok")});
  ASSERT_TRUE(repository->flush().ok());
  Snapshot snapshot = testing::snapshot_of(root);
  snapshot.id = repository->save_snapshot(snapshot, *lock).value();

  for (const Overwrite overwrite : {Overwrite::always, Overwrite::never}) {
    const std::string target = scratch.path(overwrite == Overwrite::always ? "always/t" : "never/t");
    RestoreOptions back;
    back.target = target;
    back.overwrite = overwrite;
    const RestoreResult result = bring_back(store, snapshot, back).value();
    EXPECT_GE(result.errors.size(), 4u);
    EXPECT_EQ(*read_file(target + "/ok"), "evil");
    EXPECT_FALSE(fs::exists(fs::path(target).parent_path() / "outside"));
    EXPECT_FALSE(fs::exists("/outside"));
  }
}

TEST(Restore, ADamagedPackCostsOnlyItsFiles) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("d"));
  for (int i = 0; i < 6; ++i)
    write_text(scratch.path("d/" + std::to_string(i)), testing::noise(60'000, 10u + static_cast<unsigned>(i)));
  const auto memory = std::make_shared<MemStore>();
  static_cast<void>(init(memory));
  ArchiveOptions options = content_of(scratch.path("d"));
  options.readers = 1;
  const Snapshot snapshot = *back_up(memory, options).value().snapshot;
  const auto repository =
      Repository::open(memory, crypto::Secret::of(testing::kPassword), testing::small_packs()).value();
  ASSERT_TRUE(repository->load_index().ok());
  const Id damaged = Id::of(testing::noise(60'000, 12));
  const Id pack = repository->locate(BlobType::data, damaged).at(0).pack;
  const std::string key = key_of(FileKind::pack, pack);
  for (const bool truncated : {true, false}) {
    const std::string whole = memory->get(key).value();
    std::string broken = whole;
    if (truncated) broken.resize(100);
    if (!truncated) broken[repository->locate(BlobType::data, damaged).at(0).offset + 40] ^= 1;
    ASSERT_TRUE(memory->put(key, broken).ok());
    RestoreOptions back;
    back.target = scratch.path(truncated ? "truncated" : "flipped");
    const RestoreResult result = bring_back(memory, snapshot, back).value();
    ASSERT_FALSE(result.errors.empty());
    EXPECT_LT(result.errors.size(), 6u);
    EXPECT_EQ(result.files + result.errors.size(), 6u);
    for (const ItemError& item : result.errors) {
      EXPECT_NE(item.error.message().find(pack.short_hex()), std::string::npos) << item.error.message();
      EXPECT_FALSE(fs::exists(back.target + item.path));
    }
    ASSERT_TRUE(memory->put(key, whole).ok());
  }
}

/// The store dies at the n-th call, for every n: what was there stays restorable, and the next run succeeds.
TEST(Archive, DeathOfTheStoreAtAnyCallLosesNothing) {
  const TemporaryDirectory scratch;
  fs::create_directories(scratch.path("d/s"));
  for (int i = 0; i < 4; ++i)
    write_text(scratch.path("d/s/" + std::to_string(i)), testing::noise(50'000, static_cast<unsigned>(i)));
  const auto before = testing::describe_tree(scratch.path("d"));
  const auto base = std::make_shared<MemStore>();
  static_cast<void>(init(base));
  const Snapshot first = *back_up(base, content_of(scratch.path("d"))).value().snapshot;
  write_text(scratch.path("d/s/1"), testing::noise(150'000, 99));
  write_text(scratch.path("d/new"), "new");

  bool finished = false;
  for (int n = 1; !finished; ++n) {
    ASSERT_LT(n, 200);
    const auto memory = std::make_shared<MemStore>();
    for (const auto& [key, bytes] : base->contents()) ASSERT_TRUE(memory->put(key, bytes).ok());
    const auto faulty = std::make_shared<FaultStore>(memory);
    faulty->crash_at(n, n % 2 ? Fault::Kind::crash : Fault::Kind::crash_after);
    finished = back_up(faulty, content_of(scratch.path("d"))).ok() && !faulty->crashed();

    RestoreOptions back;
    back.target = scratch.path("out" + std::to_string(n));
    const Result<RestoreResult> restored = bring_back(memory, first, back);
    ASSERT_TRUE(restored.ok()) << n << ": " << restored.error().to_string();
    EXPECT_TRUE(restored->errors.empty()) << n << ": " << first_error(*restored);
    EXPECT_EQ(testing::describe_tree(back.target), before) << n;
    fs::remove_all(back.target);
    const Result<ArchiveResult> again = back_up(memory, content_of(scratch.path("d")));
    ASSERT_TRUE(again.ok()) << n << ": " << again.error().to_string();
    EXPECT_TRUE(again->errors.empty());
  }
}

}  // namespace
}  // namespace holdfast::repo
