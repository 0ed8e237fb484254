#include "sandbox/apiserver/server.h"

#include <fmt/format.h>

#include "base/text.h"
#include "net/http_server.h"
#include "sandbox/apiserver/discovery.h"
#include "sandbox/apiserver/rbac.h"
#include "sandbox/apiserver/refusal.h"
#include "sandbox/apiserver/resource_handler.h"

namespace holdfast::sandbox {

namespace {

const net::Headers kJson{{"Content-Type", "application/json"}};

void refuse(net::Responder& responder, const Error& error) {
  (void)responder.reply(http_status(error), kJson, json::compact(failure_status(error)))
      .ok();  // a gone client is told nothing
}

void reply_text(net::Responder& responder, std::string_view text) {
  (void)responder.reply(200, {{"Content-Type", "text/plain; charset=utf-8"}}, text).ok();
}

class Server final : public ApiServer {
 public:
  static Result<std::unique_ptr<ApiServer>> start(ApiServerOptions options) {
    if (options.data_dir.empty()) return Error(ErrorCode::invalid, "the API server needs a data directory");
    std::unique_ptr<Store> store = TRY(Store::open(
        {.directory = options.data_dir, .history_max = options.history_max, .log_max = uint64_t{64} << 20}));
    ServiceAccountTokens tokens =
        TRY(ServiceAccountTokens::open(options.data_dir + "/token.key", *store, *options.clock));
    std::unique_ptr<NodeProxy> nodes = TRY(NodeProxy::create(*store));
    std::unique_ptr<Server> server(
        new Server(std::move(options), std::move(store), std::move(tokens), std::move(nodes)));
    TRY(server->make_first_objects());
    TRY(server->listen());
    return std::unique_ptr<ApiServer>(std::move(server));
  }

  uint16_t port() const override { return http_->port(); }
  std::string url() const override {
    return fmt::format("{}://{}:{}", options_.certificate_pem.empty() ? "http" : "https", options_.address, port());
  }

 private:
  Server(ApiServerOptions options, std::unique_ptr<Store> store, ServiceAccountTokens tokens,
         std::unique_ptr<NodeProxy> nodes)
      : options_(std::move(options)),
        store_(std::move(store)),
        tokens_(std::move(tokens)),
        nodes_(std::move(nodes)),
        registry_(*store_),
        writer_(*store_, registry_, *options_.clock, options_.service_network),
        handler_({.store = *store_, .writer = writer_, .nodes = *nodes_, .tokens = tokens_, .clock = *options_.clock}) {
  }

  Status listen() {
    net::ServerOptions http;
    http.address = options_.address;
    http.port = options_.port;
    http.certificate_pem = options_.certificate_pem;
    http.key_pem = options_.key_pem;
    http.client_ca_pem = options_.client_ca_pem;
    http_ =
        TRY(net::HttpServer::start(std::move(http), [this](const net::ServerRequest& request,
                                                           net::Responder& responder) { serve(request, responder); }));
    return {};
  }

  // Idempotent: what is there already stays as it is.
  Status make_first_objects() {
    const auto make = [this](const char* group, const char* plural, json::object object) -> Status {
      const Target target{
          .kind = registry_.table()->find(group, "v1", plural), .ns = {}, .name = {}, .subresource = {}};
      const Result<Object> made = writer_.create(target, std::move(object));
      return made.ok() || made.is(ErrorCode::exists) ? Status() : Status(made.error());
    };
    const auto named = [](const char* name) { return json::object{{"metadata", json::object{{"name", name}}}}; };
    for (const char* ns : {"default", "kube-system"}) TRY(make("", "namespaces", named(ns)));
    json::object role = named("cluster-admin");
    const json::array any{"*"};
    role["rules"] = json::array{json::object{{"apiGroups", any}, {"resources", any}, {"verbs", any}},
                                json::object{{"nonResourceURLs", any}, {"verbs", any}}};
    return make("rbac.authorization.k8s.io", "clusterroles", std::move(role));
  }

  void serve(const net::ServerRequest& http, net::Responder& responder) {
    requests_.counter("apiserver_request_total", "Requests answered, by method.", {{"method", http.method}}).add();
    const std::optional<User> user = authenticate(http);
    if (!user) {
      refuse(responder, Error(ErrorCode::denied, "Unauthorized", "Unauthorized"));
      return;
    }
    const Result<User> acting = acting_user(*user, http);
    if (!acting) {
      refuse(responder, acting.error());
      return;
    }
    const ApiRequest request = parse_api_request(http);
    if (!rbac_allows(*store_, *acting, request)) {
      refuse(responder, forbidden(refusal_sentence(*acting, request)));
      return;
    }
    if (!request.is_resource) {
      serve_document(request, responder);
      return;
    }
    const std::shared_ptr<const KindTable> table = registry_.table();
    const ResourceKind* kind = table->find(request.group, request.version, request.plural);
    if (kind == nullptr) {
      refuse(responder, nothing_at(request.path));
      return;
    }
    const Status served = handler_.serve(request, *kind, responder);
    if (!served.ok()) refuse(responder, served.error());
  }

  // Nothing: a token was given and is not good. No credentials at all make the anonymous user.
  std::optional<User> authenticate(const net::ServerRequest& http) const {
    const std::string_view header = http.headers.get("Authorization");
    if (header.size() > 7 && to_lower(header.substr(0, 7)) == "bearer ") {
      const std::string token(trim(header.substr(7)));
      const auto found = options_.tokens.find(token);
      if (found == options_.tokens.end()) return tokens_.check(token);
      User user = found->second;
      user.groups.emplace_back("system:authenticated");
      return user;
    }
    if (!http.client_common_name.empty()) {
      User user{.name = http.client_common_name, .groups = http.client_organizations};
      user.groups.emplace_back("system:authenticated");
      return user;
    }
    return User{.name = "system:anonymous", .groups = {"system:unauthenticated"}};
  }

  // As whom the user acts: by the header Impersonate-User as another one, with the right to. Groups cannot be asked
  // for.
  Result<User> acting_user(const User& user, const net::ServerRequest& http) const {
    const std::string wanted(http.headers.get("Impersonate-User"));
    if (!http.headers.get("Impersonate-Group").empty() || !http.headers.get("Impersonate-Uid").empty()) {
      return forbidden("impersonation of groups and uids is not served here");
    }
    if (wanted.empty()) return user;
    constexpr std::string_view kAccount = "system:serviceaccount:";
    const std::vector<std::string> parts = split(wanted, ':');
    const bool account = wanted.rfind(kAccount, 0) == 0 && parts.size() == 4;
    ApiRequest asked;
    asked.is_resource = true;
    asked.verb = "impersonate";
    asked.plural = account ? "serviceaccounts" : "users";
    asked.ns = account ? parts[2] : "";
    asked.name = account ? parts[3] : wanted;
    if (!rbac_allows(*store_, user, asked)) return forbidden(refusal_sentence(user, asked));
    User out{.name = wanted, .groups = {"system:authenticated"}};
    if (account) {
      out.groups.emplace_back("system:serviceaccounts");
      out.groups.push_back("system:serviceaccounts:" + parts[2]);
    }
    return out;
  }

  void serve_document(const ApiRequest& request, net::Responder& responder) {
    const std::string& path = request.path;
    if (request.verb != "get" && request.verb != "head") {
      refuse(responder, method_not_allowed(fmt::format("{} of {}", request.verb, path)));
    } else if (path == "/healthz" || path == "/readyz" || path == "/livez") {
      reply_text(responder, "ok");
    } else if (path == "/metrics") {
      reply_text(responder, requests_.render());
    } else if (path == "/version") {
      (void)responder.reply(200, kJson, json::compact(version_document())).ok();  // a gone client is told nothing
    } else if (const auto found = discovery_answer(*registry_.table(), path, request.http->headers.get("Accept"))) {
      (void)responder.reply(200, {{"Content-Type", found->content_type}}, json::compact(found->body)).ok();
    } else {
      refuse(responder, nothing_at(path));
    }
  }

  static Error nothing_at(const std::string& path) {
    return Error(ErrorCode::not_found, "the server could not find the requested resource: " + path);
  }

  const ApiServerOptions options_;
  const std::unique_ptr<Store> store_;
  const ServiceAccountTokens tokens_;
  const std::unique_ptr<NodeProxy> nodes_;
  Registry registry_;
  ObjectWriter writer_;
  ResourceHandler handler_;
  metrics::Registry requests_;
  std::unique_ptr<net::HttpServer> http_;  // last: its threads use all of the above
};

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::start(ApiServerOptions options) {
  return Server::start(std::move(options));
}

}  // namespace holdfast::sandbox
