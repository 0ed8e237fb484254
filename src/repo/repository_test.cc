// Repository: saving, loading, dedup, proof of snapshots; and what faults and deaths at every call leave behind.
#include "repo/repository.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/text.h"
#include "repo/check.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

using objstore::Fault;
using objstore::FaultStore;
using objstore::MemStore;
using objstore::Operation;
using testing::back_up;
using testing::noise;

crypto::Secret password() {
  return crypto::Secret::of(testing::kPassword);
}

std::unique_ptr<Repository> init(std::shared_ptr<objstore::Store> store, unsigned version = 2) {
  return Repository::init(std::move(store), password(), testing::quick_init(version), testing::small_packs()).value();
}

Result<std::unique_ptr<Repository>> open(std::shared_ptr<objstore::Store> store) {
  return Repository::open(std::move(store), password(), testing::small_packs());
}

CheckReport check_all(const std::shared_ptr<objstore::Store>& store) {
  const auto repository = open(store).value();
  CheckOptions options;
  options.data.kind = DataSubset::Kind::all;
  return check(*repository, options).value();
}

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text;
}

TEST(Repository, GivesBackWhatItStoredInBothVersions) {
  for (const unsigned version : {1u, 2u}) {
    const auto store = std::make_shared<MemStore>();
    std::vector<std::string> contents = {"", "small", std::string(200'000, 'z'), noise(150'000, 7)};
    const Id id = back_up(*init(store, version), contents).value();

    const auto again = open(store).value();
    ASSERT_TRUE(again->load_index());
    EXPECT_EQ(again->config().version, version);
    for (const std::string& content : contents) {
      EXPECT_EQ(again->load_blob(BlobType::data, Id::of(content)).value(), content);
      EXPECT_EQ(again->blob_size(BlobType::data, Id::of(content)), content.size());
    }
    const std::vector<Snapshot> snapshots = again->snapshots().value();
    ASSERT_EQ(snapshots.size(), 1u);
    EXPECT_EQ(snapshots[0].id, id);
    EXPECT_EQ(snapshots[0].tree_profile, "restic-0.19");
    const CheckReport report = check_all(store);
    EXPECT_TRUE(report.clean()) << lines(report.damage);
    EXPECT_TRUE(report.hints.empty()) << lines(report.hints);
    EXPECT_EQ(report.blobs_used, 5u);
  }
}

TEST(Repository, StoresEachBlobOnceThoughManyThreadsBringIt) {
  const auto store = std::make_shared<MemStore>();
  const auto repository = init(store);
  std::vector<std::jthread> threads;
  std::atomic<int> added = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        const std::string content = noise(3000, static_cast<uint64_t>((i + t * 10) % 60));
        const Result<SavedBlob> saved = repository->save_blob(BlobType::data, content);
        ASSERT_TRUE(saved);
        if (saved->added) ++added;
        EXPECT_TRUE(repository->has_blob(BlobType::data, saved->id));
      }
    });
  }
  threads.clear();
  ASSERT_TRUE(repository->flush());
  EXPECT_EQ(added, 60);
  EXPECT_EQ(repository->index().size(), 60u);
  const auto again = open(store).value();
  ASSERT_TRUE(again->load_index());
  EXPECT_EQ(again->index().size(), 60u);
  EXPECT_FALSE(again->save_blob(BlobType::data, noise(3000, 5)).value().added);
}

TEST(Repository, WritesPacksThenIndexThenSnapshot) {
  const auto faults = std::make_shared<FaultStore>(std::make_shared<MemStore>());
  const auto repository = init(faults);
  faults->reset();
  ASSERT_TRUE(back_up(*repository, {noise(100'000, 1), noise(100'000, 2)}));
  std::string order;
  for (const std::string& call : faults->log()) {
    if (call.starts_with("put data/")) order += "p";
    if (call.starts_with("put index/")) order += "i";
    if (call.starts_with("put snapshots/")) order += "s";
  }
  EXPECT_EQ(order, "pppis");
}

TEST(Repository, RefusesASecondInitAndAWrongPassword) {
  const auto store = std::make_shared<MemStore>();
  init(store);
  const auto second = Repository::init(store, password(), testing::quick_init());
  EXPECT_TRUE(second.is(ErrorCode::exists));
  EXPECT_TRUE(Repository::open(store, crypto::Secret::of("wrong")).is(ErrorCode::denied));
  const auto nothing = Repository::open(std::make_shared<MemStore>(), password());
  EXPECT_TRUE(nothing.is(ErrorCode::not_found));
}

TEST(Repository, AnInitThatDiedIsTakenUpByTheNext) {
  const auto store = std::make_shared<MemStore>();
  const auto faults = std::make_shared<FaultStore>(store);
  for (int call = 1; call <= 6; ++call) {
    faults->reset();
    faults->crash_at(call);
    EXPECT_FALSE(Repository::init(faults, password(), testing::quick_init())) << call;
    if (store->contents().contains("config")) break;
  }
  ASSERT_EQ(store->contents().count("config"), 1u) << "the last death came after the config's put";
  EXPECT_TRUE(open(store));
  size_t keys = 0;
  for (const auto& [key, bytes] : store->contents()) keys += key.starts_with("keys/") ? 1u : 0u;
  EXPECT_EQ(keys, 1u);
}

// For every call n: the n-th call fails, then the same with the answer lost. What was saved before stays whole, nothing
// half appears, and the next run succeeds.
TEST(Repository, SurvivesAFaultAtEveryCall) {
  for (const Fault::Kind kind : {Fault::Kind::refuse, Fault::Kind::lost_answer, Fault::Kind::truncate}) {
    int failures = 0;
    for (int call = 1;; ++call) {
      const auto store = std::make_shared<MemStore>();
      ASSERT_TRUE(back_up(*init(store), {noise(70'000, 1), "first"}));
      const auto faults = std::make_shared<FaultStore>(store);
      const auto repository = open(faults).value();
      faults->reset();
      Fault fault;
      fault.call = call;
      fault.kind = kind;
      faults->add(fault);
      const Result<Id> saved = back_up(*repository, {noise(70'000, 1), noise(90'000, 2), "second"});
      const bool reached = faults->calls() >= call;
      faults->reset();
      failures += saved ? 0 : 1;
      const CheckReport report = check_all(store);
      ASSERT_TRUE(report.clean()) << "call " << call << ": " << lines(report.damage);
      ASSERT_GE(report.snapshots, saved ? 2u : 1u) << call;
      ASSERT_TRUE(back_up(*open(store).value(), {noise(90'000, 2), "third"})) << call;
      if (!reached) break;
    }
    // A single truncated answer is read again.
    EXPECT_EQ(failures > 3, kind != Fault::Kind::truncate) << failures;
  }
}

// The same with a death: nothing after call n happens.
TEST(Repository, SurvivesADeathAtEveryCall) {
  for (const Fault::Kind kind : {Fault::Kind::crash, Fault::Kind::crash_after}) {
    for (int call = 1;; ++call) {
      const auto store = std::make_shared<MemStore>();
      ASSERT_TRUE(back_up(*init(store), {noise(70'000, 1), "first"}));
      const auto faults = std::make_shared<FaultStore>(store);
      const auto repository = open(faults).value();
      faults->reset();
      faults->crash_at(call, kind);
      const Result<Id> saved = back_up(*repository, {noise(90'000, 2), "second"});
      const bool reached = faults->crashed();
      EXPECT_EQ(saved.ok(), !reached) << call;
      const CheckReport report = check_all(store);
      ASSERT_TRUE(report.clean()) << "call " << call << ": " << lines(report.damage);
      // The dead one's lock is shared: another backup goes on beside it.
      ASSERT_TRUE(back_up(*open(store).value(), {noise(90'000, 2), "third"})) << call;
      if (!reached) break;
    }
  }
}

TEST(Repository, AFailedUploadPoisonsTheSession) {
  const auto faults = std::make_shared<FaultStore>(std::make_shared<MemStore>());
  const auto repository = init(faults);
  Fault fault;
  fault.operation = Operation::put;
  fault.key = "data/";
  faults->add(fault);
  ASSERT_TRUE(repository->save_blob(BlobType::data, noise(70'000, 1)));
  EXPECT_TRUE(repository->flush().is(ErrorCode::unavailable));
  EXPECT_TRUE(repository->save_blob(BlobType::data, "more").is(ErrorCode::unavailable));
  const auto lock = repository->lock(testing::quick_lock()).value();
  EXPECT_TRUE(repository->save_snapshot(testing::snapshot_of(Id{}), *lock).is(ErrorCode::unavailable));
}

TEST(Repository, ASnapshotWhosePacksWereRemovedIsNotReportedAsSaved) {
  const auto store = std::make_shared<MemStore>();
  const auto repository = init(store);
  ASSERT_TRUE(back_up(*repository, {"unrelated"}));
  const auto lock = repository->lock(testing::quick_lock()).value();
  const SavedBlob data = repository->save_blob(BlobType::data, noise(100'000, 3)).value();
  const SavedBlob tree = repository->save_blob(BlobType::tree, testing::tree_of({data.id})).value();
  ASSERT_TRUE(repository->flush());
  const Id pack = repository->locate(BlobType::data, data.id).at(0).pack;
  ASSERT_TRUE(store->remove(key_of(FileKind::pack, pack)));
  const Result<Id> saved = repository->save_snapshot(testing::snapshot_of(tree.id), *lock);
  ASSERT_TRUE(saved.is(ErrorCode::conflict));
  EXPECT_NE(saved.error().message().find("removed again"), std::string::npos) << saved.error().message();
  EXPECT_EQ(repository->snapshots().value().size(), 1u);
  // A missing pack that the snapshot does not use is not its business.
  const SavedBlob other = repository->save_blob(BlobType::tree, testing::tree_of({})).value();
  ASSERT_TRUE(repository->flush());
  EXPECT_TRUE(repository->save_snapshot(testing::snapshot_of(other.id), *lock));
}

// What was not reported must not be there: nobody would ever forget it.
TEST(Repository, ASnapshotWhosePutWasNotAnsweredIsRemovedAgain) {
  for (const ErrorCode code : {ErrorCode::unavailable, ErrorCode::timeout, ErrorCode::cancelled}) {
    const auto store = std::make_shared<MemStore>();
    const auto faults = std::make_shared<FaultStore>(store);
    const auto repository = init(faults);
    Fault lost;
    lost.operation = Operation::put;
    lost.key = "snapshots/";
    lost.kind = Fault::Kind::lost_answer;
    lost.code = code;
    faults->add(lost);
    const Result<Id> saved = back_up(*repository, {"content"});
    ASSERT_TRUE(saved.is(code));
    EXPECT_NE(saved.error().message().find("removed again"), std::string::npos) << saved.error().message();
    faults->reset();
    EXPECT_TRUE(repository->snapshots().value().empty());
    EXPECT_TRUE(back_up(*repository, {"content"}));
  }
}

TEST(Repository, ASnapshotIsNotSavedWithoutItsLock) {
  const auto store = std::make_shared<MemStore>();
  const auto repository = init(store);
  const auto lock = repository->lock(testing::quick_lock()).value();
  const SavedBlob tree = repository->save_blob(BlobType::tree, testing::tree_of({})).value();
  EXPECT_TRUE(repository->save_snapshot(testing::snapshot_of(tree.id), *lock).is(ErrorCode::internal)) << "no flush";
  ASSERT_TRUE(repository->flush());
  ASSERT_EQ(unlock(repository->files(), Unlock::all, repository->clock()).value(), 1u);
  EXPECT_TRUE(repository->save_snapshot(testing::snapshot_of(tree.id), *lock).is(ErrorCode::conflict));
  EXPECT_TRUE(repository->snapshots().value().empty());
}

TEST(Repository, ReadsADamagedBlobFromItsCopy) {
  const auto store = std::make_shared<MemStore>();
  const std::string content = noise(1000, 1);
  init(store);
  // Two writers at once, neither knowing of the other's blob.
  const auto one = open(store).value(), two = open(store).value();
  ASSERT_TRUE(one->load_index() && two->load_index());
  for (Repository* writer : {one.get(), two.get()}) {
    ASSERT_TRUE(writer->save_blob(BlobType::data, content));
    ASSERT_TRUE(writer->flush());
  }
  const auto reader = open(store).value();
  ASSERT_TRUE(reader->load_index());
  const std::vector<BlobLocation> places = reader->locate(BlobType::data, Id::of(content));
  ASSERT_EQ(places.size(), 2u);
  for (const BlobLocation& place : places) {
    const std::string key = key_of(FileKind::pack, place.pack);
    const std::string whole = store->get(key).value();
    std::string damaged = whole;
    damaged[place.offset + 20] = static_cast<char>(damaged[place.offset + 20] ^ 1);
    ASSERT_TRUE(store->put(key, damaged));
    EXPECT_EQ(reader->load_blob(BlobType::data, Id::of(content)).value(), content);
    const BlobHandle handle{BlobType::data, Id::of(content)};
    int taken = 0;
    EXPECT_TRUE(reader->load_blobs({&handle, 1}, [&](const BlobHandle&, std::string_view bytes) -> Status {
      ++taken;
      EXPECT_EQ(bytes, content);
      return {};
    }));
    EXPECT_EQ(taken, 1);
    ASSERT_TRUE(store->put(key, whole));
  }
}

TEST(Repository, StopsWhenAsked) {
  const auto repository = init(std::make_shared<MemStore>());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(repository->save_blob(BlobType::data, "x", {}, stop.get_token()).is(ErrorCode::cancelled));
  EXPECT_TRUE(repository->load_index(stop.get_token()).is(ErrorCode::cancelled));
  EXPECT_TRUE(repository->lock(testing::quick_lock(), stop.get_token()).is(ErrorCode::cancelled));
}

std::set<std::string> files_below(const std::string& directory, const std::string& folder) {
  std::set<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().string().find("/" + folder + "/") != std::string::npos) {
      out.insert(entry.path().filename().string());
    }
  }
  return out;
}

// Every backup leaves a snapshot, an index file and a pack of trees: what is forgotten elsewhere goes here too.
TEST(Repository, CachesOnlyWhatIsStillThere) {
  const auto store = std::make_shared<MemStore>();
  const std::string directory = ::testing::TempDir() + "holdfast-repo-cache-" + Id::random().short_hex();
  RepositoryOptions options = testing::small_packs();
  options.cache_dir = directory;
  init(store);
  for (int i = 0; i < 3; ++i) {
    const auto repository = Repository::open(store, password(), options).value();
    ASSERT_TRUE(back_up(*repository, {"content " + std::to_string(i)}));
    const Id tree = repository->snapshots().value().back().tree;
    ASSERT_TRUE(repository->load_blob(BlobType::tree, tree));
  }
  const auto reader = Repository::open(store, password(), options).value();
  ASSERT_TRUE(reader->load_index());
  for (const Snapshot& snapshot : reader->snapshots().value()) {
    EXPECT_TRUE(reader->load_blob(BlobType::tree, snapshot.tree));
  }
  EXPECT_EQ(files_below(directory, "snapshots").size(), 3u);
  EXPECT_EQ(files_below(directory, "data").size(), 3u);
  // Somebody else forgets all but the last, and prunes.
  const Snapshot last = reader->snapshots().value().back();
  const Id pack = reader->locate(BlobType::tree, last.tree).at(0).pack;
  std::optional<Id> kept_index;
  for (const ListedFile& file : reader->files().list(FileKind::index).value()) {
    const std::string text = reader->files().load(FileKind::index, file.id).value();
    if (text.find(pack.hex()) != std::string::npos) kept_index = file.id;
  }
  ASSERT_TRUE(kept_index.has_value());
  for (const auto& [key, bytes] : store->contents()) {
    const bool keep = key == key_of(FileKind::snapshot, last.id) || key == key_of(FileKind::index, *kept_index);
    const bool goes = !keep && (key.starts_with("snapshots/") || key.starts_with("index/"));
    ASSERT_TRUE(!goes || store->remove(key).ok());
  }
  const auto later = Repository::open(store, password(), options).value();
  ASSERT_TRUE(later->load_index());
  EXPECT_EQ(later->snapshots().value().size(), 1u);
  EXPECT_EQ(files_below(directory, "snapshots"), std::set<std::string>{last.id.hex()});
  EXPECT_EQ(files_below(directory, "index"), std::set<std::string>{kept_index->hex()});
  EXPECT_EQ(files_below(directory, "data"), std::set<std::string>{pack.hex()});
  std::filesystem::remove_all(directory);
}

TEST(Cache, KeepsToItsLimitByRemovingWhatWasNotUsedForLongest) {
  const std::string directory = ::testing::TempDir() + "holdfast-repo-cache-" + Id::random().short_hex();
  constexpr uint64_t kLimit = 80'000;
  const Cache one(directory, Id::random().hex(), kLimit), two(directory, Id::random().hex(), kLimit);
  const auto add = [](const Cache& cache, uint64_t seed) {
    const std::string bytes = noise(10'000, seed);
    cache.store(FileKind::pack, Id::of(bytes), bytes);
    return Id::of(bytes);
  };
  const auto age = [&](int hours) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      std::filesystem::last_write_time(entry.path(), entry.last_write_time() - std::chrono::hours(hours));
    }
  };
  const Id oldest = add(one, 1);
  age(1);
  const Id used = add(one, 2);
  age(1);
  ASSERT_TRUE(one.load(FileKind::pack, used).has_value());
  std::filesystem::create_directories(directory + "/notes");
  ASSERT_TRUE(write_file_atomically(directory + "/notes/a", noise(90'000, 77)));
  for (uint64_t seed = 10; seed < 20; ++seed) {
    add(seed % 2 == 0 ? one : two, seed);
    const auto packs = files_below(directory, "data");
    EXPECT_LE(packs.size() * 10'000, kLimit + 2 * kLimit / 8);
    EXPECT_TRUE(one.load(FileKind::pack, used).has_value()) << "in use all the time";
  }
  EXPECT_FALSE(one.load(FileKind::pack, oldest).has_value());
  EXPECT_TRUE(std::filesystem::exists(directory + "/notes/a")) << "not a repository's";
  std::filesystem::remove_all(directory);
}

TEST(Repository, ReadsFromItsCacheAndIgnoresADamagedOne) {
  const auto store = std::make_shared<MemStore>();
  const std::string directory = ::testing::TempDir() + "holdfast-repo-cache-" + Id::random().short_hex();
  RepositoryOptions options = testing::small_packs();
  options.cache_dir = directory;
  const Id tree = Id::of(testing::tree_of({Id::of("content")}));
  ASSERT_TRUE(back_up(*init(store), {"content"}));
  for (int round = 0; round < 3; ++round) {
    const auto faults = std::make_shared<FaultStore>(store);
    const auto repository = Repository::open(faults, password(), options).value();
    faults->reset();
    ASSERT_TRUE(repository->load_index());
    EXPECT_TRUE(repository->load_blob(BlobType::tree, tree));
    EXPECT_EQ(repository->snapshots().value().size(), 1u);
    int gets = 0;
    for (const std::string& call : faults->log()) gets += call.starts_with("get ") ? 1 : 0;
    EXPECT_EQ(gets, round == 1 ? 0 : 3) << "round " << round;
    if (round != 1) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 10);
    }
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace holdfast::repo
