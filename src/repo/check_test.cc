// Damage of every kind is found, named, and told apart from what costs only space.
#include "repo/check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "repo/test_repository.h"
#include "repo/tree_references.h"

namespace holdfast::repo {
namespace {

using objstore::MemStore;
using testing::noise;

class Check : public ::testing::Test {
 protected:
  void SetUp() override {
    repository_ =
        Repository::init(store_, crypto::Secret::of("p"), testing::quick_init(), testing::small_packs()).value();
    snapshot_ = testing::back_up(*repository_, {noise(90'000, 1), noise(90'000, 2), "small"}).value();
  }
  CheckReport run(DataSubset::Kind kind = DataSubset::Kind::all) {
    CheckOptions options;
    options.data.kind = kind;
    return check(*repository_, options).value();
  }
  Id pack_of(BlobType type, const std::string& content) {
    return repository_->locate(type, Id::of(content)).at(0).pack;
  }
  void expect_damage(const CheckReport& report, const std::string& part) {
    const bool found = std::any_of(report.damage.begin(), report.damage.end(),
                                   [&](const std::string& line) { return line.find(part) != std::string::npos; });
    std::string all;
    for (const std::string& line : report.damage) all += line + "\n";
    EXPECT_TRUE(found) << part << " in:\n" << all;
  }
  std::shared_ptr<MemStore> store_ = std::make_shared<MemStore>();
  std::unique_ptr<Repository> repository_;
  Id snapshot_;
};

TEST_F(Check, AWholeRepositoryIsClean) {
  const CheckReport report = run();
  EXPECT_TRUE(report.clean());
  EXPECT_TRUE(report.hints.empty());
  EXPECT_EQ(report.snapshots, 1u);
  EXPECT_EQ(report.trees, 1u);
  EXPECT_EQ(report.blobs_used, 4u);
  EXPECT_EQ(report.packs_read, report.packs);
  EXPECT_EQ(run(DataSubset::Kind::none).packs_read, 0u);
}

TEST_F(Check, NamesAMissingAndATruncatedPack) {
  const std::string key = key_of(FileKind::pack, pack_of(BlobType::data, noise(90'000, 1)));
  const std::string whole = store_->get(key).value();
  ASSERT_TRUE(store_->put(key, whole.substr(0, whole.size() - 1)));
  expect_damage(run(DataSubset::Kind::none), "truncated");
  ASSERT_TRUE(store_->remove(key));
  expect_damage(run(DataSubset::Kind::none), key.substr(8) + " is missing");
}

TEST_F(Check, NamesAMissingIndexByTheBlobsThatLackIt) {
  for (const ListedFile& file : repository_->files().list(FileKind::index).value()) {
    ASSERT_TRUE(repository_->files().remove(FileKind::index, file.id));
  }
  const CheckReport report = run(DataSubset::Kind::none);
  expect_damage(report, "snapshot " + snapshot_.hex() + ": its root tree");
  EXPECT_FALSE(report.hints.empty()) << "the packs are in no index";
}

TEST_F(Check, NamesADamagedIndexSnapshotAndTree) {
  const Id tree = repository_->snapshots().value().at(0).tree;
  const std::string snapshot_key = key_of(FileKind::snapshot, snapshot_);
  const std::string snapshot = store_->get(snapshot_key).value();
  ASSERT_TRUE(store_->put(snapshot_key, "rubbish"));
  expect_damage(run(DataSubset::Kind::none), snapshot_.hex());
  ASSERT_TRUE(store_->put(snapshot_key, snapshot));

  const BlobLocation place = repository_->locate(BlobType::tree, tree).at(0);
  const std::string key = key_of(FileKind::pack, place.pack);
  const std::string whole = store_->get(key).value();
  std::string bytes = whole;
  bytes[place.offset + 18] = static_cast<char>(bytes[place.offset + 18] ^ 1);
  ASSERT_TRUE(store_->put(key, bytes));
  expect_damage(run(DataSubset::Kind::none), "tree " + tree.hex() + " cannot be read");
  ASSERT_TRUE(store_->put(key, whole));
  EXPECT_TRUE(run().clean());

  const std::string index_key = key_of(FileKind::index, repository_->files().list(FileKind::index).value().at(0).id);
  ASSERT_TRUE(store_->put(index_key, "rubbish"));
  expect_damage(run(DataSubset::Kind::none), index_key.substr(6));
}

// One flipped bit anywhere in a pack: data, IV, tag, header or length.
TEST_F(Check, ReadingTheDataFindsAFlipAnywhere) {
  const Id pack = pack_of(BlobType::data, "small");
  const std::string key = key_of(FileKind::pack, pack);
  const std::string whole = store_->get(key).value();
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 60) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    ASSERT_TRUE(store_->put(key, bytes));
    expect_damage(run(), pack.hex());
  }
  std::string bytes = whole;
  bytes.back() = static_cast<char>(bytes.back() ^ 4);
  ASSERT_TRUE(store_->put(key, bytes));
  expect_damage(run(), pack.hex());
  ASSERT_TRUE(store_->put(key, whole));
  EXPECT_TRUE(run().clean());
}

TEST_F(Check, HintsAtUnreferencedPacksAndDoubledListings) {
  ASSERT_TRUE(store_->put(key_of(FileKind::pack, Id::of("left behind")), "left behind"));
  const std::vector<PackContents> packs = repository_->index().by_pack();
  ASSERT_TRUE(repository_->files().save(FileKind::index, encode_index({packs.front()})));
  const CheckReport report = run();
  EXPECT_TRUE(report.clean());
  ASSERT_EQ(report.hints.size(), 2u);
  EXPECT_NE(report.hints[0].find("in no index") == std::string::npos,
            report.hints[1].find("in no index") == std::string::npos);
}

TEST_F(Check, SubsetsTogetherReadEveryPackOnce) {
  uint64_t read = 0;
  for (uint64_t part = 1; part <= 3; ++part) {
    CheckOptions options;
    options.data = parse_data_subset(std::to_string(part) + "/3").value();
    read += check(*repository_, options).value().packs_read;
  }
  const uint64_t packs = run().packs;
  EXPECT_EQ(read, packs);
  CheckOptions options;
  options.data = parse_data_subset("1%").value();
  EXPECT_EQ(check(*repository_, options).value().packs_read, 1u);
  options.data = parse_data_subset("1T").value();
  EXPECT_EQ(check(*repository_, options).value().packs_read, packs);
  for (const char* wrong : {"", "0/3", "4/3", "1/0", "1/1000", "x", "0%", "101%", "-5", "%", "5X", "G"}) {
    EXPECT_TRUE(parse_data_subset(wrong).is(ErrorCode::invalid)) << wrong;
  }
}

TEST_F(Check, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(check(*repository_, {}, stop.get_token()).is(ErrorCode::cancelled));
}

class GoldenCheck : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenCheck, EveryByteOfAGoldenRepositoryIsClean) {
  const auto repository = Repository::open(testing::golden_store(GetParam()), crypto::Secret::of("golden")).value();
  CheckOptions options;
  options.data.kind = DataSubset::Kind::all;
  const CheckReport report = check(*repository, options).value();
  EXPECT_TRUE(report.clean()) << report.damage.front();
  EXPECT_EQ(report.snapshots, 2u);
  EXPECT_EQ(report.packs_read, report.packs);
  EXPECT_EQ(report.blobs_unused, 0u);
}

INSTANTIATE_TEST_SUITE_P(Releases, GoldenCheck, ::testing::ValuesIn(testing::kGolden), [](const auto& release) {
  std::string name = release.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace holdfast::repo
