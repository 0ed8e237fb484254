// A door from this machine's loopback into another network namespace: what makes a site's API server and services
// reachable for kubectl and browsers outside.
//
// The listening socket is made here; connections go out from inside the other namespace, in a child process that has
// entered it. Destroying the forwarder closes the door.
#pragma once

#include <string>

#include "sandbox/node/container.h"

namespace holdfast::sandbox {

class Forwarder {
 public:
  /// Forwards 127.0.0.1:`port` (0: a free one) to `address`:`target_port` as seen from the network of `network_pid`.
  [[nodiscard]] static Result<Forwarder> start(const Runtime& runtime, uint16_t port, pid_t network_pid,
                                               const std::string& address, uint16_t target_port);
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  Forwarder(Process process, uint16_t port) : process_(std::move(process)), port_(port) {}
  Process process_;
  uint16_t port_;
};

/// The child's side: serves connections from the listening socket on descriptor 0 until killed.
int forward_connections(pid_t network_pid, const std::string& address, uint16_t target_port);

}  // namespace holdfast::sandbox
