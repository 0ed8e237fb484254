#include "objstore/decorators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/fake_clock.h"
#include "objstore/fault.h"
#include "objstore/mem.h"

namespace holdfast::objstore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

struct Decorators : testing::Test {
  const std::shared_ptr<MemStore> mem = std::make_shared<MemStore>();
  const std::shared_ptr<FaultStore> faulty = std::make_shared<FaultStore>(mem);
  FakeClock clock;
};

TEST_F(Decorators, RetryRepeatsWhatMayBeRepeated) {
  const auto store = with_retry(faulty, {}, clock);
  ASSERT_TRUE(mem->put("k", "x").ok());
  for (int call = 1; call <= 2; ++call) faulty->add({.call = call, .code = ErrorCode::timeout});
  EXPECT_EQ(store->get("k").value(), "x");
  EXPECT_EQ(faulty->calls(), 3);
  faulty->reset();
  faulty->add({.call = 1, .kind = Fault::Kind::lost_answer});
  EXPECT_TRUE(store->put("p", "y").ok());
  EXPECT_THAT(faulty->log(), ElementsAre("put p", "put p"));
}

TEST_F(Decorators, RetryGivesUpAtItsDeadlineAndOnFinalErrors) {
  const auto store = with_retry(faulty, {.deadline = seconds(10)}, clock);
  faulty->add({.operation = Operation::get, .code = ErrorCode::unavailable});
  const Result<std::string> bytes = store->get("k");
  EXPECT_TRUE(bytes.is(ErrorCode::unavailable));
  EXPECT_THAT(bytes.error().message(), HasSubstr("attempts"));
  EXPECT_GT(faulty->calls(), 3);
  faulty->reset();
  EXPECT_TRUE(store->get("k").is(ErrorCode::not_found));
  EXPECT_EQ(faulty->calls(), 1);
}

TEST_F(Decorators, RetryNeverRepeatsPutIfAbsent) {
  const auto store = with_retry(faulty, {}, clock);
  faulty->add({.call = 1, .kind = Fault::Kind::lost_answer});
  EXPECT_TRUE(store->put_if_absent("epochs/1", "mine").is(ErrorCode::unavailable));
  EXPECT_EQ(faulty->calls(), 1);
  EXPECT_EQ(mem->get("epochs/1").value(), "mine");
}

TEST_F(Decorators, LimitSpreadsBytesOverTime) {
  const auto store = with_limits(mem, {.bytes_per_second = 1000}, clock);
  const BootTime start = clock.boottime();
  for (int round = 0; round < 5; ++round) ASSERT_TRUE(store->put("k", std::string(2000, 'x')).ok());
  // The first goes at once, each later one waits for those before it.
  EXPECT_EQ(clock.boottime() - start, seconds(8));
  for (int round = 0; round < 2; ++round) ASSERT_TRUE(store->get("k").ok());
  EXPECT_EQ(clock.boottime() - start, seconds(10));
}

TEST_F(Decorators, LimitLetsOnlySoManyIn) {
  const auto store = with_limits(faulty, {.operations = 2});
  faulty->add({.operation = Operation::put, .kind = Fault::Kind::stall});
  std::vector<std::jthread> writers;
  std::atomic<int> done = 0;
  for (int writer = 0; writer < 5; ++writer) {
    writers.emplace_back([&, writer] {
      EXPECT_TRUE(store->put("k" + std::to_string(writer), "x").ok());
      ++done;
    });
  }
  faulty->wait_for_stalled(2);
  EXPECT_EQ(faulty->calls(), 2);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(store->get("k", {}, stop.get_token()).is(ErrorCode::cancelled));
  faulty->reset();
  writers.clear();
  EXPECT_EQ(done, 5);
}

TEST_F(Decorators, BelowKeepsToItsPrefix) {
  const auto store = below(mem, "velero/prod/").value();
  EXPECT_EQ(store->name(), "mem://test/velero/prod");
  ASSERT_TRUE(store->put("backups/b1", "x").ok());
  EXPECT_EQ(mem->get("velero/prod/backups/b1").value(), "x");
  EXPECT_TRUE(store->put("../x", "x").is(ErrorCode::invalid));
  EXPECT_EQ(store->head("backups/b1").value().key, "backups/b1");
  EXPECT_EQ(below(mem, "").value(), mem);
  EXPECT_TRUE(below(mem, "a/../b").is(ErrorCode::invalid));
}

TEST_F(Decorators, FaultsComeAsTheScriptSays) {
  faulty->add(
      {.call = 2, .operation = Operation::put, .key = "meta", .kind = Fault::Kind::refuse, .code = ErrorCode::denied});
  EXPECT_TRUE(faulty->put("meta/1", "x").ok());
  EXPECT_TRUE(faulty->put("data/1", "x").ok());
  EXPECT_TRUE(faulty->put("meta/2", "x").is(ErrorCode::denied));
  EXPECT_FALSE(mem->contents().contains("meta/2"));
  EXPECT_TRUE(faulty->put("meta/3", "x").ok());
  faulty->add({.operation = Operation::get, .kind = Fault::Kind::truncate});
  ASSERT_TRUE(mem->put("long", "0123456789").ok());
  EXPECT_EQ(faulty->get("long").value(), "01234");
}

TEST_F(Decorators, ACrashEndsEverything) {
  faulty->crash_at(2, Fault::Kind::crash_after);
  EXPECT_TRUE(faulty->put("1", "x").ok());
  EXPECT_TRUE(faulty->put("2", "x").is(ErrorCode::unavailable));
  EXPECT_TRUE(faulty->put("3", "x").is(ErrorCode::unavailable));
  EXPECT_FALSE(faulty->get("1").ok());
  EXPECT_TRUE(faulty->crashed());
  EXPECT_EQ(mem->contents().size(), 2u);
  faulty->reset();
  faulty->crash_at(1);
  EXPECT_FALSE(faulty->put("4", "x").ok());
  EXPECT_EQ(mem->contents().size(), 2u);
  faulty->reset();
  EXPECT_TRUE(faulty->put("4", "x").ok());
}

TEST_F(Decorators, ACrashInAnUploadLeavesNoObject) {
  for (const int at : {1, 2, 3}) {
    faulty->reset();
    faulty->crash_at(at);
    Result<std::unique_ptr<Upload>> upload = faulty->start_upload("k");
    const bool finished = upload.ok() && (*upload)->write("x").ok() && (*upload)->finish().ok();
    EXPECT_FALSE(finished) << at;
    EXPECT_FALSE(mem->contents().contains("k")) << at;
  }
  faulty->reset();
  EXPECT_TRUE(faulty->start_upload("k").value()->finish().ok());
}

TEST_F(Decorators, AStalledCallEndsWithItsStopToken) {
  faulty->add({.operation = Operation::put, .kind = Fault::Kind::stall});
  std::stop_source stop;
  std::jthread writer([&] { EXPECT_TRUE(faulty->put("k", "x", stop.get_token()).is(ErrorCode::cancelled)); });
  faulty->wait_for_stalled(1);
  stop.request_stop();
  writer.join();
  EXPECT_FALSE(mem->contents().contains("k"));
}

}  // namespace
}  // namespace holdfast::objstore
