#include "sandbox/site/forwarder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
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

sockaddr_in ipv4(const std::string& address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &out.sin_addr);
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

Result<Forwarder> Forwarder::start(const Runtime& runtime, uint16_t port, pid_t network_pid, const std::string& address,
                                   uint16_t target_port) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return errno_error(errno, "open a socket");
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where = ipv4("127.0.0.1", port);
  socklen_t length = sizeof where;
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&where), length) != 0 ||
      ::listen(listener.get(), 128) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&where), &length) != 0) {
    return errno_error(errno, fmt::format("listen on 127.0.0.1:{}", port));
  }
  std::vector<std::string> argv = {runtime.program};
  argv.insert(argv.end(), runtime.verb.begin(), runtime.verb.end());
  for (const std::string& word :
       {std::string("forward"), std::to_string(network_pid), address, std::to_string(target_port)}) {
    argv.push_back(word);
  }
  Process process = TRY(Process::spawn({.argv = std::move(argv), .in = listener.get()}));
  return Forwarder(std::move(process), ntohs(where.sin_port));
}

int forward_connections(pid_t network_pid, const std::string& address, uint16_t target_port) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const UniqueFd door(::open(fmt::format("/proc/{}/ns/net", network_pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!door.valid() || ::setns(door.get(), CLONE_NEWNET) != 0) {
    fmt::print(stderr, "forward: {}\n", errno_error(errno, "enter the other network").message());
    return 1;
  }
  while (true) {
    auto client = std::make_shared<UniqueFd>(::accept4(0, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client->valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return 1;
    }
    // Each connection's thread ends with its peers; all of them end with this process.
    std::thread([client, address, target_port] {
      const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in where = ipv4(address, target_port);
      if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) carry(*client, server);
    }).detach();
  }
}

}  // namespace holdfast::sandbox
