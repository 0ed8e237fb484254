// Init against another init, call by call, and against death at every call: the repository opens afterwards, whoever
// made it, and no key that belongs to nothing stays.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "objstore/decorators.h"
#include "repo/check.h"
#include "repo/key.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

using objstore::Fault;
using objstore::FaultStore;
using objstore::MemStore;

crypto::Secret password() {
  return crypto::Secret::of(testing::kPassword);
}

Result<std::unique_ptr<Repository>> init(const std::shared_ptr<objstore::Store>& store) {
  return Repository::init(store, password(), testing::quick_init(), testing::small_packs());
}

Result<std::unique_ptr<Repository>> open(const std::shared_ptr<objstore::Store>& store) {
  return Repository::open(store, password(), testing::small_packs());
}

size_t count_keys(const MemStore& store) {
  size_t keys = 0;
  for (const auto& [key, bytes] : store.contents()) keys += key.starts_with("keys/") ? 1u : 0u;
  return keys;
}

/// A store that lets something else happen right before its n-th call.
class InterruptedStore final : public objstore::Store {
 public:
  InterruptedStore(std::shared_ptr<objstore::Store> inner, int call, std::function<void()> interruption)
      : inner_(std::move(inner)), call_(call), interruption_(std::move(interruption)) {}
  [[nodiscard]] int calls() const { return calls_; }

  std::set<objstore::Capability> capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return inner_->name(); }
  Result<std::string> get(const std::string& key, std::optional<objstore::Range> range, std::stop_token stop) override {
    count();
    return inner_->get(key, range, stop);
  }
  Result<objstore::ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    count();
    return inner_->head(key, stop);
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    count();
    return inner_->put(key, bytes, stop);
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    count();
    return inner_->put_if_absent(key, bytes, stop);
  }
  Result<objstore::ListPage> list(const objstore::ListRequest& request, std::stop_token stop) override {
    count();
    return inner_->list(request, stop);
  }
  Status remove(const std::string& key, std::stop_token stop) override {
    count();
    return inner_->remove(key, stop);
  }
  Result<std::unique_ptr<objstore::Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    return inner_->start_upload(key, stop);
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    return inner_->presign_get(key, valid);
  }

 private:
  void count() {
    if (++calls_ == call_) interruption_();
  }
  const std::shared_ptr<objstore::Store> inner_;
  const int call_;
  const std::function<void()> interruption_;
  int calls_ = 0;
};

/// Whatever two inits did to it: an open works, a backup as well, and every key that is left then is the repository's.
void expect_sound(const std::shared_ptr<MemStore>& store, const std::string& how) {
  SCOPED_TRACE(how);
  Result<std::unique_ptr<Repository>> repository = open(store);
  if (repository.is(ErrorCode::not_found)) repository = init(store);
  ASSERT_TRUE(repository) << repository.error().to_string();
  const Result<Id> saved = testing::back_up(**repository, {"first"});
  ASSERT_TRUE(saved) << saved.error().to_string();
  // Whichever is tried first: the order is chance, and a hint may name the wrong one.
  for (const auto& [key, bytes] : store->contents()) {
    if (!key.starts_with("keys/")) continue;
    RepositoryOptions options = testing::small_packs();
    options.key_hint = key.substr(5);
    const auto again = Repository::open(store, password(), options);
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_TRUE(testing::back_up(**again, {"second"}));
  }
  EXPECT_TRUE(check(**open(store), {}).value().clean());
  EXPECT_EQ(count_keys(*store), 1u);
}

// A whole other init happens right before call n of ours, for every n.
TEST(RepositoryInit, TwoAtOnceLeaveOneRepositoryThatOpens) {
  for (int n = 1;; ++n) {
    const auto store = std::make_shared<MemStore>();
    bool other_made = false;
    const auto interrupted = std::make_shared<InterruptedStore>(store, n, [&] { other_made = init(store).ok(); });
    const auto made = init(interrupted);
    EXPECT_TRUE(made.ok() || made.is(ErrorCode::exists)) << n << ": " << made.error().to_string();
    const bool reached = interrupted->calls() >= n;
    if (!reached) break;
    EXPECT_NE(made.ok(), other_made) << n;
    expect_sound(store, "call " + std::to_string(n));
  }
}

// The same, and ours dies at call m.
TEST(RepositoryInit, TwoAtOnceOfWhichOneDiesLeaveARepositoryThatOpens) {
  for (const Fault::Kind kind : {Fault::Kind::crash, Fault::Kind::crash_after}) {
    for (int n = 1; n <= 8; ++n) {
      for (int m = n; m <= 8; ++m) {
        const auto store = std::make_shared<MemStore>();
        const auto faults = std::make_shared<FaultStore>(store);
        faults->crash_at(m, kind);
        const auto interrupted = std::make_shared<InterruptedStore>(faults, n, [&] { static_cast<void>(init(store)); });
        static_cast<void>(init(interrupted));
        expect_sound(store, fmt::format("{}, other at call {}, death at {}", kind == Fault::Kind::crash, n, m));
      }
    }
  }
}

// The order in which keys are tried is that of their hashes: chance. Many keys that are not the repository's leave it
// none.
TEST(RepositoryInit, KeysThatOpenButAreNotTheRepositorysAreTriedPastAndRemovedByTheNextWriter) {
  const auto store = std::make_shared<MemStore>();
  ASSERT_TRUE(init(store));
  const auto repository = open(store).value();
  for (int i = 0; i < 6; ++i) {
    const KeyFile stray = make_key_file(crypto::EnvelopeKey::generate(), password(), {.n = 16, .r = 1, .p = 1},
                                        {"tester", "test"}, system_clock().now())
                              .value();
    const std::string text = encode_key_file(stray);
    ASSERT_TRUE(store->put(key_of(FileKind::key, Id::of(text)), text));
  }
  const KeyFile second = make_key_file(repository->files().key(), password(), {.n = 16, .r = 1, .p = 1},
                                       {"second", "test"}, system_clock().now())
                             .value();
  const std::string second_text = encode_key_file(second);
  ASSERT_TRUE(store->put(key_of(FileKind::key, Id::of(second_text)), second_text));
  ASSERT_TRUE(open(store)) << "reading needs no more than to try on";
  EXPECT_EQ(count_keys(*store), 8u) << "a reader removes nothing";
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(testing::back_up(*open(store).value(), {"content"}));
  EXPECT_TRUE(store->contents().contains(key_of(FileKind::key, Id::of(second_text)))) << "another key, not a stray one";
  const auto last = open(store).value();
  EXPECT_TRUE(last->load_index());
}

// Without conditional puts a config may still be put over: no key is proved stray then.
TEST(RepositoryInit, NoKeyIsTakenForStrayWhereTheConfigCanBePutOver) {
  const auto memory = std::make_shared<MemStore>();
  const auto store = objstore::without(memory, {objstore::Capability::conditional_put});
  ASSERT_TRUE(init(store));
  for (int i = 0; i < 4; ++i) {
    const KeyFile other = make_key_file(crypto::EnvelopeKey::generate(), password(), {.n = 16, .r = 1, .p = 1},
                                        {"tester", "test"}, system_clock().now())
                              .value();
    const std::string text = encode_key_file(other);
    ASSERT_TRUE(store->put(key_of(FileKind::key, Id::of(text)), text));
    ASSERT_TRUE(testing::back_up(*open(store).value(), {"content"}));
  }
  EXPECT_EQ(count_keys(*memory), 5u);
}

TEST(RepositoryInit, AConfigThatNoKeyOpensIsDamageAndSaysSo) {
  const auto store = std::make_shared<MemStore>();
  ASSERT_TRUE(init(store));
  std::string config = store->get("config").value();
  config[config.size() / 2] = static_cast<char>(config[config.size() / 2] ^ 1);
  ASSERT_TRUE(store->put("config", config));
  const auto opened = open(store);
  ASSERT_TRUE(opened.is(ErrorCode::corrupt));
  EXPECT_NE(opened.error().message().find("config"), std::string::npos) << opened.error().message();
}

}  // namespace
}  // namespace holdfast::repo
