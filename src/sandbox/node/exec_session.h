// One `kubectl exec`: a process in a container, its three streams carried over a WebSocket.
//
// Protocol: remotecommand v5.channel.k8s.io and v4 (the first byte of each message is the channel: 0 stdin, 1 stdout, 2
// stderr, 3 the final Status as JSON, 255 closes the channel named in the next byte, v5 only).
#pragma once

#include <functional>

#include "base/process.h"
#include "net/http_server.h"

namespace holdfast::sandbox {

class ExecSession {
 public:
  /// Starts the process with these descriptors as its streams.
  using Starter = std::function<Result<Process>(int in, int out, int err)>;
  [[nodiscard]] static Result<ExecSession> start(const Starter& starter);

  /// Upgrades the request and carries bytes until the process has ended or the peer has gone (then it is killed).
  void relay(const net::ServerRequest& request, net::Responder& responder);

 private:
  ExecSession(Process process, UniqueFd in, UniqueFd out, UniqueFd err)
      : process_(std::move(process)), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)) {}
  void read_input(net::WebSocket& socket, std::stop_token stop);
  Status write_output(net::WebSocket& socket, std::stop_token stop);

  Process process_;
  UniqueFd in_, out_, err_;
};

}  // namespace holdfast::sandbox
