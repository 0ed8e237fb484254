#include "sandbox/node/exec_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "base/json.h"
#include "base/text.h"

namespace holdfast::sandbox {

namespace {

constexpr char kStdin = 0;
constexpr char kStdout = 1;
constexpr char kStderr = 2;
constexpr char kStatus = 3;
constexpr char kClose = static_cast<char>(255);

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string final_status(const ProcessExit& exit) {
  if (exit.code == 0) return R"({"metadata":{},"status":"Success"})";
  const json::value cause = json::object{{"reason", "ExitCode"}, {"message", std::to_string(exit.code)}};
  return json::compact(
      json::object{{"metadata", json::object{}},
                   {"status", "Failure"},
                   {"reason", "NonZeroExitCode"},
                   {"message", fmt::format("command terminated with non-zero exit code: exit status {}", exit.code)},
                   {"details", json::object{{"causes", json::array{cause}}}}});
}

std::string chosen_protocol(const net::ServerRequest& request) {
  const std::string offered(request.headers.get("Sec-WebSocket-Protocol"));
  for (const char* name : {"v5.channel.k8s.io", "v4.channel.k8s.io"}) {
    if (offered.find(name) != std::string::npos) return name;
  }
  return "";
}

/// Sends what is there; false once the stream has ended.
Result<bool> pass_on(net::WebSocket& socket, UniqueFd& fd, char channel) {
  std::string message(1 + 32 * 1024, channel);
  const ssize_t n = ::read(fd.get(), message.data() + 1, message.size() - 1);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n <= 0) {
    fd.reset();
    return false;
  }
  message.resize(1 + static_cast<size_t>(n));
  TRY(socket.write(net::WebSocket::Kind::binary, message));
  return true;
}

}  // namespace

Result<ExecSession> ExecSession::start(const Starter& starter) {
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  Process process = TRY(starter(in.read.get(), out.write.get(), err.write.get()));
  return ExecSession(std::move(process), std::move(in.write), std::move(out.read), std::move(err.read));
}

void ExecSession::relay(const net::ServerRequest& request, net::Responder& responder) {
  const std::string protocol = chosen_protocol(request);
  if (protocol.empty()) {
    static_cast<void>(responder.reply(400, {{"Content-Type", "text/plain"}},
                                      "exec needs a WebSocket with v5.channel.k8s.io or v4.channel.k8s.io"));
    return;
  }
  if (request.query_value("stdin") != "true") in_.reset();
  Result<net::WebSocket*> socket = responder.upgrade(protocol);
  if (!socket) return;  // the peer has gone; destroying the process ends it
  {
    std::jthread input([&](std::stop_token stop) { read_input(**socket, std::move(stop)); });
    const Status status = write_output(**socket, responder.stop());
    if (status.ok()) {
      const Result<ProcessExit> exit = process_.wait(Duration::zero(), responder.stop());
      if (exit.ok()) static_cast<void>((*socket)->write(net::WebSocket::Kind::binary, kStatus + final_status(*exit)));
    }
  }
  (*socket)->close();
}

void ExecSession::read_input(net::WebSocket& socket, std::stop_token stop) {
  while (!stop.stop_requested()) {
    Result<net::WebSocket::Message> message = socket.read(stop);
    if (!message || message->kind == net::WebSocket::Kind::closed) {
      if (!stop.stop_requested()) process_.signal(SIGKILL);
      return;
    }
    const std::string& bytes = message->bytes;
    if (bytes.size() >= 2 && bytes[0] == kClose && bytes[1] == kStdin) {
      in_.reset();
    } else if (bytes.size() > 1 && bytes[0] == kStdin && in_.valid()) {
      // A command that reads no more is not the caller's fault.
      if (!write_all(in_.get(), std::string_view(bytes).substr(1), "stdin")) in_.reset();
    }
  }
}

Status ExecSession::write_output(net::WebSocket& socket, std::stop_token stop) {
  while (out_.valid() || err_.valid()) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    pollfd waits[2] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
    if (::poll(waits, 2, 100) <= 0) continue;
    if (waits[0].revents != 0) TRY(pass_on(socket, out_, kStdout));
    if (waits[1].revents != 0) TRY(pass_on(socket, err_, kStderr));
  }
  return {};
}

}  // namespace holdfast::sandbox
