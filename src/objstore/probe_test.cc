#include "objstore/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>

#include "base/fake_clock.h"
#include "objstore/decorators.h"
#include "objstore/fault.h"
#include "objstore/mem.h"
#include "objstore/odd_store.h"

namespace holdfast::objstore {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Probe, AnAtomicStoreKeepsItsCapability) {
  MemStore store;
  ASSERT_TRUE(store.put("backups/b1", "x").ok());
  const Result<ProbeReport> report = probe(store);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_TRUE(report->capabilities.contains(Capability::conditional_put));
  EXPECT_EQ(report->without_conditional_put, "");
  EXPECT_EQ(store.contents().size(), 1u);
}

TEST(Probe, AStoreThatIgnoresTheConditionLosesIt) {
  const auto inner_store = std::make_shared<MemStore>();
  OddStore store(inner_store,
                 [](Store& inner, const std::string& key, std::string_view bytes) { return inner.put(key, bytes); });
  const ProbeReport report = probe(store).value();
  EXPECT_FALSE(report.capabilities.contains(Capability::conditional_put));
  EXPECT_TRUE(report.capabilities.contains(Capability::multipart));
  EXPECT_THAT(report.without_conditional_put, HasSubstr("ignores the condition"));
  EXPECT_THAT(inner_store->contents(), IsEmpty());
}

TEST(Probe, AStoreThatLooksFirstAndWritesThenLosesIt) {
  std::barrier both(2);
  const auto inner_store = std::make_shared<MemStore>();
  OddStore store(inner_store, [&](Store& inner, const std::string& key, std::string_view bytes) -> Status {
    const bool there = inner.head(key).ok();
    both.arrive_and_wait();
    if (there) return Error(ErrorCode::exists, "there");
    return inner.put(key, bytes);
  });
  EXPECT_THAT(probe(store).value().without_conditional_put, HasSubstr("both succeeded"));
}

TEST(Probe, AStoreThatOnlyNoticesTheRaceLosesIt) {
  // Refuses the second of two at once, but takes a later one.
  std::atomic<int> calls = 0;
  const auto inner_store = std::make_shared<MemStore>();
  OddStore store(inner_store, [&](Store& inner, const std::string& key, std::string_view bytes) -> Status {
    if (calls++ % 3 == 2) return inner.put(key, bytes);
    return inner.put_if_absent(key, bytes);
  });
  EXPECT_THAT(probe(store).value().without_conditional_put, HasSubstr("put over an object"));
}

TEST(Probe, AStoreThatKeepsTheLosersBytesLosesIt) {
  const auto inner_store = std::make_shared<MemStore>();
  OddStore store(inner_store, [](Store& inner, const std::string& key, std::string_view bytes) -> Status {
    const Status status = inner.put_if_absent(key, bytes);
    if (!status.ok()) (void)inner.put(key, bytes);
    return status;
  });
  const std::string reason = probe(store).value().without_conditional_put;
  EXPECT_NE(reason, "");
}

TEST(Probe, ARefusalIsNoError) {
  const auto faulty = std::make_shared<FaultStore>(std::make_shared<MemStore>());
  faulty->add({.operation = Operation::put_if_absent, .code = ErrorCode::unsupported});
  EXPECT_THAT(probe(*faulty).value().without_conditional_put, HasSubstr("refuses conditional puts"));
  const auto lesser = without(std::make_shared<MemStore>(), {Capability::conditional_put});
  EXPECT_THAT(probe(*lesser).value().without_conditional_put, HasSubstr("does not offer"));
}

TEST(Probe, WhatProvesNothingIsAnErrorAndLeavesNothing) {
  const auto mem = std::make_shared<MemStore>();
  FaultStore faulty(mem);
  for (const ErrorCode code : {ErrorCode::denied, ErrorCode::unavailable, ErrorCode::timeout}) {
    for (const auto kind : {Fault::Kind::refuse, Fault::Kind::lost_answer}) {
      faulty.reset();
      faulty.add({.call = 2, .operation = Operation::put_if_absent, .kind = kind, .code = code});
      EXPECT_TRUE(probe(faulty).is(code));
      EXPECT_THAT(mem->contents(), IsEmpty());
    }
  }
}

TEST(Probe, SweepsUpBehindDeadProbes) {
  FakeClock clock;
  MemStore store("test", clock);
  ASSERT_TRUE(store.put("plugins/holdfast/probe/dead", "x").ok());
  clock.advance(std::chrono::hours(2));
  ASSERT_TRUE(store.put("plugins/holdfast/probe/living", "x").ok());
  ASSERT_TRUE(probe(store, clock).ok());
  EXPECT_EQ(store.contents().size(), 1u);
  EXPECT_TRUE(store.contents().contains("plugins/holdfast/probe/living"));
}

}  // namespace
}  // namespace holdfast::objstore
