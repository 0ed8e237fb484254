#include "kube/client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/random.h"
#include "kube/informer.h"
#include "net/http_server.h"
#include "net/scripted_server.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using net::abort;
using net::accept;
using net::expect;
using net::hang_up;
using net::reply;
using net::ScriptedServer;
using net::send_bytes;
using testing::HasSubstr;

std::unique_ptr<Client> client_of(const std::string& server, Clock& clock = system_clock(), ClusterAccess access = {}) {
  access.server = server;
  access.proxy = "-";
  Result<std::unique_ptr<Client>> client = Client::create({.access = access, .clock = &clock});
  EXPECT_TRUE(client.ok());
  return std::move(*client);
}

json::value parsed(std::string_view text) {
  return *json::parse(text);
}

constexpr const char* kStream = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";

std::string status_body(int code, const char* reason) {
  return fmt::format(R"({{"kind":"Status","status":"Failure","code":{},"reason":"{}","message":"the server says so"}})",
                     code, reason);
}

TEST(Client, ListsPagesAndFillsWhatTypedListsLeaveOut) {
  ScriptedServer server(
      {accept(), expect({.start = std::string("GET ") + kMaps + "?labelSelector=a%3Db&limit=1 HTTP/1.1"}),
       reply(200, {}, R"({"kind":"ConfigMapList","metadata":{"resourceVersion":"7","continue":"x/y"},
                           "items":[{"metadata":{"name":"one"}}]})"),
       expect({.start = std::string("GET ") + kMaps + "?labelSelector=a%3Db&limit=1&continue=x%2Fy HTTP/1.1"}),
       reply(200, {}, R"({"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"two"}}]})")});
  const auto client = client_of(server.url());
  const auto page = list_all(*client, types::config_maps(), "default", {.label_selector = "a=b", .limit = 1});
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->resource_version, "7");
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(json::compact(page->items[1]), R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"two"}})");
}

TEST(Client, ReadsWaitAsTheServerAsksAndGoOnAfterABrokenLine) {
  FakeClock clock;
  ScriptedServer server({accept(), expect({}), reply(429, {{"Retry-After", "3"}}), expect({}), reply(503), expect({}),
                         abort(), accept(), expect({}), reply(200, {}, "{}")});
  const auto client = client_of(server.url(), clock);
  const BootTime start = clock.boottime();
  EXPECT_TRUE(client->get(types::config_maps(), "default", "a").ok());
  EXPECT_GE(clock.boottime() - start, 3s);
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(Client, WritesAreRepeatedOnlyWhereTheServerRefusedToStart) {
  FakeClock clock;
  ScriptedServer server({accept(), expect({}), reply(429, {{"Retry-After", "1"}}), expect({}), reply(201, {}, "{}"),
                         expect({}), reply(503, {{"Retry-After", "1"}}, status_body(503, "ServiceUnavailable"))});
  const auto client = client_of(server.url(), clock);
  EXPECT_TRUE(client->create(types::config_maps(), "default", parsed(R"({"metadata":{"name":"a"}})")).ok());
  const auto second = client->create(types::config_maps(), "default", parsed(R"({"metadata":{"name":"a"}})"));
  ASSERT_TRUE(second.is(ErrorCode::unavailable));
  EXPECT_EQ(second.error().message(), "create configmaps default/a: the server says so");
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(Client, GivesUpAtTheDeadline) {
  FakeClock clock;
  const auto server = net::HttpServer::start({}, [](const net::ServerRequest&, net::Responder& responder) {
                        (void)responder.reply(429, {{"Retry-After", "5"}}, status_body(429, "TooManyRequests"));
                      }).value();
  const auto client = client_of(fmt::format("http://127.0.0.1:{}", server->port()), clock);
  const BootTime start = clock.boottime();
  EXPECT_TRUE(client->get(types::pods(), "a", "b").is(ErrorCode::unavailable));
  EXPECT_LE(clock.boottime() - start, 30s);
}

TEST(Client, SaysWhatItWrites) {
  const std::string one = std::string(kMaps) + "/a";
  ScriptedServer server(
      {accept(),
       expect({.start = "POST " + std::string(kMaps) + "?fieldManager=holdfast&dryRun=All HTTP/1.1",
               .headers = {"Content-Type: application/json"}}),
       reply(201, {}, "{}"), expect({.start = "PUT " + one + "/status?fieldManager=holdfast HTTP/1.1"}),
       reply(200, {}, "{}"),
       expect({.start = "PATCH " + one + "?fieldManager=holdfast HTTP/1.1",
               .headers = {"Content-Type: application/merge-patch+json"},
               .body = R"({"data":null})"}),
       reply(200, {}, "{}"), expect({.headers = {"Content-Type: application/json-patch+json"}}), reply(200, {}, "{}"),
       expect({.headers = {"Content-Type: application/strategic-merge-patch+json"}}), reply(200, {}, "{}"),
       expect({.start = "PATCH " + one + "?fieldManager=me&force=true HTTP/1.1",
               .headers = {"Content-Type: application/apply-patch+yaml"},
               .body = R"({"data":{},"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})"}),
       reply(200, {}, "{}"),
       expect({.start = "DELETE " + one + " HTTP/1.1",
               .body = R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background",)"
                       R"("preconditions":{"uid":"u"},"gracePeriodSeconds":0})"}),
       reply(200, {}, "{}")});
  const auto client = client_of(server.url());
  const ResourceType& maps = types::config_maps();
  const json::value object = parsed(R"({"metadata":{"name":"a"}})");
  EXPECT_TRUE(client->create(maps, "default", object, {.dry_run = true}).ok());
  EXPECT_TRUE(client->update(maps, "default", object, {.subresource = "status"}).ok());
  EXPECT_TRUE(client->patch(maps, "default", "a", PatchKind::merge, parsed(R"({"data":null})")).ok());
  EXPECT_TRUE(client->patch(maps, "default", "a", PatchKind::json, parsed("[]")).ok());
  EXPECT_TRUE(client->patch(maps, "default", "a", PatchKind::strategic, parsed("{}")).ok());
  EXPECT_TRUE(client
                  ->patch(maps, "default", "a", PatchKind::apply, parsed(R"({"data":{}})"),
                          {.field_manager = "me", .force = true})
                  .ok());
  EXPECT_TRUE(client->remove(maps, "default", "a", {.propagation = "Background", .uid = "u", .grace_seconds = 0}).ok());
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(Client, RenewsARefusedTokenOnce) {
  const std::string path = (std::filesystem::temp_directory_path() / ("hf-kube-token-" + random_hex(6))).string();
  ASSERT_TRUE(write_file_atomically(path, "one", 0600).ok());
  ScriptedServer server({accept(), expect({.headers = {"Authorization: Bearer one"}}), reply(200, {}, "{}"),
                         expect({.headers = {"Authorization: Bearer one"}}),
                         net::run([&] { ASSERT_TRUE(write_file_atomically(path, "two", 0600).ok()); }), reply(401),
                         expect({.headers = {"Authorization: Bearer two"}}), reply(200, {}, "{}"), expect({}),
                         reply(401), expect({}), reply(401, {}, status_body(401, "Unauthorized"))});
  const auto client = client_of(server.url(), system_clock(), {.server = "", .token_file = path});
  EXPECT_TRUE(client->version().ok());
  EXPECT_TRUE(client->version().ok());
  const auto refused = client->version();
  EXPECT_TRUE(refused.is(ErrorCode::denied));
  EXPECT_FALSE(refused.error().hint().empty());
  EXPECT_EQ(refused.error().to_string().find("two"), std::string::npos);
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  unlink(path.c_str());
}

struct WatchCase {
  std::vector<net::Step> steps;
  std::optional<ErrorCode> ends;  // none: as a success
  std::vector<std::string> names;
};

TEST(Client, WatchesReadLinesHoweverTheyAreCut) {
  const std::string added = R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}})";
  const std::string mark = R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})";
  const std::string gone = fmt::format(R"({{"type":"ERROR","object":{}}})", status_body(410, "Expired"));
  std::vector<WatchCase> cases;
  cases.push_back(
      {{send_bytes(kStream + added.substr(0, 20)), send_bytes(added.substr(20) + "\n" + mark + "\n"), hang_up()},
       std::nullopt,
       {"a", ""}});
  cases.push_back({{send_bytes(kStream + added + "\n" + gone + "\n"), hang_up()}, ErrorCode::conflict, {"a"}});
  cases.push_back({{reply(410, {}, status_body(410, "Expired"))}, ErrorCode::conflict, {}});
  cases.push_back({{reply(403, {}, status_body(403, "Forbidden"))}, ErrorCode::denied, {}});
  cases.push_back({{reply(500)}, ErrorCode::unavailable, {}});
  cases.push_back({{send_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ty"), abort()},
                   ErrorCode::unavailable,
                   {}});
  cases.push_back({{send_bytes(std::string(kStream) + "<html>\n"), hang_up()}, ErrorCode::corrupt, {}});
  for (WatchCase& c : cases) {
    std::vector<net::Step> steps{
        accept(),
        expect({.start = "GET /api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds="
                         "300 HTTP/1.1"})};
    for (net::Step& step : c.steps) steps.push_back(std::move(step));
    ScriptedServer server(std::move(steps));
    const auto client = client_of(server.url());
    std::vector<std::string> names;
    const Status status = client->watch(types::pods(), "", {.resource_version = "5"},
                                        [&](const WatchEvent& event) -> Status {
                                          names.push_back(json::string_at(event.object, {"metadata", "name"}));
                                          return {};
                                        },
                                        {});
    EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
    EXPECT_EQ(names, c.names);
    EXPECT_EQ(status.ok(), !c.ends.has_value()) << (status.ok() ? "" : status.error().to_string());
    if (!status.ok() && c.ends) {
      EXPECT_EQ(status.error().code(), *c.ends) << status.error().to_string();
    }
  }
}

TEST(Client, ASilentWatchEndsAndAStoppedOneIsCancelled) {
  ScriptedServer server({accept(), expect({}), send_bytes(kStream), net::stall()});
  ClusterAccess access{.server = server.url(), .proxy = "-"};
  const auto client = Client::create({.access = access, .watch_silence = 1s}).value();
  EXPECT_TRUE(client->watch(types::pods(), "", {}, [](const WatchEvent&) { return Status(); }, {}).ok());
  EXPECT_TRUE(server.finish().ok());
  std::stop_source stop;
  ScriptedServer other(
      {accept(), expect({}), send_bytes(kStream), net::run([&] { stop.request_stop(); }), net::stall()});
  EXPECT_TRUE(client_of(other.url())
                  ->watch(
                      types::pods(), "", {}, [](const WatchEvent&) { return Status(); }, stop.get_token())
                  .is(ErrorCode::cancelled));
}

TEST(Client, DiscoversTheOldWayToo) {
  ScriptedServer server(
      {accept(), expect({.start = "GET /api HTTP/1.1"}), reply(200, {}, R"({"kind":"APIVersions","versions":["v1"]})"),
       expect({.start = "GET /apis HTTP/1.1"}), reply(200, {}, R"({"kind":"APIGroupList","groups":[
         {"name":"apps","versions":[{"version":"v1beta1"},{"version":"v1"}],"preferredVersion":{"version":"v1"}},
         {"name":"metrics.k8s.io","versions":[{"version":"v1beta1"}],"preferredVersion":{"version":"v1beta1"}}]})"),
       expect({.start = "GET /api/v1 HTTP/1.1"}),
       reply(200, {}, R"({"resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list"]}]})"),
       expect({.start = "GET /apis/apps/v1 HTTP/1.1"}),
       reply(200, {}, R"({"resources":[{"name":"deployments","kind":"Deployment","namespaced":true}]})"),
       expect({.start = "GET /apis/apps/v1beta1 HTTP/1.1"}),
       reply(200, {}, R"({"resources":[{"name":"deployments","kind":"Deployment","namespaced":true}]})"),
       expect({.start = "GET /apis/metrics.k8s.io/v1beta1 HTTP/1.1"}), reply(404)});
  const auto client = client_of(server.url());
  const auto found = client->discover();
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[1].api_version(), "apps/v1");
  EXPECT_TRUE((*found)[1].preferred);
  EXPECT_FALSE((*found)[2].preferred);
  EXPECT_EQ(client->unreachable_groups(), std::vector<std::string>{"metrics.k8s.io/v1beta1"});
}

/// A server that runs "commands": says its words back and exits with 3.
std::unique_ptr<net::HttpServer> exec_server(const std::string& protocol) {
  return net::HttpServer::start(
             {},
             [=](const net::ServerRequest& request, net::Responder& responder) {
               if (request.path == "/api/v1/namespaces/n/pods/p") {
                 (void)responder.reply(200, {}, R"({"spec":{"containers":[{"name":"first"},{"name":"second"}]}})");
                 return;
               }
               if (request.path != "/api/v1/namespaces/n/pods/p/exec") {
                 (void)responder.reply(404, {}, status_body(404, "NotFound"));
                 return;
               }
               if (request.headers.get("Accept") != "*/*") {
                 (void)responder.reply(406, {}, "");  // as a kubelet does
                 return;
               }
               const Result<net::WebSocket*> socket = responder.upgrade(protocol);
               if (!socket.ok()) return;
               std::string words = request.query_value("container");
               const auto [first, last] = request.query.equal_range("command");
               for (auto word = first; word != last; ++word) words += "|" + word->second;
               using Kind = net::WebSocket::Kind;
               (void)(*socket)->write(Kind::binary, "\x01" + words);
               (void)(*socket)->write(Kind::binary, "\x02warning");
               if (words.find("hang") != std::string::npos) {
                 (void)(*socket)->read(responder.stop(), 20s);
                 return;
               }
               if (words.find("drop") != std::string::npos) return;
               (void)(*socket)->write(Kind::binary,
                                      "\x03"
                                      R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":
             [{"reason":"ExitCode","message":"3"}]}})");
               (*socket)->close();
             })
      .value();
}

TEST(Client, ExecSpeaksBothProtocols) {
  for (const char* protocol : {"v5.channel.k8s.io", "v4.channel.k8s.io"}) {
    const auto server = exec_server(protocol);
    const auto client = client_of(fmt::format("http://127.0.0.1:{}", server->port()));
    const auto result = client->exec("n", "p", "", {"sh", "-c", "echo a&b", ""}, 20s);
    ASSERT_TRUE(result.ok()) << result.error().to_string();
    EXPECT_EQ(result->out, "first|sh|-c|echo a&b|");
    EXPECT_EQ(result->err, "warning");
    EXPECT_EQ(result->exit_code, 3);
    EXPECT_EQ(client->exec("n", "p", "second", {"x"}, 20s)->out, "second|x");
    EXPECT_TRUE(client->exec("n", "p", "second", {"hang"}, 300ms).is(ErrorCode::timeout));
    EXPECT_TRUE(client->exec("n", "p", "second", {"drop"}, 20s).is(ErrorCode::unavailable));
    EXPECT_TRUE(client->exec("n", "gone", "c", {"x"}, 20s).is(ErrorCode::not_found));
    EXPECT_TRUE(client->exec("n", "p", "c", {}, 20s).is(ErrorCode::invalid));
  }
}

/// An informer over HTTP: a dropped watch is resumed, a 410 leads to a new list, 429 and 500 are waited out.
TEST(Client, CarriesAnInformerThroughFaults) {
  const std::string list = std::string("GET ") + kMaps + "?limit=500 HTTP/1.1";
  const auto watch = [](const char* version) {
    return fmt::format("GET {}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds=300 HTTP/1.1",
                       kMaps, version);
  };
  const auto event = [](const char* type, const char* name, const char* version) {
    return fmt::format(R"({{"type":"{}","object":{{"metadata":{{"name":"{}","resourceVersion":"{}"}}}}}})"
                       "\n",
                       type, name, version);
  };
  ScriptedServer server(
      {accept(),
       expect({.start = list}),
       reply(500),
       expect({.start = list}),
       reply(200, {},
             R"({"metadata":{"resourceVersion":"10"},"items":[{"metadata":{"name":"a","resourceVersion":"3"}}]})"),
       expect({.start = watch("10")}),
       send_bytes(kStream + event("ADDED", "b", "11")),
       hang_up(),
       accept(),
       expect({.start = watch("11")}),
       reply(429),
       expect({.start = watch("11")}),
       send_bytes(kStream + event("BOOKMARK", "", "20")),
       abort(),
       accept(),
       expect({.start = watch("20")}),
       reply(410, {}, status_body(410, "Expired")),
       expect({.start = list}),
       reply(200, {},
             R"({"metadata":{"resourceVersion":"30"},"items":[{"metadata":{"name":"c","resourceVersion":"25"}}]})"),
       expect({.start = watch("30")}),
       send_bytes(kStream + event("ADDED", "last", "31")),
       net::stall()});
  FakeClock clock;
  const auto client = client_of(server.url(), clock);
  std::mutex mutex;
  std::condition_variable_any changed;
  std::vector<std::string> told;
  Informer informer(*client, {.type = types::config_maps(), .ns = "default", .clock = &clock});
  informer.on_change([&](const std::string& name) {
    std::lock_guard lock(mutex);
    told.push_back(name);
    changed.notify_all();
  });
  informer.start();
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, 20s, [&] { return !told.empty() && told.back() == "last"; }));
  }
  EXPECT_EQ(informer.list().size(), 2U) << "c and last";
  EXPECT_EQ(informer.get("a"), nullptr);
  informer.stop();
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  EXPECT_THAT(told, testing::UnorderedElementsAre("a", "b", "c", "a", "b", "last"));
}

}  // namespace
}  // namespace holdfast::kube
