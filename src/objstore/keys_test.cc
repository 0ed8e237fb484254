#include "objstore/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "objstore/fault.h"
#include "objstore/mem.h"

namespace holdfast::objstore {
namespace {

using testing::ElementsAre;

TEST(CheckKey, KnowsUtf8ToTheByte) {
  for (const char* good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(check_key(good).ok()) << good;
  }
  for (const char* bad : {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xe2\x82"}) {
    EXPECT_TRUE(check_key(bad).is(ErrorCode::invalid)) << bad;
  }
}

TEST(WindowOf, CutsToTheObject) {
  EXPECT_EQ(window_of(std::nullopt, 7).value().length, 7u);
  EXPECT_EQ(window_of(Range{2, 100}, 7).value().length, 5u);
  EXPECT_EQ(window_of(Range{0, std::nullopt}, 0).value().length, 0u);
  EXPECT_TRUE(window_of(Range{7, 1}, 7).is(ErrorCode::invalid));
  EXPECT_TRUE(window_of(Range{UINT64_MAX, UINT64_MAX}, 7).is(ErrorCode::invalid));
  EXPECT_EQ(window_of(Range{6, UINT64_MAX}, 7).value().length, 1u);
}

/// What a list must give, worked out without paging.
std::pair<std::vector<std::string>, std::vector<std::string>> naive_list(const std::vector<std::string>& keys,
                                                                         const std::string& prefix, bool folded) {
  std::vector<std::string> objects;
  std::set<std::string> prefixes;
  for (const std::string& key : keys) {
    if (!key.starts_with(prefix)) continue;
    const size_t mark = folded ? key.find('/', prefix.size()) : std::string::npos;
    if (mark == std::string::npos) objects.push_back(key);
    if (mark != std::string::npos) prefixes.insert(key.substr(0, mark + 1));
  }
  std::ranges::sort(objects);
  return {objects, {prefixes.begin(), prefixes.end()}};
}

TEST(PageBuilder, GivesWhatANaiveListGivesAtEveryLimit) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    MemStore store;
    std::vector<std::string> keys;
    for (int count = 0; count < 15; ++count) {
      std::string key;
      for (size_t parts = 1 + random() % 3; parts > 0; --parts) {
        key += (key.empty() ? "" : "/") + std::string(1 + random() % 2, "ab-"[random() % 3]);
      }
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
      ASSERT_TRUE(store.put(key, "x").ok());
    }
    const std::string prefix = std::vector<std::string>{"", "a", "a/", "b/a", "-"}[random() % 5];
    const bool folded = random() % 2 == 0;
    ListRequest request{.prefix = prefix, .delimiter = folded ? "/" : "", .limit = 1 + random() % 4};
    std::pair<std::vector<std::string>, std::vector<std::string>> seen;
    do {
      const ListPage page = store.list(request).value();
      for (const ObjectMeta& meta : page.objects) seen.first.push_back(meta.key);
      seen.second.insert(seen.second.end(), page.prefixes.begin(), page.prefixes.end());
      request.after = page.next;
    } while (!request.after.empty());
    EXPECT_EQ(seen, naive_list(keys, prefix, folded)) << "round " << round << " prefix " << prefix;
  }
}

/// Answers the same page for ever.
class LyingStore final : public Store {
 public:
  std::set<Capability> capabilities() const override { return {}; }
  std::string name() const override { return "liar"; }
  Result<std::string> get(const std::string&, std::optional<Range>, std::stop_token) override { return refusal(); }
  Result<ObjectMeta> head(const std::string&, std::stop_token) override { return refusal(); }
  Status put(const std::string&, std::string_view, std::stop_token) override { return refusal(); }
  Status put_if_absent(const std::string&, std::string_view, std::stop_token) override { return refusal(); }
  Result<ListPage> list(const ListRequest&, std::stop_token) override { return ListPage{.next = "same"}; }
  Status remove(const std::string&, std::stop_token) override { return refusal(); }
  Result<std::unique_ptr<Upload>> start_upload(const std::string&, std::stop_token) override { return refusal(); }
  Result<std::string> presign_get(const std::string&, Duration) override { return refusal(); }

 private:
  static Error refusal() { return Error(ErrorCode::unsupported, "only lists"); }
};

TEST(ListAll, EndsWhenAStoreTurnsInCircles) {
  LyingStore store;
  EXPECT_TRUE(list_all(store, "").is(ErrorCode::corrupt));
}

}  // namespace
}  // namespace holdfast::objstore
