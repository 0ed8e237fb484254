// A door between networks of this machine: what listens in one of them leads to an address as another one sees it.
//
// So a site's API server and services are reachable for kubectl and browsers outside, and a store of this machine for
// the sites. The listening socket is made by the caller's process; connections go out from a child process, inside the
// network that they lead to. Destroying the forwarder closes the door.
#pragma once

#include <string>

#include "sandbox/node/container.h"

namespace holdfast::sandbox {

/// One end of a door. A network is named by a file ("/proc/PID/ns/net", "/run/netns/NAME"); empty: this process's own.
struct DoorEnd {
  std::string network = {};
  std::string address = "127.0.0.1";  ///< where it leads to, a name will do as well
  uint16_t port = 0;                  ///< where it listens, 0 is a free one
};

/// "/proc/PID/ns/net".
[[nodiscard]] std::string network_of(pid_t pid);

class Forwarder {
 public:
  /// Listens at `from` (an IPv4 address) and forwards to `to`.
  [[nodiscard]] static Result<Forwarder> start(const Runtime& runtime, const DoorEnd& from, const DoorEnd& to);
  /// Where it listens.
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  Forwarder(Process process, uint16_t port) : process_(std::move(process)), port_(port) {}
  Process process_;
  uint16_t port_;
};

/// The child's side: serves connections from the listening socket on descriptor 0 until killed.
int forward_connections(const DoorEnd& to);

}  // namespace holdfast::sandbox
