#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http.h"
#include "net/scripted_server.h"
#include "net/test_identity.h"

namespace holdfast::net {
namespace {

using testing::HasSubstr;

struct Certificates : testing::Test {
  const TestIdentity authority = make_test_authority("test authority");
  const TestIdentity server_identity =
      issue_test_identity(authority, {"server", {}, {"store.test", "localhost"}, {"127.0.0.1"}});
  const TestIdentity client_identity = issue_test_identity(authority, {"system:me", {"system:masters"}, {}, {}});

  Result<Response> get(const TlsOptions& tls, const std::string& url) {
    const Result<std::unique_ptr<HttpClient>> client = HttpClient::create({.tls = tls, .proxy = "-"});
    if (!client) return client.error();
    return (*client)->send({.url = url});
  }
  ScriptedServer server{{accept(), expect({}), reply(200, {}, "hello")}, {.tls = server_identity, .client_ca_pem = ""}};
};

TEST_F(Certificates, OfAKnownAuthorityAreTrusted) {
  const Result<Response> response = get({.ca_pem = authority.certificate_pem}, server.url("/"));
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->body, "hello");
}

TEST_F(Certificates, OfAnotherAuthorityAreDenied) {
  const Result<Response> response = get({.ca_pem = make_test_authority("other").certificate_pem}, server.url("/"));
  ASSERT_TRUE(response.is(ErrorCode::denied)) << response.error().to_string();
  EXPECT_THAT(response.error().hint(), HasSubstr("CA"));
}

TEST_F(Certificates, AreDeniedByTheSystemsAuthorities) {
  EXPECT_TRUE(get({}, server.url("/")).is(ErrorCode::denied));
}

TEST_F(Certificates, AreNotLookedAtWithoutVerification) {
  EXPECT_TRUE(get({.verify = TlsOptions::Verify::none}, server.url("/")).ok());
}

TEST_F(Certificates, AreCheckedAgainstTheServerNameGiven) {
  EXPECT_TRUE(get({.ca_pem = authority.certificate_pem, .server_name = "store.test"}, server.url("/")).ok());
  EXPECT_EQ(server.requests().at(0).headers.get("Host"), "127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(Certificates, OfAnotherNameAreDenied) {
  const Result<Response> response =
      get({.ca_pem = authority.certificate_pem, .server_name = "other.test"}, server.url("/"));
  EXPECT_TRUE(response.is(ErrorCode::denied)) << response.error().to_string();
}

TEST_F(Certificates, OfTheClientAreShown) {
  ScriptedServer demanding({accept(), expect({}), reply(200)},
                           {.tls = server_identity, .client_ca_pem = authority.certificate_pem});
  const Result<Response> response = get({.ca_pem = authority.certificate_pem,
                                         .certificate_pem = client_identity.certificate_pem,
                                         .key_pem = client_identity.key_pem},
                                        demanding.url("/"));
  EXPECT_TRUE(response.ok()) << response.error().to_string();
}

TEST_F(Certificates, OfTheClientThatAreDemandedAndMissingAreDenied) {
  ScriptedServer demanding({accept()}, {.tls = server_identity, .client_ca_pem = authority.certificate_pem});
  const Result<Response> response = get({.ca_pem = authority.certificate_pem}, demanding.url("/"));
  EXPECT_TRUE(response.is(ErrorCode::denied)) << response.error().to_string();
}

TEST_F(Certificates, ThatAreNoneAreRefusedBeforeAnyCall) {
  EXPECT_TRUE(HttpClient::create({.tls = {.ca_pem = "hello"}}).is(ErrorCode::invalid));
  EXPECT_TRUE(HttpClient::create({.tls = {.certificate_pem = client_identity.certificate_pem}}).is(ErrorCode::invalid));
  EXPECT_TRUE(HttpClient::create({.tls = {.certificate_pem = client_identity.certificate_pem, .key_pem = "x"}})
                  .is(ErrorCode::invalid));
  EXPECT_TRUE(HttpClient::create(
                  {.tls = {.certificate_pem = client_identity.certificate_pem, .key_pem = server_identity.key_pem}})
                  .is(ErrorCode::invalid));
}

TEST_F(Certificates, AreNotExpectedOfAPlainServer) {
  ScriptedServer plain({accept(), send_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), hang_up()});
  const Result<Response> response = get({}, "https://127.0.0.1:" + std::to_string(plain.port()) + "/");
  EXPECT_TRUE(response.is(ErrorCode::unavailable)) << response.error().to_string();
}

}  // namespace
}  // namespace holdfast::net
