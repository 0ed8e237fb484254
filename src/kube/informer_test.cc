#include "kube/informer.h"

#include <gtest/gtest.h>

#include <set>

#include "base/fake_clock.h"
#include "kube/fake_api.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

json::value config_map(const std::string& name, const std::string& value = "1") {
  return json::object{{"metadata", {{"name", name}}}, {"data", {{"k", value}}}};
}

/// An informer on config maps of "default", with what its handlers were told.
class Watched {
 public:
  explicit Watched(FakeApi& api) : informer_(api, {.type = types::config_maps(), .ns = "default", .clock = &clock_}) {
    informer_.on_change([this](const std::string& name) {
      std::lock_guard lock(mutex_);
      told_.insert(name);
      changed_.notify_all();
    });
    informer_.start();
    const Status synced = informer_.wait_until_synced({}, 20s);
    EXPECT_TRUE(synced.ok());
  }
  /// Waits until a name was told (again) since the last call.
  bool wait_for(const std::string& name) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return told_.erase(name) > 0; });
  }
  /// Waits until the object's value is this; "" means gone.
  bool wait_value(const std::string& name, const std::string& value) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return value_of(name) == value; });
  }
  std::string value_of(const std::string& name) const {
    const Informer::Object object = informer_.get(name);
    return object ? json::string_at(*object, {"data", "k"}) : "";
  }
  Informer& operator*() { return informer_; }

 private:
  FakeClock clock_;  // back-off takes no time
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::string> told_;
  Informer informer_;
};

TEST(Informer, ListsThenFollows) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  Watched watched(api);
  EXPECT_TRUE(watched.wait_for("default/a"));
  EXPECT_EQ((*watched).list().size(), 1U);
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("b")).ok());
  EXPECT_TRUE(watched.wait_value("default/b", "1"));
  ASSERT_TRUE(api.update(types::config_maps(), "default", config_map("b", "2")).ok());
  EXPECT_TRUE(watched.wait_value("default/b", "2"));
  ASSERT_TRUE(api.remove(types::config_maps(), "default", "a").ok());
  EXPECT_TRUE(watched.wait_value("default/a", ""));
  EXPECT_EQ(api.count("list", "configmaps"), 1U);
}

TEST(Informer, ResumesABrokenWatchWithoutAList) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  Watched watched(api);
  ASSERT_TRUE(api.wait_for_watches(1));
  api.break_watches(Error(ErrorCode::unavailable, "connection reset"));
  ASSERT_TRUE(api.update(types::config_maps(), "default", config_map("a", "2")).ok());
  EXPECT_TRUE(watched.wait_value("default/a", "2"));
  EXPECT_EQ(api.count("list", "configmaps"), 1U);
}

TEST(Informer, ListsAnewAfterA410AndTellsWhatItMissed) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("b")).ok());
  Watched watched(api);
  ASSERT_TRUE(api.wait_for_watches(1));
  EXPECT_TRUE(watched.wait_for("default/a"));
  EXPECT_TRUE(watched.wait_for("default/b"));
  // The next watch finds that the history is gone, and with it the deletion of a.
  api.inject({.verb = "watch", .meanwhile = [&] {
                ASSERT_TRUE(api.remove(types::config_maps(), "default", "a").ok());
                ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("c")).ok());
                api.compact();
              }});
  api.break_watches(Error(ErrorCode::unavailable, "connection reset"));
  EXPECT_TRUE(watched.wait_for("default/a"));
  EXPECT_TRUE(watched.wait_for("default/c"));
  EXPECT_EQ((*watched).get("default/a"), nullptr);
  EXPECT_EQ((*watched).list().size(), 2U);
}

/// Whatever fails on the way, the copy ends up as the server's state.
TEST(Informer, EveryFaultHeals) {
  const std::vector<Error> errors{Error(ErrorCode::conflict, "409 or 410"), Error(ErrorCode::unavailable, "429"),
                                  Error(ErrorCode::unavailable, "500"),     Error(ErrorCode::timeout, "no answer"),
                                  Error(ErrorCode::denied, "403"),          Error(ErrorCode::not_found, "404")};
  for (const Error& error : errors) {
    for (const char* verb : {"list", "watch"}) {
      SCOPED_TRACE(error.message() + " at " + verb);
      FakeApi api;
      api.inject({.verb = verb, .times = 3, .error = error});
      ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
      Watched watched(api);
      ASSERT_TRUE(api.update(types::config_maps(), "default", config_map("a", "2")).ok());
      EXPECT_TRUE(watched.wait_value("default/a", "2"));
      ASSERT_TRUE(api.wait_for_watches(1));
      ASSERT_TRUE(api.remove(types::config_maps(), "default", "a").ok());
      EXPECT_TRUE(watched.wait_value("default/a", ""));
    }
  }
}

TEST(Informer, AWatchCutAfterEveryEventLosesNothing) {
  FakeApi api;
  api.inject({.verb = "watch", .times = 30, .error = Error(ErrorCode::unavailable, "cut"), .watch_events = 1});
  Watched watched(api);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("n" + std::to_string(i))).ok());
  }
  EXPECT_TRUE(watched.wait_value("default/n19", "1"));
  EXPECT_EQ((*watched).list().size(), 20U);
  EXPECT_EQ(api.count("list", "configmaps"), 1U);
}

TEST(Informer, SlowAnswersAndStop) {
  FakeClock slow(FakeClock::Mode::manual);
  FakeApi api({.clock = &slow});
  api.inject({.verb = "list", .delay = 1h});
  Informer informer(api, {.type = types::config_maps()});
  informer.start();
  slow.wait_for_sleepers(1);
  EXPECT_TRUE(informer.wait_until_synced({}, 0s).is(ErrorCode::timeout));
  EXPECT_FALSE(informer.synced());
  informer.stop();  // ends the call in flight
}

TEST(Informer, NamesSplit) {
  EXPECT_EQ(split_name("ns/name"), std::pair(std::string("ns"), std::string("name")));
  EXPECT_EQ(split_name("name"), std::pair(std::string(), std::string("name")));
}

}  // namespace
}  // namespace holdfast::kube
