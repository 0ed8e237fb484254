#include "sandbox/node/node.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/text.h"
#include "net/http_server.h"
#include "sandbox/node/exec_session.h"
#include "sandbox/node/pod_runner.h"
#include "sandbox/node/service_proxy.h"

namespace holdfast::sandbox {

namespace {

constexpr Duration kHeartbeat = std::chrono::seconds(5);

class RunningNode final : public Node {
 public:
  RunningNode(kube::Api& api, Clock& clock, log::Logger log, NodeOptions options)
      : options_(std::move(options)),
        addresses_(options_.pod_prefix),
        context_{api,
                 clock,
                 std::move(log),
                 {options_.program, {"sandbox-internal"}, options_.state_directory},
                 options_.name,
                 options_.address,
                 "cni0",
                 addresses_,
                 options_.kubelet_directory + "/pods",
                 options_.state_directory + "/logs",
                 options_.images_directory,
                 options_.ca_pem,
                 options_.kubernetes_service_host,
                 options_.kubernetes_service_port} {}

  Status open() {
    for (const std::string& path : {context_.pods_directory, context_.logs_directory}) TRY(make_directories(path));
    TRY(make_bridge());
    const net::ServerOptions server{.address = "0.0.0.0",
                                    .port = options_.port,
                                    .certificate_pem = options_.certificate_pem,
                                    .key_pem = options_.key_pem,
                                    .client_ca_pem = {}};
    server_ = TRY(net::HttpServer::start(
        server, [this](const net::ServerRequest& request, net::Responder& responder) { answer(request, responder); }));
    TRY(register_node());
    proxy_ = TRY(ServiceProxy::start(context_.api, context_.clock, context_.log));
    heart_ = std::jthread([this](std::stop_token stop) { beat(std::move(stop)); });
    watcher_ = std::jthread([this](std::stop_token stop) { watch(std::move(stop)); });
    return {};
  }

  ~RunningNode() override {
    watcher_ = {};
    heart_ = {};
    server_.reset();
    proxy_.reset();
  }

 private:
  Status make_bridge() const {
    const Result<CommandOutput> there = run_command({"ip", "link", "show", "cni0"});
    if (there.ok() && there->code == 0) return {};
    TRY(run_checked(
        {"ip", "link", "add", "cni0", "address", hardware_address(addresses_.gateway()), "type", "bridge"}));
    TRY(run_checked({"ip", "addr", "add", addresses_.gateway() + "/24", "dev", "cni0"}));
    TRY(run_checked({"ip", "link", "set", "cni0", "up"}));
    // Pods reach what is beyond the node: a store at the hub.
    const UniqueFd forward(::open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC));
    if (!forward.valid()) return errno_error(errno, "open /proc/sys/net/ipv4/ip_forward");
    return write_all(forward.get(), "1", "ip_forward");
  }

  [[nodiscard]] json::object node_status() const {
    const std::string now = format_rfc3339(context_.clock.now());
    utsname kernel{};
    ::uname(&kernel);
    const json::object capacity{{"cpu", std::to_string(std::thread::hardware_concurrency())},
                                {"memory", fmt::format("{}Ki", options_.memory_bytes / 1024)},
                                {"pods", "110"},
                                {"ephemeral-storage", "100Gi"}};
    return {{"capacity", capacity},
            {"allocatable", capacity},
            {"addresses", json::array{json::object{{"type", "InternalIP"}, {"address", options_.address}},
                                      json::object{{"type", "Hostname"}, {"address", options_.name}}}},
            {"daemonEndpoints", json::object{{"kubeletEndpoint", json::object{{"Port", server_->port()}}}}},
            {"conditions", json::array{json::object{{"type", "Ready"},
                                                    {"status", "True"},
                                                    {"reason", "KubeletReady"},
                                                    {"message", "the sandbox node is running"},
                                                    {"lastHeartbeatTime", now},
                                                    {"lastTransitionTime", started_}}}},
            {"nodeInfo", json::object{{"kernelVersion", kernel.release},
                                      {"osImage", "holdfast sandbox"},
                                      {"containerRuntimeVersion", "sandbox://1"},
                                      {"kubeletVersion", "v1.31.0-sandbox"},
                                      {"kubeProxyVersion", ""},
                                      {"operatingSystem", "linux"},
                                      {"architecture", "amd64"},
                                      {"bootID", trimmed_file("/proc/sys/kernel/random/boot_id")},
                                      {"machineID", ""},
                                      {"systemUUID", ""}}}};
  }

  static std::string trimmed_file(const char* path) {
    const Result<std::string> text = read_file(path);
    return text.ok() ? std::string(trim(*text)) : "";
  }

  Status register_node() {
    started_ = format_rfc3339(context_.clock.now());
    json::object metadata{{"name", options_.name},
                          {"labels", json::object{{"kubernetes.io/hostname", options_.name},
                                                  {"kubernetes.io/os", "linux"},
                                                  {"kubernetes.io/arch", "amd64"}}}};
    const json::value node = json::object{{"apiVersion", "v1"},
                                          {"kind", "Node"},
                                          {"metadata", std::move(metadata)},
                                          {"spec", json::object{{"podCIDR", options_.pod_prefix + ".0/24"}}}};
    const Result<json::value> made = context_.api.create(kube::types::nodes(), "", node);
    if (!made && !made.is(ErrorCode::exists)) return made.error().in("register the node");
    return report_status();
  }

  Status report_status() {
    kube::WriteOptions options;
    options.subresource = "status";
    const Result<json::value> written =
        context_.api.patch(kube::types::nodes(), "", options_.name, kube::PatchKind::merge,
                           json::object{{"status", node_status()}}, options);
    if (!written) return written.error().in("report the node's status");
    return {};
  }

  void beat(std::stop_token stop) {
    while (context_.clock.sleep(stop, kHeartbeat)) {
      if (const Status status = report_status(); !status) {
        context_.log.warning("heartbeat failed", {{"node", options_.name}, {"error", status.error()}});
      }
    }
  }

  // ---- pods

  void watch(std::stop_token stop) {
    while (!stop.stop_requested()) {
      const Status status = list_and_watch(stop);
      if (!status && !stop.stop_requested()) {
        context_.log.warning("watching pods failed", {{"node", options_.name}, {"error", status.error()}});
      }
      if (!context_.clock.sleep(stop, std::chrono::milliseconds(status.ok() ? 10 : 500))) break;
    }
    std::lock_guard lock(mutex_);
    runners_.clear();
  }

  Status list_and_watch(std::stop_token stop) {
    const std::string selector = "spec.nodeName=" + options_.name;
    kube::ListOptions list;
    list.field_selector = selector;
    const kube::ListPage page = TRY(kube::list_all(context_.api, kube::types::pods(), "", list, stop));
    std::set<std::string> present;
    for (const json::value& pod : page.items) {
      present.insert(json::string_at(pod, {"metadata", "uid"}));
      accept(pod);
    }
    forget_others(present);
    kube::WatchOptions watch;
    watch.resource_version = page.resource_version;
    watch.field_selector = selector;
    const Status status = context_.api.watch(
        kube::types::pods(), "", watch,
        [this](const kube::WatchEvent& event) -> Status {
          if (event.kind == kube::WatchEvent::Kind::deleted) {
            forget(json::string_at(event.object, {"metadata", "uid"}));
          } else if (event.kind != kube::WatchEvent::Kind::bookmark) {
            accept(event.object);
          }
          return {};
        },
        stop);
    // Too old: list anew, at once.
    return status.is(ErrorCode::conflict) ? Status() : status;
  }

  void accept(const json::value& pod) {
    const std::string uid = json::string_at(pod, {"metadata", "uid"});
    std::lock_guard lock(mutex_);
    auto found = runners_.find(uid);
    if (found == runners_.end()) found = runners_.emplace(uid, std::make_unique<PodRunner>(context_, pod)).first;
    names_[json::string_at(pod, {"metadata", "namespace"}) + "/" + json::string_at(pod, {"metadata", "name"})] = uid;
    if (json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr) {
      found->second->end(std::chrono::seconds(json::int_at(pod, {"metadata", "deletionGracePeriodSeconds"}, 30)));
    }
  }

  void forget(const std::string& uid) {
    std::unique_ptr<PodRunner> gone;
    {
      std::lock_guard lock(mutex_);
      const auto found = runners_.find(uid);
      if (found == runners_.end()) return;
      // Removed under us (grace 0, or while nobody watched): what it left is cleaned up by ending it.
      if (!found->second->finished()) {
        found->second->end(Duration::zero());
        return;
      }
      gone = std::move(found->second);
      runners_.erase(found);
      std::erase_if(names_, [&](const auto& entry) { return entry.second == uid; });
    }
  }

  void forget_others(const std::set<std::string>& present) {
    std::vector<std::string> gone;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [uid, runner] : runners_) {
        if (!present.contains(uid)) gone.push_back(uid);
      }
    }
    for (const std::string& uid : gone) forget(uid);
  }

  // ---- exec and logs

  void answer(const net::ServerRequest& request, net::Responder& responder) {
    const std::vector<std::string> parts = split(request.path, '/');  // "", verb, ns, pod, container
    if (parts.size() == 5 && parts[1] == "containerLogs") {
      const Result<std::string> text =
          with_runner<std::string>(parts[2], parts[3], [&](PodRunner& runner) { return runner.logs(parts[4]); });
      const int status = text.ok() ? 200 : 404;
      static_cast<void>(
          responder.reply(status, {{"Content-Type", "text/plain"}}, text.ok() ? *text : text.error().message()));
      return;
    }
    if (parts.size() == 5 && parts[1] == "exec") {
      exec(request, parts, responder);
      return;
    }
    static_cast<void>(
        responder.reply(404, {{"Content-Type", "text/plain"}}, request.path + " is not served by this node"));
  }

  template <typename T>
  Result<T> with_runner(const std::string& ns, const std::string& name,
                        const std::function<Result<T>(PodRunner&)>& act) {
    std::lock_guard lock(mutex_);
    const auto uid = names_.find(ns + "/" + name);
    const auto runner = uid == names_.end() ? runners_.end() : runners_.find(uid->second);
    if (runner == runners_.end())
      return Error(ErrorCode::not_found, fmt::format("pod {}/{} is not on this node", ns, name));
    return act(*runner->second);
  }

  void exec(const net::ServerRequest& request, const std::vector<std::string>& parts, net::Responder& responder) {
    std::vector<std::string> argv;
    const auto [first, last] = request.query.equal_range("command");
    for (auto word = first; word != last; ++word) argv.push_back(word->second);
    Result<ExecSession> session = ExecSession::start([&](int in, int out, int err) -> Result<Process> {
      if (argv.empty()) return Error(ErrorCode::invalid, "exec needs a command");
      return with_runner<Process>(parts[2], parts[3],
                                  [&](PodRunner& runner) { return runner.exec(parts[4], argv, in, out, err); });
    });
    if (!session) {
      const int status = session.is(ErrorCode::not_found) ? 404 : 400;
      static_cast<void>(responder.reply(status, {{"Content-Type", "text/plain"}}, session.error().message()));
      return;
    }
    session->relay(request, responder);
  }

  const NodeOptions options_;
  AddressPool addresses_;
  const NodeContext context_;
  std::string started_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<PodRunner>> runners_;  ///< by uid
  std::map<std::string, std::string> names_;                   ///< "ns/name" -> uid
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<ServiceProxy> proxy_;
  std::jthread heart_;
  std::jthread watcher_;
};

}  // namespace

Result<std::unique_ptr<Node>> Node::start(kube::Api& api, Clock& clock, log::Logger log, NodeOptions options) {
  auto node = std::make_unique<RunningNode>(api, clock, std::move(log), std::move(options));
  TRY(node->open());
  return std::unique_ptr<Node>(std::move(node));
}

}  // namespace holdfast::sandbox
