#include "ledger/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "net/http.h"

namespace holdfast::ledger {
namespace {

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override { client_ = std::move(net::HttpClient::create({.tls = {}, .proxy = "-"})).value(); }
  void TearDown() override {
    service_.reset();
    std::filesystem::remove_all(directory_);
  }
  void start(Clock& clock = system_clock(), const std::string& sub = "/data") {
    service_.reset();
    ServiceOptions options{.directory = directory_ + sub, .address = "127.0.0.1", .port = 0, .database_min = 1 << 20};
    auto service = Service::start(options, clock, {});
    ASSERT_TRUE(service.ok()) << service.error().message();
    service_ = std::move(service).value();
  }
  std::pair<int, json::value> call(const std::string& method, const std::string& path, const std::string& body = {}) {
    net::Request request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(service_->port()) + path;
    request.body = body;
    const Result<net::Response> response = client_->send(request);
    EXPECT_TRUE(response.ok());
    return {response->status, *json::parse(response->body)};
  }
  const std::string directory_ = testing::TempDir() + "ledger-service-" + random_hex(6);
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<Service> service_;
};

TEST_F(ServiceTest, ACopyTakenWhileFrozenIsEqualAtItsNextStart) {
  start();
  EXPECT_EQ(call("POST", "/entries", R"({"key":"a","amount":3})").first, 200);
  const auto [status, frozen] = call("POST", "/freeze?max=30s");
  ASSERT_EQ(status, 200) << json::compact(frozen);
  std::filesystem::create_directories(directory_ + "/copy");
  // cp -a keeps what a backup must keep.
  ASSERT_EQ(std::system(("cp -a --sparse=always '" + directory_ + "/data/.' '" + directory_ + "/copy'").c_str()), 0);
  EXPECT_EQ(call("POST", "/thaw").first, 200);
  EXPECT_EQ(call("GET", "/restored").second.at("restored"), false);
  start(system_clock(), "/copy");
  const json::value verdict = call("GET", "/restored").second;
  EXPECT_EQ(json::bool_at(verdict, {"equal"}), true) << json::compact(verdict);
  EXPECT_EQ(json::string_at(verdict, {"manifest_sha256"}), json::string_at(frozen, {"manifest_sha256"}));
  EXPECT_EQ(json::int_at(call("GET", "/totals").second, {"sum"}), 3);
  // The next start, of a pod that took this one's place, still knows.
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/copy/MANIFEST.json"));
  start(system_clock(), "/copy");
  EXPECT_EQ(call("GET", "/restored").second, verdict);
}

TEST_F(ServiceTest, TellsHowLongTheLastFreezeTook) {
  start();
  EXPECT_EQ(call("GET", "/manifest").first, 404);
  const auto [status, frozen] = call("POST", "/freeze?max=30s");
  ASSERT_EQ(status, 200) << json::compact(frozen);
  const json::value during = call("GET", "/manifest").second;
  EXPECT_TRUE(during.at("frozen_ms").is_null());
  EXPECT_EQ(during.at("taken"), frozen.at("taken"));
  EXPECT_EQ(during.at("sha256"), frozen.at("manifest_sha256"));
  const json::value thawed = call("POST", "/thaw").second;
  EXPECT_EQ(call("GET", "/manifest").second.at("frozen_ms"), thawed.at("frozen_ms"));
}

TEST_F(ServiceTest, ADamagedCopyIsReported) {
  start();
  ASSERT_EQ(call("POST", "/freeze").first, 200);
  std::filesystem::create_directories(directory_ + "/copy");
  ASSERT_EQ(std::system(("cp -a '" + directory_ + "/data/.' '" + directory_ + "/copy'").c_str()), 0);
  std::filesystem::remove(directory_ + "/copy/start-1/fifo");
  start(system_clock(), "/copy");
  const json::value verdict = call("GET", "/restored").second;
  EXPECT_FALSE(json::bool_at(verdict, {"equal"}));
  EXPECT_THAT(json::compact(verdict), testing::HasSubstr("start-1/fifo: missing"));
}

TEST_F(ServiceTest, AFreezeEndsByItself) {
  FakeClock clock(FakeClock::Mode::manual);
  start(clock);
  ASSERT_EQ(call("POST", "/freeze?max=10s").first, 200);
  EXPECT_EQ(call("POST", "/freeze?max=10s").first, 409);
  clock.wait_for_sleepers(1);
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(call("POST", "/entries", R"({"key":"a","amount":1})").first, 200) << "posts go on once the limit is over";
  EXPECT_EQ(call("POST", "/thaw").first, 409) << "a late thaw is told that the copy is not consistent";
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/data/MANIFEST.json"));
}

TEST_F(ServiceTest, RefusesBadPosts) {
  start();
  for (const char* body : {"", "{}", R"({"key":"","amount":1})", R"({"key":"x","amount":"1"})", R"({"key":"x"})"}) {
    EXPECT_EQ(call("POST", "/entries", body).first, 400) << body;
  }
  EXPECT_EQ(call("GET", "/nothing").first, 404);
  EXPECT_EQ(call("POST", "/freeze?max=soon").first, 400);
}

}  // namespace
}  // namespace holdfast::ledger
