// What restic 0.9.6 to 0.19.1 wrote, read by us.
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "repo/pack.h"
#include "repo/test_repository.h"
#include "repo/tree_references.h"

namespace holdfast::repo {
namespace {

using testing::fixture;

class Golden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { repository_ = opened(GetParam()); }
  // Deriving the key takes most of the time: each repository is opened once.
  static Repository* opened(const std::string& name) {
    static std::map<std::string, std::unique_ptr<Repository>> all;
    std::unique_ptr<Repository>& repository = all[name];
    if (!repository) {
      const auto store = objstore::open_directory({.path = fixture(name)}).value();
      repository = Repository::open(store, crypto::Secret::of("golden")).value();
      EXPECT_TRUE(repository->load_index());
    }
    return repository.get();
  }
  Repository* repository_ = nullptr;
};

TEST_P(Golden, ListsTheSnapshotsThatResticLists) {
  const std::vector<Snapshot> found = repository_->snapshots().value();
  const json::value listed =
      json::parse(read_file(fixture(std::string(GetParam()) + ".snapshots.json")).value()).value();
  ASSERT_EQ(found.size(), listed.get_array().size());
  for (size_t i = 0; i < found.size(); ++i) {
    json::object theirs = listed.get_array()[i].get_object();
    EXPECT_EQ(found[i].id.hex(), json::string_at(theirs, {"id"}));
    theirs.erase("id");
    theirs.erase("short_id");
    EXPECT_EQ(encode_snapshot(found[i]), json::compact(theirs));
  }
  const SnapshotFilter second{.hosts = {"golden"}, .tags = {found.back().tags}};
  const Result<Snapshot> latest = find_snapshot(found, "latest", second);
  ASSERT_TRUE(latest) << latest.error().to_string();
  EXPECT_EQ(latest->id, found.back().id);
}

TEST_P(Golden, ReEncodesEachSnapshotToTheBytesThatResticSealed) {
  for (const Snapshot& snapshot : repository_->snapshots().value()) {
    EXPECT_EQ(encode_snapshot(snapshot),
              std::string(trim(repository_->files().load(FileKind::snapshot, snapshot.id).value())));
  }
}

TEST_P(Golden, LoadsEveryBlobAndFindsEveryTreeAsStored) {
  std::vector<BlobHandle> all;
  repository_->index().for_each([&](const BlobHandle& blob, const BlobLocation&) { all.push_back(blob); });
  ASSERT_GT(all.size(), 40u);
  std::mutex mutex;
  std::map<std::string, std::string> trees;
  size_t loaded = 0;
  ASSERT_TRUE(repository_->load_blobs(all, [&](const BlobHandle& blob, std::string_view bytes) -> Status {
    std::lock_guard lock(mutex);
    ++loaded;
    if (blob.type == BlobType::tree) trees[blob.id.hex()] = bytes;
    EXPECT_EQ(repository_->blob_size(blob.type, blob.id), bytes.size());
    return {};
  }));
  EXPECT_EQ(loaded, all.size());
  for (const auto& [id, bytes] : trees) {
    EXPECT_EQ(bytes, read_file(fixture(std::string(GetParam()) + ".trees/" + id)).value()) << id;
  }
}

TEST_P(Golden, ReadsEachPacksHeaderAsTheIndexHasIt) {
  std::map<Id, uint64_t> sizes;
  for (const ListedFile& file : repository_->files().list(FileKind::pack).value()) sizes[file.id] = file.size;
  const std::vector<PackContents> packs = repository_->index().by_pack();
  EXPECT_EQ(packs.size(), sizes.size());
  for (const PackContents& pack : packs) {
    const auto read = [&](uint64_t offset, uint64_t length) {
      return repository_->files().load_pack_part(pack.pack, offset, length);
    };
    EXPECT_EQ(read_pack_header(repository_->files().key(), sizes[pack.pack], read).value(), pack.blobs);
    EXPECT_EQ(pack_size_of(pack.blobs), sizes[pack.pack]);
  }
}

TEST_P(Golden, CutsItsFilesWhereResticCutThem) {
  size_t cuts = 0;
  const auto compare = [&](const Id&, const Result<TreeReferences>& tree) -> Status {
    // The nodes' contents lie one behind the other; a file's chunks are looked at one by one below.
    if (!tree) return tree.error();
    for (size_t i = 0; i + 1 < tree->content.size(); ++i) {
      const std::string first = TRY(repository_->load_blob(BlobType::data, tree->content[i]));
      if (first.size() < (512 << 10)) continue;
      const std::string second = TRY(repository_->load_blob(BlobType::data, tree->content[i + 1]));
      Chunker chunker = repository_->chunker();
      const std::optional<size_t> cut = chunker.next(first + second, true);
      // A file's last chunk does not end at a cut: then the pair is of two files.
      if (cut != first.size() && first.size() < (8 << 20)) {
        Chunker alone = repository_->chunker();
        EXPECT_EQ(alone.next(first, true), first.size());
        continue;
      }
      ++cuts;
    }
    return {};
  };
  std::vector<Id> roots;
  for (const Snapshot& snapshot : repository_->snapshots().value()) roots.push_back(snapshot.tree);
  ASSERT_TRUE(walk_trees(*repository_, roots, 2, compare));
  EXPECT_GT(cuts, 0u) << "the corpus holds files of several chunks";
}

TEST_P(Golden, RefusesAWrongPassword) {
  const auto opened =
      Repository::open(objstore::open_directory({.path = fixture(GetParam())}).value(), crypto::Secret::of("silver"));
  ASSERT_TRUE(opened.is(ErrorCode::denied));
  EXPECT_NE(opened.error().message().find("wrong password"), std::string::npos) << opened.error().message();
}

INSTANTIATE_TEST_SUITE_P(Releases, Golden, ::testing::ValuesIn(testing::kGolden), [](const auto& release) {
  std::string name = release.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace holdfast::repo
