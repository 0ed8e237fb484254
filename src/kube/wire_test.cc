#include "kube/wire.h"

#include <gtest/gtest.h>

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

TEST(Wire, PathsAndQueries) {
  EXPECT_EQ(resource_path(types::pods(), "a"), "/api/v1/namespaces/a/pods");
  EXPECT_EQ(resource_path(types::pods(), "", ""), "/api/v1/pods");
  EXPECT_EQ(resource_path(types::namespaces(), "", "x"), "/api/v1/namespaces/x");
  EXPECT_EQ(resource_path(types::velero("backups"), "v", "b", "status"),
            "/apis/velero.io/v1/namespaces/v/backups/b/status");
  EXPECT_EQ(resource_path(types::leases(), "n", "a/../b"),
            "/apis/coordination.k8s.io/v1/namespaces/n/leases/a%2F..%2Fb");
  EXPECT_EQ(query_text({{"a", "x y"}, {"b", ""}, {"c", "d=e,f"}}), "?a=x%20y&c=d%3De%2Cf");
  EXPECT_EQ(query_text({{"a", ""}}), "");
}

TEST(Wire, AnswersBecomeErrorsByWhatTheCallerCanDo) {
  const auto code = [](int status, const char* reason) {
    return answer_error(status, std::string(R"({"kind":"Status","reason":")") + reason + R"(","message":"m"})").code();
  };
  EXPECT_EQ(code(404, "NotFound"), ErrorCode::not_found);
  EXPECT_EQ(code(409, "AlreadyExists"), ErrorCode::exists);
  EXPECT_EQ(code(409, "Conflict"), ErrorCode::conflict);
  EXPECT_EQ(code(410, "Expired"), ErrorCode::conflict);
  EXPECT_EQ(code(401, "Unauthorized"), ErrorCode::denied);
  EXPECT_EQ(code(403, "Forbidden"), ErrorCode::denied);
  EXPECT_EQ(code(400, "BadRequest"), ErrorCode::invalid);
  EXPECT_EQ(code(422, "Invalid"), ErrorCode::invalid);
  EXPECT_EQ(code(405, "MethodNotAllowed"), ErrorCode::unsupported);
  EXPECT_EQ(code(415, "UnsupportedMediaType"), ErrorCode::unsupported);
  EXPECT_EQ(code(429, "TooManyRequests"), ErrorCode::unavailable);
  EXPECT_EQ(code(500, "InternalError"), ErrorCode::unavailable);
  EXPECT_EQ(code(504, "Timeout"), ErrorCode::timeout);
  EXPECT_EQ(answer_error(404, R"({"kind":"Status","message":"pods \"x\" not found"})").message(),
            "pods \"x\" not found");
  EXPECT_EQ(answer_error(502, "<html>\nbad gateway").message(), "the server answered 502: <html> bad gateway");
  EXPECT_EQ(answer_error(503, "").message(), "the server answered 503");
}

TEST(Wire, RetryAfterInSeconds) {
  EXPECT_EQ(retry_after({{"retry-after", " 7 "}}), Duration(7s));
  EXPECT_FALSE(retry_after({}).has_value());
  EXPECT_FALSE(retry_after({{"Retry-After", "-1"}}).has_value());
  EXPECT_FALSE(retry_after({{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}}).has_value());
}

TEST(Wire, WatchLines) {
  const WatchEvent event = *parse_watch_line(R"({"type":"MODIFIED","object":{"metadata":{"name":"a"}}})");
  EXPECT_EQ(event.kind, WatchEvent::Kind::modified);
  EXPECT_EQ(json::string_at(event.object, {"metadata", "name"}), "a");
  const auto gone = parse_watch_line(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}})");
  ASSERT_TRUE(gone.is(ErrorCode::conflict));
  EXPECT_EQ(gone.error().message(), "Expired: too old resource version");
  for (const char* bad :
       {"", "x", "[]", R"({"type":"ADDED"})", R"({"type":"NEW","object":{}})", R"({"type":"ADDED","object":1})"}) {
    EXPECT_TRUE(parse_watch_line(bad).is(ErrorCode::corrupt)) << bad;
  }
}

TEST(Wire, DiscoveryInBothForms) {
  std::vector<std::string> stale;
  std::vector<ResourceType> types = parse_group_discovery(*json::parse(R"({"kind":"APIGroupDiscoveryList","items":[
    {"metadata":{"name":"apps"},"versions":[
      {"version":"v1","freshness":"Current","resources":[{"resource":"deployments","responseKind":{"kind":"Deployment"},
        "scope":"Namespaced","singularResource":"deployment","shortNames":["deploy"],"verbs":["get","list"]}]},
      {"version":"v1beta1","resources":[{"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced"},
        {"resource":"olds","responseKind":{"kind":"Old"},"scope":"Cluster"}]}]},
    {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale"}]}]})"),
                                                          stale);
  mark_preferred(types);
  ASSERT_EQ(types.size(), 3U);
  EXPECT_EQ(types[0].group_resource(), "deployments.apps");
  EXPECT_EQ(types[0].api_version(), "apps/v1");
  EXPECT_TRUE(types[0].preferred && types[0].namespaced && types[0].can("list") && !types[0].can("watch"));
  EXPECT_FALSE(types[1].preferred);
  EXPECT_TRUE(types[2].preferred) << "the only version of its kind";
  EXPECT_FALSE(types[2].namespaced);
  EXPECT_EQ(stale, std::vector<std::string>{"metrics.k8s.io/v1beta1"});
  types = parse_resource_list(*json::parse(R"({"resources":[{"name":"pods","kind":"Pod","namespaced":true,
    "singularName":"pod","verbs":["get"]},{"name":"pods/log","kind":"Pod","namespaced":true}]})"),
                              "", "v1");
  ASSERT_EQ(types.size(), 1U);
  EXPECT_EQ(types[0].plural, "pods");
}

Result<ExecResult> channels(const std::vector<std::string>& messages) {
  ExecChannels channels;
  for (const std::string& message : messages) TRY(channels.take(message));
  return channels.result();
}

TEST(Wire, ExecChannels) {
  const std::string success =
      "\x03"
      R"({"status":"Success"})";
  const ExecResult good = *channels({"\x01", "\x02", "\x03", "\x01hel", "\x02oops", "\x01lo", success});
  EXPECT_EQ(good.out, "hello");
  EXPECT_EQ(good.err, "oops");
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(channels({"\x03"
                      R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[
      {"reason":"ExitCode","message":"3"}]}})"})
                ->exit_code,
            3);
  const auto failed =
      channels({"\x03"
                R"({"status":"Failure","reason":"InternalError","message":"no such file","code":500})"});
  ASSERT_TRUE(failed.is(ErrorCode::unavailable));
  EXPECT_EQ(failed.error().message(), "no such file");
  EXPECT_TRUE(channels({"\x01hello"}).is(ErrorCode::unavailable)) << "no word about the end";
  EXPECT_TRUE(channels({"\x09x"}).is(ErrorCode::corrupt));
  EXPECT_TRUE(channels({"\x03not json"}).is(ErrorCode::corrupt));
  const std::string chunk = "\x01" + std::string(700'000, 'x');
  EXPECT_EQ(channels({chunk, chunk, success})->out.size(), size_t{1} << 20);
}

}  // namespace
}  // namespace holdfast::kube
