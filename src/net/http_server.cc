#include "net/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "net/http_connection.h"
#include "net/tls_context.h"

namespace holdfast::net {

namespace {

struct Listener {
  UniqueFd socket;
  uint16_t port = 0;
};

Result<Listener> listen_on(const std::string& address, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    length = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    length = sizeof *v6;
  } else {
    return Error(ErrorCode::invalid, fmt::format("'{}' is no IP address to listen on", address));
  }
  Listener listener;
  listener.socket = UniqueFd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.socket.valid()) return errno_error(errno, "socket");
  const int on = 1;
  (void)::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  if (::bind(listener.socket.get(), generic, length) != 0 || ::listen(listener.socket.get(), 512) != 0) {
    const int reason = errno;
    const ErrorCode code = reason == EACCES || reason == EPERM ? ErrorCode::denied : ErrorCode::exhausted;
    return Error(code, fmt::format("listen on {} port {}: {}", address, port, errno_error(reason, "").message()),
                 "choose another address or port");
  }
  if (::getsockname(listener.socket.get(), generic, &length) != 0) return errno_error(errno, "getsockname");
  listener.port = ntohs(storage.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
  return listener;
}

// The accepting thread owns the epoll set: the listening socket, a wake-up, and every connection's hang-up.
class Server final : public HttpServer {
 public:
  Server(ServerOptions options, Handler handler, TlsContext tls, Listener listener, UniqueFd epoll, UniqueFd wake)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        tls_(std::move(tls)),
        listener_(std::move(listener)),
        epoll_(std::move(epoll)),
        wake_(std::move(wake)) {
    watch(listener_.socket.get(), EPOLLIN, kListenerId);
    watch(wake_.get(), EPOLLIN, kWakeId);
    acceptor_ = std::jthread([this](std::stop_token stop) { accept_loop(stop); });
  }

  ~Server() override {
    acceptor_.request_stop();
    (void)::eventfd_write(wake_.get(), 1);
    acceptor_.join();
    std::map<uint64_t, Entry> left;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [id, entry] : connections_) entry.connection->stop();
      left.swap(connections_);
    }
    left.clear();  // joins each thread
  }

  uint16_t port() const override { return listener_.port; }

 private:
  static constexpr uint64_t kListenerId = 0;
  static constexpr uint64_t kWakeId = 1;
  struct Entry {
    std::shared_ptr<HttpConnection> connection;
    std::jthread thread;
  };

  void watch(int descriptor, uint32_t events, uint64_t id) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0);
  }

  void accept_loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      epoll_event events[64];
      const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
      for (int i = 0; i < count; ++i) {
        const uint64_t id = events[i].data.u64;
        if (id == kWakeId) {
          eventfd_t ignored = 0;
          (void)::eventfd_read(wake_.get(), &ignored);
        } else if (id != kListenerId) {
          hang_up(id);
        }
      }
      reap();
      if (!stop.stop_requested()) accept_some();
    }
  }

  void hang_up(uint64_t id) {
    std::shared_ptr<HttpConnection> connection;
    {
      const std::lock_guard lock(mutex_);
      const auto found = connections_.find(id);
      if (found != connections_.end()) connection = found->second.connection;
    }
    if (connection) connection->peer_gone();
  }

  void reap() {
    std::vector<Entry> ended;
    const std::lock_guard lock(mutex_);
    for (const uint64_t id : ended_) {
      const auto found = connections_.find(id);
      if (found == connections_.end()) continue;
      ended.push_back(std::move(found->second));
      connections_.erase(found);
    }
    ended_.clear();
  }

  void accept_some() {
    const bool room = connection_count() < options_.connections_max;
    if (room != accepting_) {  // with the table full the listen queue holds the others back
      epoll_event event{};
      event.events = room ? uint32_t{EPOLLIN} : 0U;
      event.data.u64 = kListenerId;
      CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.socket.get(), &event) == 0);
      accepting_ = room;
    }
    while (connection_count() < options_.connections_max) {
      UniqueFd socket(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket.valid()) return;
      Result<std::unique_ptr<ByteStream>> stream = ByteStream::adopt(std::move(socket));
      if (stream.ok()) begin(*std::move(stream));
    }
  }

  size_t connection_count() {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }

  void begin(std::unique_ptr<ByteStream> stream) {
    auto connection = std::make_shared<HttpConnection>(std::move(stream), options_, handler_, tls_.get());
    const uint64_t id = ++last_id_;
    watch(connection->descriptor(), EPOLLRDHUP | EPOLLONESHOT, id);
    const std::lock_guard lock(mutex_);
    Entry& entry = connections_[id];
    entry.connection = connection;
    entry.thread = std::jthread([this, id, connection] {
      connection->serve();
      {
        const std::lock_guard ended_lock(mutex_);
        ended_.push_back(id);
      }
      (void)::eventfd_write(wake_.get(), 1);
    });
  }

  const ServerOptions options_;
  const Handler handler_;
  const TlsContext tls_;
  const Listener listener_;
  const UniqueFd epoll_;
  const UniqueFd wake_;
  uint64_t last_id_ = kWakeId;
  bool accepting_ = true;
  std::mutex mutex_;
  std::map<uint64_t, Entry> connections_;
  std::vector<uint64_t> ended_;
  std::jthread acceptor_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(ServerOptions options, Handler handler) {
  TlsContext tls;
  if (!options.certificate_pem.empty()) {
    tls = TRY(make_server_tls(options.certificate_pem, options.key_pem, options.client_ca_pem));
  }
  Listener listener = TRY(listen_on(options.address, options.port));
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) return errno_error(errno, "epoll");
  return std::unique_ptr<HttpServer>(std::make_unique<Server>(std::move(options), std::move(handler), std::move(tls),
                                                              std::move(listener), std::move(epoll), std::move(wake)));
}

}  // namespace holdfast::net
