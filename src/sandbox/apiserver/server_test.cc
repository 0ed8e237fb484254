#include "sandbox/apiserver/server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "net/http_server.h"
#include "sandbox/node_contract.h"

namespace holdfast::sandbox {
namespace {

constexpr Duration kLimit = std::chrono::seconds(20);

struct Reply {
  int status = 0;
  json::value body;
};

class ApiServerTest : public ::testing::Test {
 protected:
  ApiServerTest() : directory_(::testing::TempDir() + "/hf-api-" + random_hex(6)) { boot(); }
  ~ApiServerTest() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void boot() {
    server_.reset();
    ApiServerOptions options;
    options.data_dir = directory_;
    options.tokens = {{"root", {.name = "admin", .groups = {"system:masters"}}},
                      {"ann", {.name = "ann", .groups = {}}}};
    options.history_max = 50;
    server_ = ApiServer::start(options).value();
    client_ = net::HttpClient::create({.tls = {}, .proxy = "-", .user_agent = "test"}).value();
  }
  Reply ask(const std::string& method, const std::string& path, const std::string& body = {},
            const std::string& type = "application/json", const std::string& token = "root") {
    net::Request request;
    request.method = method;
    request.url = server_->url() + path;
    request.body = body;
    request.headers.add("Content-Type", type);
    if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
    const net::Response response = client_->send(request).value();
    return {response.status, json::parse(response.body).value_or(json::value(nullptr))};
  }
  Reply config_map(const std::string& name, const std::string& extra = "") {
    return ask("POST", "/api/v1/namespaces/default/configmaps",
               fmt::format(R"({{"metadata":{{"name":"{}"{}}},"data":{{"k":"v"}}}})", name, extra));
  }
  static std::string reason(const Reply& reply) { return json::string_at(reply.body, {"reason"}); }

  std::string directory_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<net::HttpClient> client_;
};

TEST_F(ApiServerTest, CreatesReadsUpdatesDeletes) {
  const Reply made = config_map("a");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(json::string_at(made.body, {"kind"}), "ConfigMap");
  EXPECT_EQ(json::string_at(made.body, {"metadata", "namespace"}), "default");
  EXPECT_EQ(reason(config_map("a")), "AlreadyExists");
  EXPECT_EQ(reason(ask("GET", "/api/v1/namespaces/default/configmaps/b")), "NotFound");
  EXPECT_EQ(reason(ask("POST", "/api/v1/namespaces/nowhere/configmaps", R"({"metadata":{"name":"a"}})")), "NotFound");
  EXPECT_EQ(reason(config_map("Not_A_Name")), "Invalid");

  json::value changed = made.body;
  json::set(changed.as_object(), {"data", "k"}, "w");
  const Reply updated = ask("PUT", "/api/v1/namespaces/default/configmaps/a", json::compact(changed));
  EXPECT_EQ(updated.status, 200);
  EXPECT_EQ(reason(ask("PUT", "/api/v1/namespaces/default/configmaps/a", json::compact(changed))), "Conflict");
  const Reply same = ask("PUT", "/api/v1/namespaces/default/configmaps/a", json::compact(updated.body));
  EXPECT_EQ(same.body, updated.body) << "writing nothing new changes nothing";

  EXPECT_EQ(reason(ask("DELETE", "/api/v1/namespaces/default/configmaps/a", R"({"preconditions":{"uid":"other"}})")),
            "Conflict");
  const Reply gone = ask("DELETE", "/api/v1/namespaces/default/configmaps/a");
  EXPECT_EQ(json::string_at(gone.body, {"status"}), "Success");
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/configmaps/a").status, 404);
}

TEST_F(ApiServerTest, StateOutlivesTheServer) {
  const Reply made = config_map("kept");
  boot();
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/configmaps/kept").body, made.body);
}

TEST_F(ApiServerTest, GeneratedNamesAndDryRuns) {
  const std::string path = "/api/v1/namespaces/default/configmaps";
  const Reply generated = ask("POST", path, R"({"metadata":{"generateName":"g-"}})");
  EXPECT_EQ(json::string_at(generated.body, {"metadata", "name"}).substr(0, 2), "g-");
  const Reply dry = ask("POST", path + "?dryRun=All", R"({"metadata":{"name":"dry"}})");
  EXPECT_EQ(dry.status, 201);
  EXPECT_EQ(ask("GET", path + "/dry").status, 404);
}

TEST_F(ApiServerTest, FinalizersHoldADeletionUntilTheLastIsGone) {
  config_map("held", R"(,"finalizers":["test/hold"])");
  const std::string path = "/api/v1/namespaces/default/configmaps/held";
  EXPECT_FALSE(json::string_at(ask("DELETE", path).body, {"metadata", "deletionTimestamp"}).empty());
  EXPECT_EQ(ask("GET", path).status, 200);
  EXPECT_EQ(ask("PATCH", path, R"({"metadata":{"finalizers":null}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(ask("GET", path).status, 404);
}

TEST_F(ApiServerTest, PatchesOfEveryKind) {
  config_map("p");
  const std::string path = "/api/v1/namespaces/default/configmaps/p";
  ask("PATCH", path, R"({"data":{"m":"1"}})", "application/merge-patch+json");
  ask("PATCH", path, R"([{"op":"add","path":"/data/j","value":"2"}])", "application/json-patch+json");
  ask("PATCH", path, R"({"data":{"s":"3"}})", "application/strategic-merge-patch+json");
  Reply now = ask("GET", path);
  EXPECT_EQ(json::compact(json::object_at(now.body, {"data"})), R"({"k":"v","m":"1","j":"2","s":"3"})");
  EXPECT_EQ(ask("PATCH", path, "{}", "text/plain").status, 415);

  const std::string applied = path + "?fieldManager=one";
  const std::string type = "application/apply-patch+yaml";
  const std::string head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n";
  EXPECT_EQ(ask("PATCH", applied, head + "data: {x: '1', y: '2'}", type).status, 200);
  EXPECT_EQ(ask("PATCH", applied, head + "data: {x: '1'}", type).status, 200);
  now = ask("GET", path);
  EXPECT_EQ(json::string_at(now.body, {"data", "x"}), "1");
  EXPECT_EQ(json::find(now.body, {"data", "y"}), nullptr) << "what a manager no longer applies goes";
  EXPECT_EQ(json::string_at(now.body, {"data", "k"}), "v") << "what it never applied stays";
  const std::string other = path + "?fieldManager=two";
  EXPECT_EQ(reason(ask("PATCH", other, head + "data: {x: '9'}", type)), "Conflict");
  EXPECT_EQ(ask("PATCH", other + "&force=true", head + "data: {x: '9'}", type).status, 200);
}

TEST_F(ApiServerTest, ListsArePagedSelectedAndConsistent) {
  for (int i = 0; i < 5; ++i) {
    config_map(fmt::format("m{}", i), fmt::format(R"(,"labels":{{"odd":"{}"}})", i % 2));
  }
  const std::string path = "/api/v1/namespaces/default/configmaps";
  Reply page = ask("GET", path + "?limit=2");
  EXPECT_EQ(json::array_at(page.body, {"items"}).size(), 2U);
  ask("DELETE", path + "/m3");
  const std::string next = net::percent_encode(json::string_at(page.body, {"metadata", "continue"}));
  page = ask("GET", path + "?limit=9&continue=" + next);
  EXPECT_EQ(json::array_at(page.body, {"items"}).size(), 3U) << "the page shows the state of the first";
  EXPECT_EQ(json::array_at(ask("GET", path + "?labelSelector=odd%3D0").body, {"items"}).size(), 3U);
  EXPECT_EQ(json::array_at(ask("GET", path + "?fieldSelector=metadata.name%3Dm1").body, {"items"}).size(), 1U);
  for (int i = 0; i < 60; ++i) config_map(fmt::format("n{}", i));
  EXPECT_EQ(reason(ask("GET", path + "?limit=9&continue=" + next)), "Expired");
  EXPECT_EQ(ask("DELETE", path + "?labelSelector=odd").status, 200);
  EXPECT_EQ(json::array_at(ask("GET", path + "?labelSelector=odd").body, {"items"}).size(), 0U);
}

TEST_F(ApiServerTest, WatchesTellWhatHappenedAndWhatIsTooOld) {
  const std::string revision = json::string_at(config_map("w").body, {"metadata", "resourceVersion"});
  std::vector<std::string> seen;
  std::stop_source enough;
  net::Request request;
  request.url = server_->url() + "/api/v1/configmaps?watch=true&labelSelector=on%3Dyes&resourceVersion=" + revision;
  request.headers.add("Authorization", "Bearer root");
  std::string rest;
  std::jthread watcher([&] {
    (void)client_
        ->stream(
            request, {},
            [&](std::string_view piece) -> Status {
              rest += piece;
              for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
                const json::value event = json::parse(rest.substr(0, end)).value();
                rest.erase(0, end + 1);
                seen.push_back(json::string_at(event, {"type"}) + " " +
                               json::string_at(event, {"object", "metadata", "name"}));
              }
              if (seen.size() == 3) enough.request_stop();
              return {};
            },
            enough.get_token())
        .ok();
  });
  const std::string path = "/api/v1/namespaces/default/configmaps/w";
  config_map("unseen");
  ask("PATCH", path, R"({"metadata":{"labels":{"on":"yes"}}})", "application/merge-patch+json");
  ask("PATCH", path, R"({"data":{"k":"2"}})", "application/merge-patch+json");
  ask("PATCH", path, R"({"metadata":{"labels":{"on":"no"}}})", "application/merge-patch+json");
  watcher.join();
  EXPECT_EQ(seen, (std::vector<std::string>{"ADDED w", "MODIFIED w", "DELETED w"}));
  for (int i = 0; i < 60; ++i) config_map(fmt::format("n{}", i));
  const Reply old = ask("GET", "/api/v1/configmaps?watch=true&resourceVersion=" + revision);
  EXPECT_EQ(json::string_at(old.body, {"type"}), "ERROR");
  EXPECT_EQ(json::int_at(old.body, {"object", "code"}), 410);
}

TEST_F(ApiServerTest, RightsAreEnforced) {
  EXPECT_EQ(ask("GET", "/api/v1/pods", "", "application/json", "wrong").status, 401);
  EXPECT_EQ(ask("GET", "/api/v1/pods", "", "application/json", "").status, 403);
  EXPECT_EQ(ask("GET", "/version", "", "application/json", "").status, 200);
  const std::string path = "/api/v1/namespaces/default/configmaps";
  EXPECT_EQ(ask("GET", path, "", "application/json", "ann").status, 403);
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  ask("POST", rbac + "roles",
      R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","list"]}]})");
  ask("POST", rbac + "rolebindings",
      R"({"metadata":{"name":"r"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"ann"},
          {"kind":"ServiceAccount","name":"sa"}]})");
  EXPECT_EQ(ask("GET", path, "", "application/json", "ann").status, 200);
  EXPECT_EQ(ask("POST", path, R"({"metadata":{"name":"a"}})", "application/json", "ann").status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/configmaps", "", "application/json", "ann").status, 403);

  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ask("POST", accounts, R"({"metadata":{"name":"sa"}})");
  const Reply issued = ask("POST", accounts + "/sa/token", "{}");
  const std::string token = json::string_at(issued.body, {"status", "token"});
  EXPECT_EQ(ask("GET", path, "", "application/json", token).status, 200);
  EXPECT_EQ(ask("GET", path, "", "application/json", token + "x").status, 401);
  ask("DELETE", accounts + "/sa");
  ask("POST", accounts, R"({"metadata":{"name":"sa"}})");
  EXPECT_EQ(ask("GET", path, "", "application/json", token).status, 401) << "a new account is another account";
}

TEST_F(ApiServerTest, WhoMayActAsAnotherHasThatOnesRightsAndNoMore) {
  const std::string maps = "/api/v1/namespaces/default/configmaps";
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  const auto as = [&](const std::string& user, const std::string& path, const std::string& group = "") {
    net::Request request;
    request.method = "GET";
    request.url = server_->url() + path;
    request.headers = {{"Authorization", "Bearer ann"}, {"Impersonate-User", user}};
    if (!group.empty()) request.headers.add("Impersonate-Group", group);
    return client_->send(request).value().status;
  };
  const std::string account = "system:serviceaccount:default:restorer";
  EXPECT_EQ(as(account, maps), 403) << "without the right to";
  ask("POST", rbac + "roles",
      R"({"metadata":{"name":"act"},"rules":[{"apiGroups":[""],"resources":["serviceaccounts"],
          "resourceNames":["restorer"],"verbs":["impersonate"]}]})");
  ask("POST", rbac + "rolebindings",
      R"({"metadata":{"name":"act"},"roleRef":{"kind":"Role","name":"act"},"subjects":[{"kind":"User","name":"ann"}]})");
  EXPECT_EQ(as(account, maps), 403) << "the other one may not read either";
  ask("POST", rbac + "roles",
      R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["list"]}]})");
  ask("POST", rbac + "rolebindings",
      R"({"metadata":{"name":"r"},"roleRef":{"kind":"Role","name":"r"},
          "subjects":[{"kind":"ServiceAccount","name":"restorer"}]})");
  EXPECT_EQ(as(account, maps), 200);
  EXPECT_EQ(ask("GET", maps, "", "application/json", "ann").status, 403) << "as itself";
  EXPECT_EQ(as("system:serviceaccount:default:other", maps), 403);
  EXPECT_EQ(as("system:serviceaccount:elsewhere:restorer", maps), 403);
  EXPECT_EQ(as("admin", maps), 403);
  EXPECT_EQ(as(account, maps, "system:masters"), 403);
}

TEST_F(ApiServerTest, DefinitionsAddTypes) {
  const std::string things = "/apis/demo.example.com/v1/namespaces/default/things";
  EXPECT_EQ(ask("GET", things).status, 404);
  const char* definition = R"({"metadata":{"name":"things.demo.example.com"},"spec":{"group":"demo.example.com",
    "scope":"Namespaced","names":{"plural":"things","kind":"Thing"},"versions":[{"name":"v1","served":true,"storage":true,
    "subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
      "spec":{"type":"object","required":["size"],"properties":{"size":{"type":"integer","minimum":1},
              "color":{"type":"string","default":"red"}}},
      "status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}})";
  EXPECT_EQ(ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).status, 201);
  const Reply made = ask("POST", things, R"({"apiVersion":"demo.example.com/v1","kind":"Thing","metadata":{"name":"t"},
    "spec":{"size":3,"unknown":1},"status":{"phase":"Lie"}})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(json::compact(json::object_at(made.body, {"spec"})), R"({"size":3,"color":"red"})");
  EXPECT_EQ(json::find(made.body, {"status"}), nullptr);
  EXPECT_EQ(reason(ask("POST", things, R"({"metadata":{"name":"u"},"spec":{}})")), "Invalid");
  EXPECT_EQ(reason(ask("POST", things, R"({"metadata":{"name":"u"},"spec":{"size":"x"}})")), "Invalid");
  const std::string type = "application/merge-patch+json";
  const Reply done = ask("PATCH", things + "/t/status", R"({"status":{"phase":"Done"},"spec":{"size":9}})", type);
  EXPECT_EQ(json::string_at(done.body, {"status", "phase"}), "Done");
  EXPECT_EQ(json::int_at(done.body, {"spec", "size"}), 3);
  EXPECT_EQ(json::int_at(done.body, {"metadata", "generation"}), 1);
  EXPECT_EQ(json::int_at(ask("PATCH", things + "/t", R"({"spec":{"size":4}})", type).body, {"metadata", "generation"}),
            2);
  EXPECT_EQ(ask("PATCH", things + "/t", "{}", "application/strategic-merge-patch+json").status, 415);
  boot();
  EXPECT_EQ(ask("GET", things + "/t").status, 200);
}

TEST_F(ApiServerTest, ScaleChangesReplicas) {
  const std::string path = "/apis/apps/v1/namespaces/default/deployments";
  ask("POST", path, R"({"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},
      "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"localhost/i:1"}]}}}})");
  EXPECT_EQ(json::int_at(ask("GET", path + "/d/scale").body, {"spec", "replicas"}), 1);
  EXPECT_EQ(json::string_at(ask("GET", path + "/d/scale").body, {"status", "selector"}), "a=b");
  EXPECT_EQ(ask("PATCH", path + "/d/scale", R"({"spec":{"replicas":3}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(json::int_at(ask("GET", path + "/d").body, {"spec", "replicas"}), 3);
}

TEST_F(ApiServerTest, WhatIsNotServedIsRefusedByName) {
  EXPECT_EQ(ask("GET", "/apis/policy/v1/poddisruptionbudgets").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/configmaps/a/status").status, 404);
  EXPECT_EQ(ask("POST", "/api/v1/configmaps", R"({"metadata":{"name":"a"}})").status, 405);
  EXPECT_EQ(ask("GET", "/nothing").status, 404);
  EXPECT_EQ(ask("POST", "/api/v1/namespaces/default/configmaps", "x", "application/vnd.kubernetes.protobuf").status,
            415);
}

// Logs and exec go to the node that the pod's Node object names.
TEST_F(ApiServerTest, LogsAndExecReachTheNode) {
  const auto node =
      net::HttpServer::start({}, [](const net::ServerRequest& request, net::Responder& responder) {
        if (request.path.rfind("/containerLogs/", 0) == 0) {
          EXPECT_TRUE(responder.reply(200, {}, request.path + " tail " + request.query_value("tailLines")));
          return;
        }
        const Result<net::WebSocket*> socket = responder.upgrade("v5.channel.k8s.io");
        ASSERT_TRUE(socket.ok());
        const auto heard = (*socket)->read({}, kLimit);
        EXPECT_TRUE((*socket)->write(net::WebSocket::Kind::binary,
                                     "\x01" + request.query_value("command") + heard->bytes.substr(1)));
      }).value();
  ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"n"}})");
  ask("PATCH", "/api/v1/nodes/n/status",
      fmt::format(R"({{"status":{{"addresses":[{{"type":"InternalIP","address":"127.0.0.1"}}],
                  "daemonEndpoints":{{"kubeletEndpoint":{{"Port":{}}}}}}}}})",
                  node->port()),
      "application/merge-patch+json");
  const std::string pods = "/api/v1/namespaces/default/pods";
  ask("POST", pods, R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"localhost/i:1"}]}})");
  EXPECT_EQ(ask("GET", pods + "/p/log").status, 400) << "no node yet";
  EXPECT_EQ(ask("POST", pods + "/p/binding", R"({"target":{"name":"n"}})").status, 201);
  EXPECT_EQ(reason(ask("POST", pods + "/p/binding", R"({"target":{"name":"m"}})")), "Conflict");
  net::Request request;
  request.url = server_->url() + pods + "/p/log?tailLines=7";
  request.headers.add("Authorization", "Bearer root");
  EXPECT_EQ(client_->send(request).value().body, "/containerLogs/default/p/c tail 7");
  const std::string url = server_->url() + pods + "/p/exec?command=ls&stdin=true";
  const auto socket = net::connect_websocket(url, {{"Authorization", "Bearer root"}},
                                             {"v5.channel.k8s.io", "v4.channel.k8s.io"}, {}, kLimit)
                          .value();
  ASSERT_TRUE(socket->write(net::WebSocket::Kind::binary, std::string_view("\0in", 3)));
  EXPECT_EQ(socket->read({}, kLimit).value().bytes, "\x01lsin");
}

}  // namespace
}  // namespace holdfast::sandbox
