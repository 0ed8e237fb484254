#include "sandbox/apiserver/node_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "sandbox/apiserver/refusal.h"
#include "sandbox/node_contract.h"

namespace holdfast::sandbox {

namespace {

// The container the request means: the one it names, else the only or first one.
Result<std::string> container_of(const ApiRequest& request, const json::value& pod) {
  const std::string asked = request.query("container");
  const std::string name = json::string_at(pod, {"metadata", "name"});
  std::vector<std::string> names;
  for (const char* list : {"containers", "initContainers"}) {
    for (const json::value& container : json::array_at(pod, {"spec", list})) {
      names.push_back(json::string_at(container, {"name"}));
    }
  }
  if (asked.empty() && !names.empty()) return names.front();
  if (std::find(names.begin(), names.end(), asked) == names.end()) {
    return bad_request(fmt::format("container {} is not valid for pod {}", asked, name));
  }
  return asked;
}

// The first protocol the client offers that we speak.
std::string choose_protocol(const net::ServerRequest& http) {
  for (const std::string& offered : split(http.headers.get("Sec-WebSocket-Protocol"), ',')) {
    for (const char* known : kExecProtocols) {
      if (trim(offered) == known) return known;
    }
  }
  return {};
}

// Copies messages one way until either end is through.
void copy_messages(net::WebSocket& from, net::WebSocket& to, const std::stop_token& stop) {
  while (true) {
    const Result<net::WebSocket::Message> message = from.read(stop, Duration::zero());
    if (!message.ok() || message->kind == net::WebSocket::Kind::closed) break;
    if (!to.write(message->kind, message->bytes).ok()) break;
  }
  to.close(1000);
}

}  // namespace

std::optional<std::string> node_base_url(const json::value& node) {
  const int64_t port = json::int_at(node, {"status", "daemonEndpoints", "kubeletEndpoint", "Port"});
  for (const json::value& address : json::array_at(node, {"status", "addresses"})) {
    if (json::string_at(address, {"type"}) == "InternalIP" && port > 0) {
      return fmt::format("http://{}:{}", json::string_at(address, {"address"}), port);
    }
  }
  return std::nullopt;
}

Result<std::unique_ptr<NodeProxy>> NodeProxy::create(const Store& store) {
  net::ClientOptions options;
  options.proxy = "-";
  std::unique_ptr<net::HttpClient> client = TRY(net::HttpClient::create(std::move(options)));
  return std::unique_ptr<NodeProxy>(new NodeProxy(store, std::move(client)));
}

Result<std::string> NodeProxy::container_url(const ApiRequest& request, const json::value& pod,
                                             const char* endpoint) const {
  const std::string container = TRY(container_of(request, pod));
  const std::string node_name = json::string_at(pod, {"spec", "nodeName"});
  if (node_name.empty()) return bad_request(fmt::format("pod {} does not have a host assigned", request.name));
  const Object node = store_.get("nodes//" + node_name);
  if (!node) return not_found("nodes \"" + node_name + "\"");
  const std::optional<std::string> base = node_base_url(*node);
  if (!base) return Error(ErrorCode::unavailable, "node " + node_name + " has no address");
  return fmt::format("{}/{}/{}/{}/{}", *base, endpoint, net::percent_encode(request.ns),
                     net::percent_encode(request.name), net::percent_encode(container));
}

Status NodeProxy::serve_log(const ApiRequest& request, const json::value& pod, net::Responder& responder) {
  net::Request outgoing;
  outgoing.url = TRY(container_url(request, pod, "containerLogs"));
  const size_t question = request.http->target.find('?');
  if (question != std::string::npos) outgoing.url += request.http->target.substr(question);
  outgoing.timeout = Duration::zero();
  bool begun = false;
  const auto on_head = [&](const net::Response& head) -> Status {
    begun = true;
    return responder.begin(head.status, {{"Content-Type", "text/plain"}});
  };
  const auto on_body = [&](std::string_view piece) { return responder.write(piece); };
  const Result<net::Response> answer = client_->stream(outgoing, on_head, on_body, responder.stop());
  if (!answer.ok() && !begun) return answer.error().in("node");
  if (answer.ok()) (void)responder.end().ok();  // a cut stream must look cut; a client that left cannot be told
  return {};
}

Status NodeProxy::serve_exec(const ApiRequest& request, const json::value& pod, net::Responder& responder) {
  const std::string protocol = choose_protocol(*request.http);
  if (protocol.empty()) {
    return bad_request("exec is served over WebSocket with v5.channel.k8s.io or v4.channel.k8s.io only");
  }
  std::string url = TRY(container_url(request, pod, "exec"));
  const size_t question = request.http->target.find('?');
  if (question != std::string::npos) url += request.http->target.substr(question);
  const Result<std::unique_ptr<net::WebSocket>> node =
      net::connect_websocket(url, {}, {protocol}, {}, std::chrono::seconds(10), responder.stop());
  if (!node.ok()) return node.error().in("node");
  net::WebSocket* client = TRY(responder.upgrade(protocol));
  {
    std::jthread inward([&](const std::stop_token& stop) { copy_messages(*client, **node, stop); });
    copy_messages(**node, *client, responder.stop());
    inward.request_stop();
  }
  return {};
}

}  // namespace holdfast::sandbox
