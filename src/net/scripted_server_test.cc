#include "net/scripted_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::net {
namespace {

using testing::HasSubstr;

TEST(ScriptedServer, TellsWhichStepDeviated) {
  ScriptedServer server({accept(), expect({.start = "GET /a HTTP/1.1"}), reply(200)});
  EXPECT_FALSE(HttpClient::create({}).value()->send({.url = server.url("/b")}).ok());
  const Status outcome = server.finish();
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(outcome.error().message(), HasSubstr("step 2 (expect GET /a HTTP/1.1)"));
  EXPECT_THAT(outcome.error().message(), HasSubstr("GET /b HTTP/1.1"));
}

TEST(ScriptedServer, LooksAtHeadersAndBody) {
  const auto outcome_of = [](ExpectedRequest expected) {
    ScriptedServer server({accept(), expect(std::move(expected)), reply(200)});
    (void)HttpClient::create({}).value()->send(
        {.method = "PUT", .url = server.url("/"), .headers = {{"A", "1"}}, .body = "bytes"});
    return server.finish().ok();
  };
  EXPECT_TRUE(outcome_of({.headers = {"a: 1"}, .absent = {"B"}, .body = "bytes"}));
  EXPECT_FALSE(outcome_of({.headers = {"a: 2"}}));
  EXPECT_FALSE(outcome_of({.headers = {}, .absent = {"A"}}));
  EXPECT_FALSE(outcome_of({.headers = {}, .absent = {}, .body = "other"}));
}

TEST(ScriptedServer, GivesUpOnAClientThatNeverComes) {
  ScriptedServer server({accept()}, {.tls = {}, .client_ca_pem = "", .patience = std::chrono::milliseconds(20)});
  EXPECT_TRUE(server.finish().is(ErrorCode::timeout));
}

TEST(ScriptedServer, EndsWithTheTestWhereverTheDialogueIs) {
  const BootTime start = system_clock().boottime();
  { const ScriptedServer server({accept()}); }
  EXPECT_LT(system_clock().boottime() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace holdfast::net
