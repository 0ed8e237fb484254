#include "sandbox/site/forwarder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace holdfast::sandbox {

namespace {

Status enter(const std::string& network) {
  if (network.empty()) return {};
  const UniqueFd door(::open(network.c_str(), O_RDONLY | O_CLOEXEC));
  if (!door.valid() || ::setns(door.get(), CLONE_NEWNET) != 0) return errno_error(errno, "enter network " + network);
  return {};
}

struct Listener {
  UniqueFd socket;
  uint16_t port = 0;
};

Result<Listener> listen_here(const DoorEnd& at) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return errno_error(errno, "open a socket");
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(at.port);
  if (::inet_pton(AF_INET, at.address.c_str(), &where.sin_addr) != 1)
    return Error(ErrorCode::invalid, at.address + " is no IPv4 address");
  socklen_t length = sizeof where;
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&where), length) != 0 ||
      ::listen(listener.get(), 128) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&where), &length) != 0) {
    return errno_error(errno, fmt::format("listen on {}:{}", at.address, at.port));
  }
  return Listener{std::move(listener), ntohs(where.sin_port)};
}

/// A socket stays in the network it was made in, and a thread can be in a network of its own.
Result<Listener> listen_at(const DoorEnd& at) {
  if (at.network.empty()) return listen_here(at);
  Result<Listener> out = Error(ErrorCode::internal, "not tried");
  std::thread([&] {
    const Status entered = enter(at.network);
    out = entered.ok() ? listen_here(at) : Result<Listener>(entered.error());
  }).join();
  return out;
}

/// Not valid where none of the name's addresses answers.
UniqueFd connect_to(const DoorEnd& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(to.address.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) return UniqueFd();
  UniqueFd out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    UniqueFd server(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!server.valid() || ::connect(server.get(), at->ai_addr, at->ai_addrlen) != 0) continue;
    out = std::move(server);
    break;
  }
  ::freeaddrinfo(found);
  return out;
}

/// Copies both ways until both ends are done, or one breaks.
void carry(const UniqueFd& client, const UniqueFd& server) {
  bool open[2] = {true, true};
  const int ends[2] = {client.get(), server.get()};
  char buffer[65536];
  while (open[0] || open[1]) {
    pollfd waits[2] = {{open[0] ? ends[0] : -1, POLLIN, 0}, {open[1] ? ends[1] : -1, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
    for (int from = 0; from < 2; ++from) {
      if (!open[from] || waits[from].revents == 0) continue;
      const ssize_t n = ::read(ends[from], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        open[from] = false;
        if (n < 0 || ::shutdown(ends[1 - from], SHUT_WR) != 0) return;
      } else if (!write_all(ends[1 - from], {buffer, static_cast<size_t>(n)}, "connection")) {
        return;
      }
    }
  }
}

}  // namespace

std::string network_of(pid_t pid) {
  return fmt::format("/proc/{}/ns/net", pid);
}

Result<Forwarder> Forwarder::start(const Runtime& runtime, const DoorEnd& from, const DoorEnd& to) {
  const Listener listener = TRY(listen_at(from));
  std::vector<std::string> argv = {runtime.program};
  argv.insert(argv.end(), runtime.verb.begin(), runtime.verb.end());
  argv.insert(argv.end(), {"forward", to.address, std::to_string(to.port)});
  if (!to.network.empty()) argv.push_back(to.network);
  Process process = TRY(Process::spawn({.argv = std::move(argv), .in = listener.socket.get()}));
  return Forwarder(std::move(process), listener.port);
}

int forward_connections(const DoorEnd& to) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (const Status entered = enter(to.network); !entered) {
    fmt::print(stderr, "forward: {}\n", entered.error().message());
    return 1;
  }
  while (true) {
    auto client = std::make_shared<UniqueFd>(::accept4(0, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client->valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return 1;
    }
    // Each connection's thread ends with its peers; all of them end with this process.
    std::thread([client, to] {
      const UniqueFd server = connect_to(to);
      if (server.valid()) carry(*client, server);
    }).detach();
  }
}

}  // namespace holdfast::sandbox
