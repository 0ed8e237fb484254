#include "sandbox/apiserver/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <thread>

#include "base/file.h"
#include "base/random.h"

namespace holdfast::sandbox {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() : directory_(::testing::TempDir() + "/hf-store-" + random_hex(6)) {}
  ~StoreTest() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<Store> open(size_t history_max = 20'000, uint64_t log_max = uint64_t{64} << 20) {
    return Store::open({.directory = directory_, .history_max = history_max, .log_max = log_max}).value();
  }
  std::string directory_;
};

json::value thing(int64_t n) {
  return json::object{{"metadata", json::object{{"name", "x"}}}, {"n", n}};
}

// A state as text, to compare two stores whole.
std::string dump(const Store& store) {
  std::string text = fmt::format("@{}\n", store.revision());
  const Store::Listing listing = store.list("").value();
  for (const Object& object : listing.objects) text += json::compact(*object) + "\n";
  return text;
}

TEST_F(StoreTest, WritesAreCompareAndSwap) {
  const auto store = open();
  const Object first = store->put("things/a/x", thing(1), 0).value();
  EXPECT_EQ(revision_of(*first), 1U);
  EXPECT_TRUE(store->put("things/a/x", thing(2), 0).is(ErrorCode::exists));
  EXPECT_TRUE(store->put("things/a/x", thing(2), 7).is(ErrorCode::conflict));
  EXPECT_TRUE(store->put("things/a/y", thing(2), 7).is(ErrorCode::not_found));
  EXPECT_EQ(revision_of(*store->put("things/a/x", thing(2), 1).value()), 2U);
  EXPECT_TRUE(store->remove("things/a/x", 1).is(ErrorCode::conflict));
  EXPECT_EQ(revision_of(*store->remove("things/a/x", 2).value()), 3U);
  EXPECT_EQ(store->get("things/a/x"), nullptr);
}

TEST_F(StoreTest, ASecondProcessIsRefused) {
  const auto store = open();
  EXPECT_TRUE(Store::open({.directory = directory_}).is(ErrorCode::conflict));
}

TEST_F(StoreTest, PagesShowTheStateTheFirstOneSaw) {
  const auto store = open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store->put(fmt::format("things/a/{}", i), thing(i), 0).ok());
  const auto first = store->list("things/", "", 2).value();
  EXPECT_EQ(first.remaining, 3);
  ASSERT_TRUE(store->remove("things/a/2", 3).ok());
  ASSERT_TRUE(store->put("things/a/3", thing(33), 4).ok());
  ASSERT_TRUE(store->put("things/a/9", thing(9), 0).ok());
  const auto rest = store->list("things/", first.last_key, 0, first.revision).value();
  ASSERT_EQ(rest.objects.size(), 3U);
  EXPECT_EQ(json::int_at(*rest.objects[1], {"n"}), 3);
}

TEST_F(StoreTest, ChangesOlderThanTheWindowAreGone) {
  const auto store = open(3);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(store->put(fmt::format("things/a/{}", i), thing(i), 0).ok());
  uint64_t seen = 0;
  EXPECT_EQ(store->events_after("things/", 3, seen).value().size(), 3U);
  EXPECT_TRUE(store->events_after("things/", 2, seen).is(ErrorCode::conflict));
  EXPECT_TRUE(store->list("things/", "things/a/1", 0, 2).is(ErrorCode::conflict));
  EXPECT_TRUE(store->events_after("things/", 6, seen).value().empty());
}

// A log cut at any byte holds exactly the changes whose records are whole, and takes new ones after that.
TEST_F(StoreTest, ALogCutAnywhereLosesOnlyWhatWasNotAnswered) {
  std::vector<std::string> states;
  std::vector<uint64_t> sizes;
  const std::string log = directory_ + "/log.0";
  {
    const auto store = open();
    const auto note = [&] {
      states.push_back(dump(*store));
      sizes.push_back(std::filesystem::file_size(log));
    };
    note();
    ASSERT_TRUE(store->put("things/a/x", thing(1), 0).ok());
    note();
    ASSERT_TRUE(store->put("things/a/y", thing(2), 0).ok());
    note();
    ASSERT_TRUE(store->put("things/a/x", thing(3), 1).ok());
    note();
    ASSERT_TRUE(store->remove("things/a/y", 2).ok());
    note();
  }
  const std::string whole = read_file(log).value();
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    ASSERT_TRUE(write_file_atomically(log, whole.substr(0, cut)).ok());
    size_t expected = 0;
    while (expected + 1 < sizes.size() && sizes[expected + 1] <= cut) ++expected;
    {
      const auto store = open();
      ASSERT_EQ(dump(*store), states[expected]) << cut;
      ASSERT_TRUE(store->put("things/a/new", thing(9), 0).ok());
    }
    ASSERT_NE(open()->get("things/a/new"), nullptr) << cut;
  }
}

TEST_F(StoreTest, ADamagedRecordIsAnErrorNotALoss) {
  const std::string log = directory_ + "/log.0";
  {
    const auto store = open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->put(fmt::format("things/a/{}", i), thing(i), 0).ok());
  }
  std::string bytes = read_file(log).value();
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  ASSERT_TRUE(write_file_atomically(log, bytes).ok());
  EXPECT_TRUE(Store::open({.directory = directory_}).is(ErrorCode::corrupt));
}

TEST_F(StoreTest, SnapshotsKeepStateAndCounter) {
  std::string before;
  {
    const auto store = open(100, 2000);  // folds the log every few writes
    for (int i = 0; i < 200; ++i) {
      const std::string key = fmt::format("things/a/{}", i % 7);
      const Object now = store->get(key);
      if (i % 5 == 4 && now) {
        ASSERT_TRUE(store->remove(key, revision_of(*now)).ok());
      } else {
        ASSERT_TRUE(store->put(key, thing(i), now ? revision_of(*now) : 0).ok());
      }
    }
    before = dump(*store);
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/log.0"));
  EXPECT_EQ(dump(*open()), before);
  // A crash between the new snapshot's rename and its log's creation leaves a snapshot alone.
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().filename().string().rfind("snapshot.", 0) == 0) {
      EXPECT_GT(std::filesystem::file_size(entry.path()), 0U);
    }
  }
}

// Random writers against a naive twin; every watcher sees each change of its prefix once, in order.
TEST_F(StoreTest, EveryWatcherSeesEachChangeOnceInOrder) {
  const auto store = open();
  constexpr int kWrites = 2000;
  std::vector<std::string> truth;
  std::map<std::string, int64_t> twin;
  struct Watcher {
    std::string prefix;
    std::vector<std::string> seen;
  };
  std::vector<Watcher> watchers{{"", {}}, {"things/a/", {}}, {"things/b/", {}}, {"others/", {}}};
  const auto line = [](uint64_t revision, const std::string& key, StoreEvent::Kind kind) {
    return fmt::format("{} {} {}", revision, key, static_cast<int>(kind));
  };
  {
    std::vector<std::jthread> threads;
    for (Watcher& watcher : watchers) {
      threads.emplace_back([&, &mine = watcher] {
        uint64_t seen = 0;
        while (seen < kWrites) {
          if (!store->wait_beyond(seen, {}, std::chrono::seconds(20))) return;
          const auto events = store->events_after(mine.prefix, seen, seen);
          for (const StoreEvent& event : *events) mine.seen.push_back(line(event.revision, event.key, event.kind));
        }
      });
    }
    std::mt19937 random(4711);
    const char* const places[] = {"things/a/", "things/b/", "others/c/"};
    for (int i = 0; i < kWrites; ++i) {
      const std::string key = places[random() % 3] + std::to_string(random() % 5);
      const Object now = store->get(key);
      ASSERT_EQ(now != nullptr, twin.contains(key));
      ASSERT_EQ(now ? json::int_at(*now, {"n"}) : twin[key], twin[key]);
      if (!now) twin.erase(key);
      StoreEvent::Kind kind = now ? StoreEvent::Kind::modified : StoreEvent::Kind::added;
      if (now && random() % 4 == 0) {
        kind = StoreEvent::Kind::deleted;
        ASSERT_TRUE(store->remove(key, revision_of(*now)).ok());
        twin.erase(key);
      } else {
        ASSERT_TRUE(store->put(key, thing(i), now ? revision_of(*now) : 0).ok());
        twin[key] = i;
      }
      truth.push_back(line(static_cast<uint64_t>(i) + 1, key, kind));
    }
  }
  for (const Watcher& watcher : watchers) {
    std::vector<std::string> expected;
    for (const std::string& change : truth) {
      if (change.find(" " + watcher.prefix) != std::string::npos) expected.push_back(change);
    }
    EXPECT_EQ(watcher.seen, expected) << watcher.prefix;
  }
}

}  // namespace
}  // namespace holdfast::sandbox
