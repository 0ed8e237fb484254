#include "sandbox/node/service_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/process.h"

namespace holdfast::sandbox {

std::vector<Forward> forwards_of(const std::vector<json::value>& services, const std::vector<json::value>& endpoints) {
  std::map<std::string, const json::value*> by_name;
  const auto name_of = [](const json::value& o) {
    return json::string_at(o, {"metadata", "namespace"}) + "/" + json::string_at(o, {"metadata", "name"});
  };
  for (const json::value& o : endpoints) by_name[name_of(o)] = &o;
  std::vector<Forward> out;
  for (const json::value& service : services) {
    const std::string cluster_ip = json::string_at(service, {"spec", "clusterIP"});
    if (cluster_ip.empty() || cluster_ip == "None") continue;
    const auto found = by_name.find(name_of(service));
    for (const json::value& port : json::array_at(service, {"spec", "ports"})) {
      std::vector<std::pair<std::string, uint16_t>> targets;
      for (const json::value& subset :
           found == by_name.end() ? json::array() : json::array_at(*found->second, {"subsets"})) {
        for (const json::value& target : json::array_at(subset, {"ports"})) {
          if (json::string_at(target, {"name"}) != json::string_at(port, {"name"})) continue;
          for (const json::value& address : json::array_at(subset, {"addresses"})) {
            targets.emplace_back(json::string_at(address, {"ip"}),
                                 static_cast<uint16_t>(json::int_at(target, {"port"})));
          }
        }
      }
      out.push_back({cluster_ip, static_cast<uint16_t>(json::int_at(port, {"port"})), targets});
      if (const int64_t node_port = json::int_at(port, {"nodePort"}); node_port > 0) {
        out.push_back({"", static_cast<uint16_t>(node_port), targets});
      }
    }
  }
  return out;
}

namespace {

sockaddr_in socket_address(const std::string& address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (address.empty() || ::inet_pton(AF_INET, address.c_str(), &out.sin_addr) != 1)
    out.sin_addr.s_addr = htonl(INADDR_ANY);
  return out;
}

Result<UniqueFd> listen_on(const std::string& address, uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "open a socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in where = socket_address(address, port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 || ::listen(fd.get(), 128) != 0) {
    return errno_error(errno, fmt::format("listen on {}:{}", address, port));
  }
  return fd;
}

/// Copies what is there from one socket to the other; false at the end of either.
bool copy_some(int from, int to) {
  char buffer[65536];
  const ssize_t n = ::read(from, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  return write_all(to, {buffer, static_cast<size_t>(n)}, "connection").ok();
}

void carry(const UniqueFd& client, const UniqueFd& server, std::stop_token stop) {
  bool client_open = true;
  bool server_open = true;
  while ((client_open || server_open) && !stop.stop_requested()) {
    pollfd waits[2] = {{client_open ? client.get() : -1, POLLIN, 0}, {server_open ? server.get() : -1, POLLIN, 0}};
    if (::poll(waits, 2, 200) <= 0) continue;
    if (waits[0].revents != 0 && !copy_some(client.get(), server.get())) {
      client_open = false;
      ::shutdown(server.get(), SHUT_WR);
    }
    if (waits[1].revents != 0 && !copy_some(server.get(), client.get())) {
      // The server's end ends the whole: a half-open client would wait for ever.
      return;
    }
  }
}

class RunningProxy final : public ServiceProxy {
 public:
  RunningProxy(kube::Api& api, Clock& clock, log::Logger log) : api_(api), clock_(clock), log_(std::move(log)) {
    follower_ = std::jthread([this](std::stop_token stop) { follow(std::move(stop)); });
    acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(std::move(stop)); });
  }
  ~RunningProxy() override {
    follower_ = {};
    acceptor_ = {};
    std::lock_guard lock(mutex_);
    connections_.clear();
  }

 private:
  struct Listener {
    UniqueFd fd;
    std::vector<std::pair<std::string, uint16_t>> targets;
    size_t turn = 0;
  };
  struct Connection {
    std::atomic<bool> done = false;
    std::jthread thread;
  };

  void follow(std::stop_token stop) {
    // Few objects and a quick API: asking again is simpler than two watches, and as fresh as the demo needs.
    while (!stop.stop_requested()) {
      if (const Status status = refresh(stop); !status && !stop.stop_requested()) {
        log_.warning("reading services failed", {{"error", status.error()}});
      }
      if (!clock_.sleep(stop, std::chrono::milliseconds(200))) return;
    }
  }

  Status refresh(std::stop_token stop) {
    const kube::ListPage services = TRY(kube::list_all(api_, kube::types::services(), "", {}, stop));
    const kube::ListPage endpoints = TRY(kube::list_all(api_, kube::types::endpoints(), "", {}, stop));
    std::map<std::pair<std::string, uint16_t>, Forward> wanted;
    for (Forward& forward : forwards_of(services.items, endpoints.items)) {
      wanted[{forward.address, forward.port}] = std::move(forward);
    }
    std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [&](const auto& entry) { return !wanted.contains(entry.first); });
    for (auto& [key, forward] : wanted) {
      const auto there = listeners_.find(key);
      if (there != listeners_.end()) {
        there->second.targets = std::move(forward.targets);
        continue;
      }
      if (!key.first.empty()) TRY(put_on_lo(key.first));
      listeners_[key] = Listener{TRY(listen_on(key.first, key.second)), std::move(forward.targets)};
    }
    return {};
  }

  Status put_on_lo(const std::string& address) {
    if (!addresses_.insert(address).second) return {};
    return run_checked({"ip", "addr", "replace", address + "/32", "dev", "lo"});
  }

  void accept_all(std::stop_token stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> waits;
      {
        std::lock_guard lock(mutex_);
        for (const auto& [key, listener] : listeners_) waits.push_back({listener.fd.get(), POLLIN, 0});
        connections_.remove_if([](const auto& connection) { return connection->done.load(); });
      }
      if (::poll(waits.data(), waits.size(), 100) <= 0) continue;
      std::lock_guard lock(mutex_);
      for (auto& [key, listener] : listeners_) {
        UniqueFd client(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (client.valid()) open_connection(listener, std::move(client));
      }
    }
  }

  void open_connection(Listener& listener, UniqueFd client) {
    if (listener.targets.empty()) return;  // closing it at once is what a service without endpoints does
    const auto target = listener.targets[listener.turn++ % listener.targets.size()];
    auto connection = std::make_shared<Connection>();
    auto shared_client = std::make_shared<UniqueFd>(std::move(client));
    connection->thread = std::jthread([connection = connection.get(), shared_client, target](std::stop_token stop) {
      const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in where = socket_address(target.first, target.second);
      const timeval limit{3, 0};
      ::setsockopt(server.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) {
        carry(*shared_client, server, std::move(stop));
      }
      shared_client->reset();
      connection->done = true;
    });
    connections_.push_back(std::move(connection));
  }

  kube::Api& api_;
  Clock& clock_;
  const log::Logger log_;
  std::mutex mutex_;
  std::map<std::pair<std::string, uint16_t>, Listener> listeners_;
  std::set<std::string> addresses_;
  std::list<std::shared_ptr<Connection>> connections_;
  std::jthread follower_;
  std::jthread acceptor_;
};

}  // namespace

Result<std::unique_ptr<ServiceProxy>> ServiceProxy::start(kube::Api& api, Clock& clock, log::Logger log) {
  return std::unique_ptr<ServiceProxy>(std::make_unique<RunningProxy>(api, clock, std::move(log)));
}

}  // namespace holdfast::sandbox
