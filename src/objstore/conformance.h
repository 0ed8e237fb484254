// What every store must do: one suite, run over each driver and decorator. Include it in one test file of a program:
//
//   INSTANTIATE_TEST_SUITE_P(Mem, StoreConformance, testing::Values(StoreMaker{"mem", [] { ... }}), maker_name);
//
// `make` gives a store with nothing in it; what a capability set lacks must be refused as `unsupported`.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "base/random.h"
#include "objstore/store.h"

namespace holdfast::objstore {

struct StoreMaker {
  std::string name;
  std::function<std::shared_ptr<Store>()> make;
};
inline std::string maker_name(const testing::TestParamInfo<StoreMaker>& tested) {
  return tested.param.name;
}
inline void PrintTo(const StoreMaker& maker, std::ostream* out) {
  *out << maker.name;
}

class StoreConformance : public testing::TestWithParam<StoreMaker> {
 protected:
  void SetUp() override {
    store = GetParam().make();
    ASSERT_NE(store, nullptr);
  }
  void put(const std::string& key, std::string_view bytes) {
    const Status status = store->put(key, bytes);
    ASSERT_TRUE(status.ok()) << status.error().to_string();
  }
  std::string get(const std::string& key) {
    const Result<std::string> bytes = store->get(key);
    EXPECT_TRUE(bytes.ok()) << bytes.error().to_string();
    return bytes ? *bytes : "";
  }
  std::vector<std::string> keys(const std::string& prefix = "") {
    const Result<std::vector<ObjectMeta>> all = list_all(*store, prefix);
    EXPECT_TRUE(all.ok()) << all.error().to_string();
    std::vector<std::string> out;
    if (all) {
      for (const ObjectMeta& meta : *all) out.push_back(meta.key);
    }
    return out;
  }
  /// Every page of a list, objects and prefixes, in the order in which they came.
  struct Listed {
    std::vector<std::string> objects;
    std::vector<std::string> prefixes;
    int pages = 0;
  };
  Listed list(const std::string& prefix, const std::string& delimiter, size_t limit) {
    Listed out;
    ListRequest request{.prefix = prefix, .delimiter = delimiter, .after = "", .limit = limit};
    do {
      const Result<ListPage> page = store->list(request);
      EXPECT_TRUE(page.ok()) << page.error().to_string();
      if (!page) return out;
      EXPECT_LE(page->objects.size() + page->prefixes.size(), limit);
      for (const ObjectMeta& meta : page->objects) out.objects.push_back(meta.key);
      out.prefixes.insert(out.prefixes.end(), page->prefixes.begin(), page->prefixes.end());
      request.after = page->next;
    } while (++out.pages < 1000 && !request.after.empty());
    return out;
  }
  static std::string pattern(size_t size) {
    std::string bytes(size, '\0');
    uint64_t state = size + 1;
    for (char& c : bytes) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      c = static_cast<char>(state >> 56);
    }
    return bytes;
  }

  std::shared_ptr<Store> store;
};

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_P(StoreConformance, GivesBackWhatWasPut) {
  put("a/b/c.txt", "hello");
  EXPECT_EQ(get("a/b/c.txt"), "hello");
  put("a/b/c.txt", "replaced by something longer");
  EXPECT_EQ(get("a/b/c.txt"), "replaced by something longer");
  put("empty", "");
  EXPECT_EQ(get("empty"), "");
  const std::string binary = pattern(300'000);
  put("binary", binary);
  EXPECT_TRUE(get("binary") == binary);
}

TEST_P(StoreConformance, TakesEveryLegalKey) {
  const std::vector<std::string> odd = {
      "a b",
      "a+b",
      "a%20b",
      "a&b=c;d",
      "caf\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac",
      "q?x=1",
      "h#f",
      "tick'quote\"<>",
      ".hidden/..almost",
      "star*",
      "semi;colon:at@",
      "tilde~(x)!$,",
      "back\\slash",
      "\xf0\x9f\x98\x80",
  };
  for (const std::string& key : odd) put("odd/" + key, "bytes of " + key);
  for (const std::string& key : odd) EXPECT_EQ(get("odd/" + key), "bytes of " + key);
  std::vector<std::string> expected;
  for (const std::string& key : odd) expected.push_back("odd/" + key);
  std::ranges::sort(expected);
  EXPECT_EQ(keys(), expected);
  for (const std::string& key : odd) EXPECT_TRUE(store->remove("odd/" + key).ok()) << key;
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(StoreConformance, RefusesWrongKeys) {
  for (const std::string& key : {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
                                 std::string("."), std::string("a/../b"), std::string("a\nb"), std::string("\xff"),
                                 std::string("a\0b", 3), std::string(1025, 'k')}) {
    EXPECT_TRUE(store->put(key, "x").is(ErrorCode::invalid)) << key;
    EXPECT_TRUE(store->put_if_absent(key, "x").is(ErrorCode::invalid)) << key;
    EXPECT_TRUE(store->get(key).is(ErrorCode::invalid)) << key;
    EXPECT_TRUE(store->head(key).is(ErrorCode::invalid)) << key;
    EXPECT_TRUE(store->remove(key).is(ErrorCode::invalid)) << key;
    EXPECT_TRUE(store->start_upload(key).is(ErrorCode::invalid)) << key;
  }
  EXPECT_TRUE(store->list({.prefix = "../", .delimiter = "", .after = ""}).is(ErrorCode::invalid));
  EXPECT_TRUE(store->list({.prefix = "", .delimiter = ",", .after = ""}).is(ErrorCode::invalid));
  EXPECT_TRUE(store->list({.prefix = "", .delimiter = "", .after = "", .limit = 0}).is(ErrorCode::invalid));
  EXPECT_TRUE(store->list({.prefix = "", .delimiter = "", .after = "", .limit = 1001}).is(ErrorCode::invalid));
}

TEST_P(StoreConformance, GivesRanges) {
  put("k", "0123456789");
  const auto part = [&](uint64_t offset, std::optional<uint64_t> length) {
    return store->get("k", Range{offset, length}).value();
  };
  EXPECT_EQ(part(0, 3), "012");
  EXPECT_EQ(part(4, 2), "45");
  EXPECT_EQ(part(7, std::nullopt), "789");
  EXPECT_EQ(part(8, 100), "89");
  EXPECT_EQ(part(0, std::nullopt), "0123456789");
  EXPECT_EQ(part(9, 1), "9");
  EXPECT_TRUE(store->get("k", Range{11, std::nullopt}).is(ErrorCode::invalid));
  EXPECT_TRUE(store->get("k", Range{10, 1}).is(ErrorCode::invalid));
  EXPECT_EQ(store->get("k", Range{5, 0}).value(), "");
}

TEST_P(StoreConformance, SaysWhatAnObjectIs) {
  put("dir/k", "0123456789");
  const Result<ObjectMeta> meta = store->head("dir/k");
  ASSERT_TRUE(meta.ok()) << meta.error().to_string();
  EXPECT_EQ(meta->key, "dir/k");
  EXPECT_EQ(meta->size, 10u);
  const Duration age = system_clock().now() - meta->modified;
  EXPECT_LT(age, std::chrono::minutes(10));
  EXPECT_GT(age, -std::chrono::minutes(10));
  const ListPage page = store->list({.prefix = "dir/", .delimiter = "", .after = ""}).value();
  ASSERT_EQ(page.objects.size(), 1u);
  EXPECT_EQ(page.objects[0].size, 10u);
  EXPECT_EQ(page.objects[0].etag, meta->etag);
}

TEST_P(StoreConformance, MissingObjectsAreNotFound) {
  put("a/b", "x");
  for (const char* key : {"nothing", "a", "a/c", "b/c/d"}) {
    const Result<std::string> bytes = store->get(key);
    ASSERT_TRUE(bytes.is(ErrorCode::not_found)) << key;
    EXPECT_THAT(bytes.error().message(), HasSubstr(key));
    EXPECT_TRUE(store->head(key).is(ErrorCode::not_found)) << key;
    EXPECT_TRUE(store->remove(key).ok()) << key;
  }
  EXPECT_EQ(get("a/b"), "x");
}

TEST_P(StoreConformance, RemovesObjects) {
  put("x/1", "1");
  put("x/2", "2");
  EXPECT_TRUE(store->remove("x/1").ok());
  EXPECT_TRUE(store->remove("x/1").ok());
  EXPECT_TRUE(store->get("x/1").is(ErrorCode::not_found));
  EXPECT_THAT(keys(), ElementsAre("x/2"));
  EXPECT_TRUE(store->remove("x/2").ok());
  EXPECT_THAT(list("", "/", 1000).prefixes, IsEmpty());
  put("x", "an object where a folder was");
  EXPECT_EQ(get("x"), "an object where a folder was");
}

TEST_P(StoreConformance, ListsInTheOrderOfKeys) {
  const std::vector<std::string> sorted = {"a-b/1", "a.b", "a/1", "a/10", "a/2/x", "a0", "b/1", "c"};
  for (const size_t at : {3, 0, 7, 5, 1, 6, 2, 4}) put(sorted[at], "x");
  EXPECT_EQ(keys(), sorted);
  EXPECT_THAT(keys("a"), ElementsAre("a-b/1", "a.b", "a/1", "a/10", "a/2/x", "a0"));
  EXPECT_THAT(keys("a/"), ElementsAre("a/1", "a/10", "a/2/x"));
  EXPECT_THAT(keys("a/1"), ElementsAre("a/1", "a/10"));
  EXPECT_THAT(keys("zzz"), IsEmpty());
  EXPECT_THAT(keys("zzz/y/"), IsEmpty());
}

TEST_P(StoreConformance, ListsWithDelimiter) {
  for (const char* key : {"b/1/x", "b/1/y", "b/2/x", "b/top", "c", "d/1", "a"}) put(key, "x");
  const Listed top = list("", "/", 1000);
  EXPECT_THAT(top.objects, ElementsAre("a", "c"));
  EXPECT_THAT(top.prefixes, ElementsAre("b/", "d/"));
  const Listed below_b = list("b/", "/", 1000);
  EXPECT_THAT(below_b.objects, ElementsAre("b/top"));
  EXPECT_THAT(below_b.prefixes, ElementsAre("b/1/", "b/2/"));
  EXPECT_THAT(list("b", "/", 1000).prefixes, ElementsAre("b/"));
  EXPECT_THAT(list("b/1", "/", 1000).prefixes, ElementsAre("b/1/"));
}

TEST_P(StoreConformance, PagesHoldEverythingOnce) {
  std::vector<std::string> expected;
  for (int number = 0; number < 23; ++number) {
    expected.push_back("p/" + std::string(1, static_cast<char>('a' + number)) + "/k");
    put(expected.back(), "x");
  }
  put("p/single", "x");
  for (const size_t limit : {size_t{1}, size_t{2}, size_t{5}, size_t{24}}) {
    Listed flat = list("p/", "", limit);
    std::vector<std::string> all = expected;
    all.push_back("p/single");
    std::ranges::sort(all);
    EXPECT_EQ(flat.objects, all) << limit;
    EXPECT_GE(flat.pages, static_cast<int>(24 / limit));
    const Listed folded = list("p/", "/", limit);
    EXPECT_EQ(folded.prefixes.size(), 23u) << limit;
    EXPECT_TRUE(std::ranges::is_sorted(folded.prefixes)) << limit;
    EXPECT_THAT(folded.objects, ElementsAre("p/single")) << limit;
  }
}

TEST_P(StoreConformance, PutIfAbsentNeverReplaces) {
  if (!store->can(Capability::conditional_put)) {
    EXPECT_TRUE(store->put_if_absent("epochs/1", "a").is(ErrorCode::unsupported));
    return;
  }
  const Status first = store->put_if_absent("epochs/1", "a");
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  const Status second = store->put_if_absent("epochs/1", "b");
  EXPECT_TRUE(second.is(ErrorCode::exists));
  EXPECT_EQ(get("epochs/1"), "a");
  EXPECT_TRUE(store->remove("epochs/1").ok());
  EXPECT_TRUE(store->put_if_absent("epochs/1", "c").ok());
  EXPECT_EQ(get("epochs/1"), "c");
}

TEST_P(StoreConformance, OfRacingPutsIfAbsentOneWins) {
  if (!store->can(Capability::conditional_put)) return;
  for (int round = 0; round < 8; ++round) {
    const std::string key = "race/" + std::to_string(round);
    std::atomic<int> winners = 0;
    std::atomic<int> losers = 0;
    std::string winner[4];
    {
      std::vector<std::jthread> racers;
      for (int racer = 0; racer < 4; ++racer) {
        racers.emplace_back([&, racer] {
          const std::string bytes(1000, static_cast<char>('a' + racer));
          const Status status = store->put_if_absent(key, bytes);
          if (status.ok()) winner[racer] = bytes;
          winners += status.ok() ? 1 : 0;
          losers += status.is(ErrorCode::exists) ? 1 : 0;
        });
      }
    }
    EXPECT_EQ(winners, 1) << round;
    EXPECT_EQ(losers, 3) << round;
    EXPECT_EQ(get(key), winner[0] + winner[1] + winner[2] + winner[3]);
  }
}

TEST_P(StoreConformance, AReaderSeesTheOldObjectOrTheNew) {
  const std::string old_bytes(200'000, 'o');
  const std::string new_bytes(300'000, 'n');
  put("k", old_bytes);
  std::atomic<bool> mixed = false;
  {
    const std::jthread reader([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const Result<std::string> bytes = store->get("k");
        if (!bytes || (*bytes != old_bytes && *bytes != new_bytes)) mixed = true;
      }
    });
    for (int round = 0; round < 10; ++round) put("k", round % 2 == 0 ? new_bytes : old_bytes);
  }
  EXPECT_FALSE(mixed);
}

TEST_P(StoreConformance, UploadsAppearWholeAndOnlyWhenFinished) {
  const std::string bytes = pattern(13'000'000);
  {
    std::unique_ptr<Upload> upload = store->start_upload("up/big").value();
    for (size_t at = 0; at < bytes.size(); at += 999'983) {
      const Status status = upload->write(std::string_view(bytes).substr(at, 999'983));
      ASSERT_TRUE(status.ok()) << status.error().to_string();
    }
    EXPECT_TRUE(store->head("up/big").is(ErrorCode::not_found));
    const Status finished = upload->finish();
    ASSERT_TRUE(finished.ok()) << finished.error().to_string();
  }
  EXPECT_TRUE(get("up/big") == bytes);
  std::unique_ptr<Upload> small = store->start_upload("up/small").value();
  EXPECT_TRUE(small->write("tiny").ok());
  EXPECT_TRUE(small->finish().ok());
  EXPECT_EQ(get("up/small"), "tiny");
  std::unique_ptr<Upload> empty = store->start_upload("up/empty").value();
  EXPECT_TRUE(empty->finish().ok());
  EXPECT_EQ(get("up/empty"), "");
  EXPECT_THAT(keys(), ElementsAre("up/big", "up/empty", "up/small"));
}

TEST_P(StoreConformance, DroppedUploadsLeaveNothing) {
  put("up/kept", "old");
  for (const size_t size : {size_t{10}, size_t{12'000'000}}) {
    std::unique_ptr<Upload> fresh = store->start_upload("up/fresh").value();
    EXPECT_TRUE(fresh->write(pattern(size)).ok());
    std::unique_ptr<Upload> over = store->start_upload("up/kept").value();
    EXPECT_TRUE(over->write(pattern(size)).ok());
  }
  EXPECT_THAT(keys(), ElementsAre("up/kept"));
  EXPECT_EQ(get("up/kept"), "old");
}

TEST_P(StoreConformance, PresignIsThereOrUnsupported) {
  put("k", "x");
  const Result<std::string> url = store->presign_get("k", std::chrono::minutes(10));
  if (store->can(Capability::presign)) {
    ASSERT_TRUE(url.ok()) << url.error().to_string();
    EXPECT_THAT(*url, testing::StartsWith("http"));
  } else {
    EXPECT_TRUE(url.is(ErrorCode::unsupported));
  }
}

TEST_P(StoreConformance, AStopCancels) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(store->put("k", "x", stop.get_token()).is(ErrorCode::cancelled));
  EXPECT_TRUE(store->get("k", {}, stop.get_token()).is(ErrorCode::cancelled));
  EXPECT_TRUE(store->list({.prefix = "", .delimiter = "", .after = ""}, stop.get_token()).is(ErrorCode::cancelled));
  EXPECT_THAT(keys(), IsEmpty());
}

}  // namespace holdfast::objstore
