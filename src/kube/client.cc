#include "kube/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "kube/wire.h"
#include "net/websocket.h"

namespace holdfast::kube {

namespace {

constexpr size_t kWatchLineMax = size_t{64} << 20;
constexpr Duration kWatchGrace = std::chrono::seconds(30);
constexpr std::string_view kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

std::string what(const char* verb, const ResourceType& type, const std::string& ns, const std::string& name) {
  std::string text = fmt::format("{} {}", verb, type.group_resource());
  if (!name.empty()) text += " " + (ns.empty() || !type.namespaced ? name : ns + "/" + name);
  return text;
}

const char* content_type_of(PatchKind kind) {
  switch (kind) {
    case PatchKind::merge:
      return "application/merge-patch+json";
    case PatchKind::json:
      return "application/json-patch+json";
    case PatchKind::strategic:
      return "application/strategic-merge-patch+json";
    case PatchKind::apply:
      return "application/apply-patch+yaml";
  }
  return "";
}

std::string write_query(const WriteOptions& options, bool apply = false) {
  return query_text({{"fieldManager", options.field_manager},
                     {"force", apply && options.force ? "true" : ""},
                     {"dryRun", options.dry_run ? "All" : ""}});
}

/// The object with apiVersion and kind, which custom resources demand and callers may leave out.
json::value with_kind(const ResourceType& type, const json::value& object, const WriteOptions& options) {
  json::value whole = object;
  if (!whole.is_object() || (!options.subresource.empty() && options.subresource != "status")) return whole;
  if (json::find(whole, {"apiVersion"}) == nullptr) json::set(whole.get_object(), {"apiVersion"}, type.api_version());
  if (json::find(whole, {"kind"}) == nullptr) json::set(whole.get_object(), {"kind"}, type.kind);
  return whole;
}

double random_fraction() {
  uint16_t number = 0;
  random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return number / 65536.0;
}

}  // namespace

Client::Client(ClientOptions options) : options_(std::move(options)), credentials_(options_.access, options_.clock) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(ClientOptions options) {
  std::unique_ptr<Client> client(new Client(std::move(options)));
  const ClusterAccess& access = client->options_.access;
  TRY(client->http_for({{}, access.tls.certificate_pem, access.tls.key_pem}).in(access.server));
  return client;
}

Result<std::shared_ptr<net::HttpClient>> Client::http_for(const Credential& credential) {
  std::lock_guard lock(mutex_);
  if (http_ && http_certificate_ == credential.certificate_pem && http_key_ == credential.key_pem) return http_;
  net::ClientOptions http_options;
  http_options.tls = options_.access.tls;
  http_options.tls.certificate_pem = credential.certificate_pem;
  http_options.tls.key_pem = credential.key_pem;
  http_options.proxy = options_.access.proxy;
  http_options.user_agent = options_.user_agent;
  http_ = std::shared_ptr<net::HttpClient>(TRY(net::HttpClient::create(std::move(http_options))));
  http_certificate_ = credential.certificate_pem;
  http_key_ = credential.key_pem;
  return http_;
}

net::Request Client::request_for(std::string method, const std::string& path, const std::string& query) const {
  net::Request request;
  request.method = std::move(method);
  request.url = options_.access.server + path + query;
  request.headers = {{"Accept", "application/json"}};
  request.timeout = options_.request_timeout;
  return request;
}

Result<Client::Authorized> Client::authorize(const net::Request& request, const std::stop_token& stop) {
  Authorized out;
  out.credential = TRY(credentials_.get(stop));
  out.http = TRY(http_for(out.credential));
  out.request = request;
  if (!out.credential.authorization.empty()) out.request.headers.set("Authorization", out.credential.authorization);
  if (!options_.access.impersonate_user.empty()) {
    out.request.headers.set("Impersonate-User", options_.access.impersonate_user);
    for (const std::string& group : options_.access.impersonate_groups) {
      out.request.headers.add("Impersonate-Group", group);
    }
  }
  return out;
}

Result<net::Response> Client::send_once(const net::Request& request, const std::stop_token& stop) {
  const Authorized first = TRY(authorize(request, stop));
  Result<net::Response> response = first.http->send(first.request, stop);
  if (!response.ok() || response->status != 401 || !credentials_.refused(first.credential)) return response;
  const Authorized second = TRY(authorize(request, stop));
  return second.http->send(second.request, stop);
}

Result<net::Response> Client::send(const net::Request& request, const std::stop_token& stop) {
  const bool reads = request.method == "GET";
  const BootTime start = options_.clock->boottime();
  for (int attempt = 1;; ++attempt) {
    Result<net::Response> response = send_once(request, stop);
    const int status = response.ok() ? response->status : 0;
    if (response.ok() && status < 400) return response;
    const bool again = status == 429 || (reads && (status == 503 || response.is(ErrorCode::unavailable)));
    Duration pause = sync::pause_before_retry(options_.retry, attempt, random_fraction());
    if (response.ok()) {
      const std::optional<Duration> wish = retry_after(response->headers);
      if (wish) pause = std::max(pause, std::min(*wish, options_.retry.longest));
    }
    const bool late = options_.clock->boottime() - start + pause > options_.retry.deadline;
    if (!again || late || !options_.clock->sleep(stop, pause)) {
      if (response.ok()) return answer_error(status, response->body);
      return response;
    }
  }
}

Result<json::value> Client::send_json(const net::Request& request, const std::stop_token& stop) {
  const net::Response response = TRY(send(request, stop));
  Result<json::value> parsed = json::parse(response.body);
  if (!parsed) return Error(ErrorCode::corrupt, "the server's answer is " + parsed.error().message());
  return parsed;
}

Result<json::value> Client::send_write(net::Request request, const json::value& body, const char* content_type,
                                       const std::stop_token& stop) {
  request.headers.set("Content-Type", content_type);
  request.body = json::compact(body);
  return send_json(request, stop);
}

Result<std::string> Client::get_raw(const std::string& path, std::stop_token stop) {
  net::Response response = TRY(send(request_for("GET", path, ""), stop).in("get " + path));
  return std::move(response.body);
}

Result<json::value> Client::version(std::stop_token stop) {
  return send_json(request_for("GET", "/version", ""), stop).in("get /version");
}

Result<json::value> Client::get(const ResourceType& type, const std::string& ns, const std::string& name,
                                std::stop_token stop) {
  if (name.empty()) return Error(ErrorCode::invalid, what("get", type, ns, name) + ": no name");
  return send_json(request_for("GET", resource_path(type, ns, name), ""), stop).in(what("get", type, ns, name));
}

Result<ListPage> Client::list(const ResourceType& type, const std::string& ns, const ListOptions& options,
                              std::stop_token stop) {
  const std::string query = query_text({{"labelSelector", options.label_selector},
                                        {"fieldSelector", options.field_selector},
                                        {"limit", options.limit > 0 ? std::to_string(options.limit) : ""},
                                        {"continue", options.continue_from}});
  json::value answer =
      TRY(send_json(request_for("GET", resource_path(type, ns), query), stop).in(what("list", type, ns, "")));
  ListPage page;
  page.resource_version = json::string_at(answer, {"metadata", "resourceVersion"});
  page.continue_from = json::string_at(answer, {"metadata", "continue"});
  json::value* items = answer.is_object() ? answer.get_object().if_contains("items") : nullptr;
  if (items == nullptr || !(items->is_array() || items->is_null())) {
    return Error(ErrorCode::corrupt, what("list", type, ns, "") + ": the answer is no list");
  }
  if (items->is_null()) return page;
  for (json::value& item : items->get_array()) {
    if (!item.is_object()) return Error(ErrorCode::corrupt, what("list", type, ns, "") + ": an item is no object");
    // Kubernetes leaves both out of items of typed lists; first, as kubectl shows them.
    json::object whole{{"apiVersion", type.api_version()}, {"kind", type.kind}};
    for (auto& [key, member] : item.get_object()) whole.insert_or_assign(key, std::move(member));
    page.items.emplace_back(std::move(whole));
  }
  return page;
}

Status Client::watch(const ResourceType& type, const std::string& ns, const WatchOptions& options,
                     const std::function<Status(const WatchEvent&)>& on_event, std::stop_token stop) {
  const auto seconds = std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(options.timeout).count());
  net::Request request = request_for("GET", resource_path(type, ns),
                                     query_text({{"watch", "true"},
                                                 {"allowWatchBookmarks", "true"},
                                                 {"resourceVersion", options.resource_version},
                                                 {"labelSelector", options.label_selector},
                                                 {"fieldSelector", options.field_selector},
                                                 {"timeoutSeconds", std::to_string(seconds)}}));
  request.timeout = options.timeout + kWatchGrace;
  request.idle_timeout = options_.watch_silence;
  const std::string name = what("watch", type, ns, "");
  for (bool renewed = false;; renewed = true) {
    const Authorized authorized = TRY(authorize(request, stop));
    int status = 0;
    std::string pending;
    const auto on_head = [&](const net::Response& head) -> Status {
      status = head.status;
      return {};
    };
    const auto on_body = [&](std::string_view piece) -> Status {
      pending.append(piece);
      if (pending.size() > kWatchLineMax) return Error(ErrorCode::exhausted, "an event is too large");
      if (status != 200) return {};
      size_t start = 0;
      for (size_t end = 0; (end = pending.find('\n', start)) != std::string::npos; start = end + 1) {
        const std::string_view line = std::string_view(pending).substr(start, end - start);
        if (line.empty()) continue;
        const WatchEvent event = TRY(parse_watch_line(line));
        TRY(on_event(event));
      }
      pending.erase(0, start);
      return {};
    };
    const Result<net::Response> ended = authorized.http->stream(authorized.request, on_head, on_body, stop);
    if (status == 401 && !renewed && credentials_.refused(authorized.credential)) continue;
    if (status != 0 && status != 200) return answer_error(status, pending).in(name);
    // Silence for too long, or the server's time is over: both end a watch without anything being wrong with it.
    if (ended.is(ErrorCode::timeout) && status == 200 && !stop.stop_requested()) return {};
    if (!ended.ok()) return ended.error().in(name);
    return {};
  }
}

Result<json::value> Client::create(const ResourceType& type, const std::string& ns, const json::value& object,
                                   const WriteOptions& options, std::stop_token stop) {
  const std::string name = json::string_at(object, {"metadata", "name"});
  const std::string path =
      options.subresource.empty() ? resource_path(type, ns) : resource_path(type, ns, name, options.subresource);
  return send_write(request_for("POST", path, write_query(options)), with_kind(type, object, options),
                    "application/json", stop)
      .in(what("create", type, ns, name));
}

Result<json::value> Client::update(const ResourceType& type, const std::string& ns, const json::value& object,
                                   const WriteOptions& options, std::stop_token stop) {
  const std::string name = json::string_at(object, {"metadata", "name"});
  if (name.empty()) return Error(ErrorCode::invalid, what("update", type, ns, name) + ": no name");
  const std::string path = resource_path(type, ns, name, options.subresource);
  return send_write(request_for("PUT", path, write_query(options)), with_kind(type, object, options),
                    "application/json", stop)
      .in(what("update", type, ns, name));
}

Result<json::value> Client::patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                  PatchKind kind, const json::value& body, const WriteOptions& options,
                                  std::stop_token stop) {
  if (name.empty()) return Error(ErrorCode::invalid, what("patch", type, ns, name) + ": no name");
  const std::string path = resource_path(type, ns, name, options.subresource);
  const std::string query = write_query(options, kind == PatchKind::apply);
  if (kind != PatchKind::apply) {
    return send_write(request_for("PATCH", path, query), body, content_type_of(kind), stop)
        .in(what("patch", type, ns, name));
  }
  // An applied configuration must say what it is.
  json::value whole = body;
  if (whole.is_object()) {
    json::set(whole.get_object(), {"apiVersion"}, type.api_version());
    json::set(whole.get_object(), {"kind"}, type.kind);
    json::set(whole.get_object(), {"metadata", "name"}, name);
  }
  return send_write(request_for("PATCH", path, query), whole, content_type_of(kind), stop)
      .in(what("apply", type, ns, name));
}

Status Client::remove(const ResourceType& type, const std::string& ns, const std::string& name,
                      const DeleteOptions& options, std::stop_token stop) {
  if (name.empty()) return Error(ErrorCode::invalid, what("delete", type, ns, name) + ": no name");
  json::object body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.propagation.empty()) json::set(body, {"propagationPolicy"}, options.propagation);
  if (!options.uid.empty()) json::set(body, {"preconditions", "uid"}, options.uid);
  if (options.grace_seconds) json::set(body, {"gracePeriodSeconds"}, *options.grace_seconds);
  const Result<json::value> done =
      send_write(request_for("DELETE", resource_path(type, ns, name), ""), body, "application/json", stop);
  return done.ok() ? Status() : Status(done.error().in(what("delete", type, ns, name)));
}

Result<std::string> Client::container_of(const std::string& ns, const std::string& pod, const std::string& wish,
                                         const std::stop_token& stop) {
  if (!wish.empty()) return wish;
  const json::value object = TRY(get(types::pods(), ns, pod, stop));
  const json::array& containers = json::array_at(object, {"spec", "containers"});
  return containers.empty() ? std::string() : json::string_at(containers.front(), {"name"});
}

Result<std::string> Client::logs(const std::string& ns, const std::string& pod, const std::string& container,
                                 std::stop_token stop) {
  const std::string chosen = TRY(container_of(ns, pod, container, stop));
  net::Request request =
      request_for("GET", resource_path(types::pods(), ns, pod, "log"), query_text({{"container", chosen}}));
  request.headers.set("Accept", "*/*");
  net::Response response = TRY(send(request, stop).in(fmt::format("logs of pod {}/{}", ns, pod)));
  return std::move(response.body);
}

Result<ExecResult> Client::exec(const std::string& ns, const std::string& pod, const std::string& container,
                                const std::vector<std::string>& command, Duration timeout, std::stop_token stop) {
  const std::string name = fmt::format("exec in pod {}/{}", ns, pod);
  const BootTime deadline = system_clock().boottime() + timeout;
  const std::string chosen = TRY(container_of(ns, pod, container, stop));
  std::string text = query_text({{"container", chosen}, {"stdout", "true"}, {"stderr", "true"}});
  for (const std::string& word : command) text += "&command=" + net::percent_encode(word);
  if (command.empty()) return Error(ErrorCode::invalid, name + ": no command");
  net::Request request = request_for("GET", resource_path(types::pods(), ns, pod, "exec"), text);
  request.headers.set("Accept", "*/*");  // anything narrower is answered with 406
  const Authorized authorized = TRY(authorize(request, stop));
  net::TlsOptions tls = options_.access.tls;
  tls.certificate_pem = authorized.credential.certificate_pem;
  tls.key_pem = authorized.credential.key_pem;
  const auto socket =
      TRY(net::connect_websocket(request.url, authorized.request.headers, {"v5.channel.k8s.io", "v4.channel.k8s.io"},
                                 tls, std::min(timeout, options_.request_timeout), stop)
              .in(name));
  ExecChannels channels;
  while (!channels.complete()) {
    const Duration left = deadline - system_clock().boottime();
    if (left <= Duration::zero()) return Error(ErrorCode::timeout, name + ": the command has not ended in time");
    Result<net::WebSocket::Message> message = socket->read(stop, left);
    if (message.is(ErrorCode::timeout)) return Error(ErrorCode::timeout, name + ": the command has not ended in time");
    if (!message.ok()) return message.error().in(name);
    if (message->kind == net::WebSocket::Kind::closed) break;
    TRY(channels.take(message->bytes).in(name));
  }
  socket->close();
  return channels.result().in(name);
}

Result<std::vector<ResourceType>> Client::discover(std::stop_token stop) {
  std::vector<ResourceType> types;
  std::vector<std::string> unreachable;
  json::value documents[2];
  for (size_t i = 0; i < 2; ++i) {
    net::Request request = request_for("GET", i == 0 ? "/api" : "/apis", "");
    request.headers.set("Accept", std::string(kAggregated));
    documents[i] = TRY(send_json(request, stop).in("discovery"));
  }
  const auto aggregated = [](const json::value& document) {
    return json::string_at(document, {"kind"}) == "APIGroupDiscoveryList";
  };
  if (aggregated(documents[0]) && aggregated(documents[1])) {
    for (const json::value& document : documents) {
      for (ResourceType& type : parse_group_discovery(document, unreachable)) types.push_back(std::move(type));
    }
  } else {
    types = TRY(discover_one_by_one(documents[0], documents[1], unreachable, stop));
  }
  mark_preferred(types);
  std::lock_guard lock(mutex_);
  unreachable_ = std::move(unreachable);
  return types;
}

Result<std::vector<ResourceType>> Client::discover_one_by_one(const json::value& core, const json::value& groups,
                                                              std::vector<std::string>& unreachable,
                                                              const std::stop_token& stop) {
  struct Place {
    std::string group;
    std::string version;
  };
  std::vector<Place> places;
  for (const std::string& version : json::strings(json::array_at(core, {"versions"}))) places.push_back({"", version});
  for (const json::value& group : json::array_at(groups, {"groups"})) {
    const std::string name = json::string_at(group, {"name"});
    const std::string first = json::string_at(group, {"preferredVersion", "version"});
    if (!first.empty()) places.push_back({name, first});
    for (const json::value& version : json::array_at(group, {"versions"})) {
      const std::string other = json::string_at(version, {"version"});
      if (other != first) places.push_back({name, other});
    }
  }
  std::vector<ResourceType> types;
  for (const Place& place : places) {
    const std::string path =
        place.group.empty() ? "/api/" + place.version : "/apis/" + place.group + "/" + place.version;
    const Result<json::value> document = send_json(request_for("GET", path, ""), stop);
    const bool gone = document.is(ErrorCode::unavailable) || document.is(ErrorCode::not_found);
    if (gone && !place.group.empty()) {
      unreachable.push_back(place.group + "/" + place.version);
      continue;
    }
    if (!document.ok()) return document.error().in("discovery: get " + path);
    for (ResourceType& type : parse_resource_list(*document, place.group, place.version)) {
      types.push_back(std::move(type));
    }
  }
  return types;
}

std::vector<std::string> Client::unreachable_groups() const {
  std::lock_guard lock(mutex_);
  return unreachable_;
}

}  // namespace holdfast::kube
