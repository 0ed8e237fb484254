#include "net/scripted_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"

namespace holdfast::net {

namespace {

struct TlsFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

using TlsContext = std::unique_ptr<SSL_CTX, TlsFree>;

TlsContext make_context(const ScriptedServerOptions& options) {
  if (options.tls.certificate_pem.empty()) return nullptr;
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  const auto bio = [](const std::string& pem) { return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())); };
  BIO* first = bio(options.tls.certificate_pem);
  X509* certificate = PEM_read_bio_X509(first, nullptr, nullptr, nullptr);
  BIO_free(first);
  BIO* second = bio(options.tls.key_pem);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(second, nullptr, nullptr, nullptr);
  BIO_free(second);
  CHECK(SSL_CTX_use_certificate(context.get(), certificate) == 1 && SSL_CTX_use_PrivateKey(context.get(), key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (!options.client_ca_pem.empty()) {
    BIO* third = bio(options.client_ca_pem);
    X509* authority = PEM_read_bio_X509(third, nullptr, nullptr, nullptr);
    BIO_free(third);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority) == 1);
    X509_free(authority);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

}  // namespace

/// The server's end of the connection, and what the steps do with it.
class ScriptedLine {
 public:
  ScriptedLine(ScriptedServer& server, const std::stop_token& stop)
      : server_(server),
        context_(make_context(server.options_)),
        bell_(::eventfd(0, EFD_CLOEXEC)),
        ring_(stop, [this] { ::eventfd_write(bell_.get(), 1); }) {}

  Status accept() {
    close();
    begin_step();
    TRY(wait(server_.listener_, POLLIN));
    fd_.reset(::accept4(server_.listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd_.valid()) return errno_error(errno, "accept");
    if (!context_) return {};
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), fd_.get());
    Status shaken = until_done([&] { return SSL_accept(tls_.get()); }, "TLS handshake");
    if (!shaken) drain();
    return shaken;
  }

  void close() {
    if (tls_) SSL_shutdown(tls_.get());
    drop();
  }

  void reset() {
    if (fd_.valid()) {
      const linger now{1, 0};
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    drop();
  }

  /// More bytes into the buffer; false at the end of what the peer sends.
  Result<bool> fill() {
    char piece[65536];
    if (!fd_.valid()) return Error(ErrorCode::invalid, "there is no connection");
    if (tls_) {
      int got = 0;
      const Status status = until_done([&] { return got = SSL_read(tls_.get(), piece, sizeof piece); }, "TLS read");
      if (!status) return status.is(ErrorCode::timeout) ? Result<bool>(status.error()) : Result<bool>(false);
      buffer_.append(piece, static_cast<size_t>(got));
      return true;
    }
    TRY(wait(fd_.get(), POLLIN));
    const ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (got <= 0) return false;
    buffer_.append(piece, static_cast<size_t>(got));
    return true;
  }

  Result<std::string> read_exactly(size_t size) {
    while (buffer_.size() < size) {
      if (!TRY(fill())) return Error(ErrorCode::unavailable, fmt::format("the client hung up after '{}'", buffer_));
    }
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }

  Result<SeenRequest> read_head() {
    begin_step();
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!TRY(fill())) return Error(ErrorCode::unavailable, fmt::format("the client hung up after '{}'", buffer_));
    }
    SeenRequest request;
    const std::string head = TRY(read_exactly(end + 4));
    for (const std::string& line : split(std::string_view(head).substr(0, end), '\n')) {
      const std::string_view text = trim(line);
      if (request.start.empty()) {
        request.start = text;
        continue;
      }
      const size_t colon = std::min(text.find(':'), text.size() - 1);
      request.headers.add(std::string(text.substr(0, colon)), std::string(trim(text.substr(colon + 1))));
    }
    return request;
  }

  Result<SeenRequest> read_request() {
    SeenRequest request = TRY(read_head());
    if (request.headers.has("Content-Length")) {
      const int64_t size = TRY(parse_int(request.headers.get("Content-Length")));
      request.body = TRY(read_exactly(static_cast<size_t>(size)));
    }
    return request;
  }

  Status write(std::string_view bytes) {
    begin_step();
    if (!fd_.valid()) return Error(ErrorCode::invalid, "there is no connection");
    if (tls_) {
      const auto size = static_cast<int>(bytes.size());
      return bytes.empty() ? Status()
                           : until_done([&] { return SSL_write(tls_.get(), bytes.data(), size); }, "TLS write");
    }
    while (!bytes.empty()) {
      TRY(wait(fd_.get(), POLLOUT));
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return errno_error(errno, "send");
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return {};
  }

  void remember(SeenRequest request) {
    const std::lock_guard lock(server_.mutex_);
    server_.requests_.push_back(std::move(request));
  }
  void begin_step() { deadline_ = system_clock().boottime() + server_.options_.patience; }

 private:
  void drop() {
    tls_.reset();
    fd_.reset();
    buffer_.clear();
    ERR_clear_error();
  }

  /// Lets the client read why it was refused: closing with its bytes unread would reset the connection instead.
  void drain() {
    ::shutdown(fd_.get(), SHUT_WR);
    char piece[4096];
    while (wait(fd_.get(), POLLIN) && ::recv(fd_.get(), piece, sizeof piece, 0) > 0) {
    }
  }

  Status wait(int descriptor, short events) {
    const Duration left = std::max(Duration::zero(), deadline_ - system_clock().boottime());
    pollfd polled[2] = {{descriptor, events, 0}, {bell_.get(), POLLIN, 0}};
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = ::poll(polled, 2, static_cast<int>(wait_ms));
    if (ready == 0) return Error(ErrorCode::timeout, "nothing happened in time");
    if (polled[1].revents != 0) return Error(ErrorCode::timeout, "the test ended before the dialogue did");
    return {};
  }

  Status until_done(const std::function<int()>& act, std::string_view what) {
    while (true) {
      ERR_clear_error();
      const int result = act();
      if (result > 0) return {};
      const int reason = SSL_get_error(tls_.get(), result);
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
        return Error(ErrorCode::unavailable, fmt::format("{} failed", what));
      }
      TRY(wait(fd_.get(), reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT));
    }
  }

  ScriptedServer& server_;
  TlsContext context_;
  UniqueFd bell_;
  UniqueFd fd_;
  std::unique_ptr<SSL, TlsFree> tls_;
  std::string buffer_;
  BootTime deadline_;
  std::stop_callback<std::function<void()>> ring_;
};

static Status compare(const ExpectedRequest& expected, const SeenRequest& seen) {
  if (!expected.start.empty() && seen.start != expected.start) {
    return Error(ErrorCode::invalid, fmt::format("the request began with '{}'", seen.start));
  }
  for (const std::string& line : expected.headers) {
    const size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    const std::string_view value = trim(std::string_view(line).substr(colon + 1));
    if (seen.headers.get(name) != value) {
      return Error(ErrorCode::invalid, fmt::format("header {} was '{}'", name, seen.headers.get(name)));
    }
  }
  for (const std::string& name : expected.absent) {
    if (seen.headers.has(name)) return Error(ErrorCode::invalid, fmt::format("header {} was there", name));
  }
  if (expected.body && seen.body != *expected.body) {
    return Error(ErrorCode::invalid, fmt::format("the body was '{}'", seen.body.substr(0, 1000)));
  }
  return {};
}

Step accept() {
  return {"accept", [](ScriptedLine& line) { return line.accept(); }};
}

Step expect(ExpectedRequest expected) {
  std::string name = "expect " + expected.start;
  return {std::move(name), [expected = std::move(expected)](ScriptedLine& line) -> Status {
            SeenRequest seen = TRY(line.read_request());
            line.remember(seen);
            return compare(expected, seen);
          }};
}

Step expect_head(std::string start) {
  std::string name = "expect head " + start;
  return {std::move(name), [start = std::move(start)](ScriptedLine& line) -> Status {
            SeenRequest seen = TRY(line.read_head());
            line.remember(seen);
            return compare({.start = start, .headers = {}, .absent = {}}, seen);
          }};
}

Step reply(int status, Headers headers, std::string body) {
  std::string text = fmt::format("HTTP/1.1 {} Scripted\r\n", status);
  for (const auto& [name, value] : headers.fields()) text += fmt::format("{}: {}\r\n", name, value);
  if (!headers.has("Content-Length") && status != 204) text += fmt::format("Content-Length: {}\r\n", body.size());
  Step step = send_bytes(text + "\r\n" + body);
  step.name = fmt::format("reply {}", status);
  return step;
}

Step send_bytes(std::string bytes) {
  return {"send bytes", [bytes = std::move(bytes)](ScriptedLine& line) { return line.write(bytes); }};
}

Step expect_bytes(std::string bytes) {
  return {"expect bytes", [bytes = std::move(bytes)](ScriptedLine& line) -> Status {
            line.begin_step();
            const std::string seen = TRY(line.read_exactly(bytes.size()));
            if (seen != bytes) return Error(ErrorCode::invalid, fmt::format("read '{}'", seen));
            return {};
          }};
}

Step hang_up() {
  return {"hang up", [](ScriptedLine& line) -> Status {
            line.close();
            return {};
          }};
}

Step abort() {
  return {"abort", [](ScriptedLine& line) -> Status {
            line.reset();
            return {};
          }};
}

Step stall() {
  return {"stall", [](ScriptedLine& line) -> Status {
            line.begin_step();
            while (TRY(line.fill())) {
            }
            return {};
          }};
}

Step run(std::function<void()> function) {
  return {"run", [function = std::move(function)](ScriptedLine&) -> Status {
            function();
            return {};
          }};
}

ScriptedServer::ScriptedServer(std::vector<Step> dialogue, ScriptedServerOptions options)
    : options_(std::move(options)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  CHECK(::bind(listener_, generic, size) == 0 && ::listen(listener_, 16) == 0);
  CHECK(::getsockname(listener_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this, steps = std::move(dialogue)](const std::stop_token& stop) { follow(steps, stop); });
}

ScriptedServer::~ScriptedServer() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

std::string ScriptedServer::url(const std::string& path) const {
  return fmt::format("{}://127.0.0.1:{}{}", options_.tls.certificate_pem.empty() ? "http" : "https", port_, path);
}

Status ScriptedServer::finish() {
  if (thread_.joinable()) thread_.join();
  return outcome_;
}

std::vector<SeenRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptedServer::follow(const std::vector<Step>& dialogue, const std::stop_token& stop) {
  // OpenSSL writes without MSG_NOSIGNAL; a client that hung up must not end the test program.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  ScriptedLine line(*this, stop);
  line.begin_step();
  for (size_t number = 0; number < dialogue.size(); ++number) {
    outcome_ = dialogue[number].run(line).in(fmt::format("step {} ({})", number + 1, dialogue[number].name));
    if (outcome_) continue;
    ::shutdown(listener_, SHUT_RDWR);  // whoever waits to be accepted learns that nobody will
    return line.reset();
  }
  line.close();
}

}  // namespace holdfast::net
