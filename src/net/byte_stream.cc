#include "net/byte_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/tls_context.h"

namespace holdfast::net {

namespace {

std::string address_text(int descriptor) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(address->sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(address->sin6_port));
  }
  return "unknown";
}

// OpenSSL's own socket BIO writes with write(2), and a peer that has gone would then end this process by SIGPIPE.
int bio_write(BIO* bio, const char* data, int length) {
  const auto descriptor = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(descriptor, data, static_cast<size_t>(length), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int length) {
  const auto descriptor = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(descriptor, data, static_cast<size_t>(length), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast socket");
    CHECK(made != nullptr);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

std::vector<std::string> name_entries(const X509_NAME* name, int nid) {
  std::vector<std::string> entries;
  for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;) {
    const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
    entries.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(data)),
                         static_cast<size_t>(ASN1_STRING_length(data)));
  }
  return entries;
}

}  // namespace

ByteStream::ByteStream(UniqueFd socket, UniqueFd read_wake, UniqueFd write_wake)
    : socket_(std::move(socket)),
      read_wake_(std::move(read_wake)),
      write_wake_(std::move(write_wake)),
      peer_(address_text(socket_.get())) {}

ByteStream::~ByteStream() {
  if (tls_ != nullptr) SSL_free(tls_);
}

Result<std::unique_ptr<ByteStream>> ByteStream::adopt(UniqueFd socket) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return errno_error(errno, "set up a socket");
  const int on = 1;
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // only latency depends on it
  UniqueFd read_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd write_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!read_wake.valid() || !write_wake.valid()) return errno_error(errno, "eventfd");
  return std::unique_ptr<ByteStream>(new ByteStream(std::move(socket), std::move(read_wake), std::move(write_wake)));
}

Status ByteStream::wait(short events, const UniqueFd& wake, const std::stop_token& stop, Duration limit,
                        const char* what) const {
  eventfd_t ignored = 0;
  (void)::eventfd_read(wake.get(), &ignored);
  const std::stop_callback on_stop(stop, [&wake] { (void)::eventfd_write(wake.get(), 1); });
  const BootTime end = system_clock().boottime() + limit;
  while (true) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, fmt::format("stopped while {} {}", what, peer_));
    int milliseconds = -1;
    if (limit > Duration::zero()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - system_clock().boottime()).count();
      if (left <= 0) return Error(ErrorCode::timeout, fmt::format("no progress {} {}", what, peer_));
      milliseconds = static_cast<int>(std::min<int64_t>(left, 3'600'000));
    }
    pollfd watched[2] = {{socket_.get(), events, 0}, {wake.get(), POLLIN, 0}};
    const int ready = ::poll(watched, 2, milliseconds);
    if (ready < 0 && errno != EINTR) return errno_error(errno, "poll");
    if (ready > 0 && watched[0].revents != 0) return {};
  }
}

ByteStream::Attempt ByteStream::judge(int result) {
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ:
      return {.kind = Attempt::Kind::want_read, .count = 0, .reason = {}};
    case SSL_ERROR_WANT_WRITE:
      return {.kind = Attempt::Kind::want_write, .count = 0, .reason = {}};
    case SSL_ERROR_ZERO_RETURN:
      return {.kind = Attempt::Kind::ended, .count = 0, .reason = {}};
    case SSL_ERROR_SYSCALL:
      return {.kind = Attempt::Kind::ended, .count = 0, .reason = "connection closed"};
    default:
      return {.kind = Attempt::Kind::failed, .count = 0, .reason = take_tls_errors()};
  }
}

ByteStream::Attempt ByteStream::try_read(std::span<char> out) {
  if (tls_ != nullptr) {
    const std::lock_guard lock(tls_mutex_);
    ERR_clear_error();
    size_t got = 0;
    const int result = SSL_read_ex(tls_, out.data(), out.size(), &got);
    if (result == 1) return {.kind = Attempt::Kind::done, .count = got, .reason = {}};
    return judge(result);
  }
  const ssize_t got = ::recv(socket_.get(), out.data(), out.size(), 0);
  if (got > 0) return {.kind = Attempt::Kind::done, .count = static_cast<size_t>(got), .reason = {}};
  if (got == 0) return {.kind = Attempt::Kind::ended, .count = 0, .reason = {}};
  if (errno == EAGAIN || errno == EINTR) return {.kind = Attempt::Kind::want_read, .count = 0, .reason = {}};
  return {.kind = Attempt::Kind::failed, .count = 0, .reason = errno_error(errno, "recv").message()};
}

ByteStream::Attempt ByteStream::try_write(std::string_view bytes) {
  if (tls_ != nullptr) {
    const std::lock_guard lock(tls_mutex_);
    ERR_clear_error();
    size_t sent = 0;
    const int result = SSL_write_ex(tls_, bytes.data(), bytes.size(), &sent);
    if (result == 1) return {.kind = Attempt::Kind::done, .count = sent, .reason = {}};
    return judge(result);
  }
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return {.kind = Attempt::Kind::done, .count = static_cast<size_t>(sent), .reason = {}};
  if (errno == EAGAIN || errno == EINTR) return {.kind = Attempt::Kind::want_write, .count = 0, .reason = {}};
  return {.kind = Attempt::Kind::failed, .count = 0, .reason = errno_error(errno, "send").message()};
}

Result<size_t> ByteStream::read_some(std::span<char> out, std::stop_token stop, Duration limit) {
  while (true) {
    const Attempt attempt = try_read(out);
    switch (attempt.kind) {
      case Attempt::Kind::done:
        return attempt.count;
      case Attempt::Kind::ended:
        return size_t{0};
      case Attempt::Kind::failed:
        return Error(ErrorCode::unavailable, fmt::format("read from {}: {}", peer_, attempt.reason));
      case Attempt::Kind::want_read:
        TRY(wait(POLLIN, read_wake_, stop, limit, "reading from"));
        break;
      case Attempt::Kind::want_write:
        TRY(wait(POLLOUT, read_wake_, stop, limit, "reading from"));
        break;
    }
  }
}

Status ByteStream::write(std::string_view bytes, std::stop_token stop, Duration limit) {
  while (!bytes.empty()) {
    const Attempt attempt = try_write(bytes);
    switch (attempt.kind) {
      case Attempt::Kind::done:
        bytes.remove_prefix(attempt.count);
        break;
      case Attempt::Kind::ended:
        return Error(ErrorCode::unavailable, fmt::format("write to {}: the peer has gone", peer_));
      case Attempt::Kind::failed:
        return Error(ErrorCode::unavailable, fmt::format("write to {}: {}", peer_, attempt.reason));
      case Attempt::Kind::want_read:
        TRY(wait(POLLIN, write_wake_, stop, limit, "writing to"));
        break;
      case Attempt::Kind::want_write:
        TRY(wait(POLLOUT, write_wake_, stop, limit, "writing to"));
        break;
    }
  }
  return {};
}

Status ByteStream::start_tls(SSL_CTX* context, Side side, const std::string& server_name, std::stop_token stop,
                             Duration limit) {
  tls_ = SSL_new(context);
  BIO* bio = tls_ == nullptr ? nullptr : BIO_new(socket_method());
  if (bio == nullptr) return Error(ErrorCode::exhausted, "no memory for a TLS connection");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(socket_.get())));
  BIO_set_init(bio, 1);
  SSL_set_bio(tls_, bio, bio);
  // A write that was refused for want of room is repeated with whatever buffer comes next.
  SSL_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (side == Side::client) {
    SSL_set_connect_state(tls_);
    if (!server_name.empty()) {
      in6_addr ignored{};
      const bool is_address = ::inet_pton(AF_INET, server_name.c_str(), &ignored) == 1 ||
                              ::inet_pton(AF_INET6, server_name.c_str(), &ignored) == 1;
      if (is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_), server_name.c_str());
      } else {
        SSL_set_tlsext_host_name(tls_, server_name.c_str());
        SSL_set1_host(tls_, server_name.c_str());
      }
    }
  } else {
    SSL_set_accept_state(tls_);
  }
  while (true) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_);
    if (result == 1) return {};
    const Attempt attempt = judge(result);
    if (attempt.kind == Attempt::Kind::want_read) {
      TRY(wait(POLLIN, read_wake_, stop, limit, "in the TLS handshake with"));
    } else if (attempt.kind == Attempt::Kind::want_write) {
      TRY(wait(POLLOUT, read_wake_, stop, limit, "in the TLS handshake with"));
    } else if (SSL_get_verify_result(tls_) != X509_V_OK) {
      return Error(ErrorCode::denied, fmt::format("TLS handshake with {}: certificate not accepted: {}", peer_,
                                                  X509_verify_cert_error_string(SSL_get_verify_result(tls_))));
    } else {
      return Error(ErrorCode::unavailable, fmt::format("TLS handshake with {}: {}", peer_, attempt.reason));
    }
  }
}

void ByteStream::finish() {
  if (tls_ != nullptr) {
    const std::lock_guard lock(tls_mutex_);
    ERR_clear_error();
    if (SSL_is_init_finished(tls_) == 1) (void)SSL_shutdown(tls_);
    ERR_clear_error();
  }
  (void)::shutdown(socket_.get(), SHUT_WR);
}

ByteStream::PeerIdentity ByteStream::peer_identity() const {
  PeerIdentity identity;
  if (tls_ == nullptr || SSL_get_verify_result(tls_) != X509_V_OK) return identity;
  const X509* certificate = SSL_get0_peer_certificate(tls_);
  if (certificate == nullptr) return identity;
  const X509_NAME* name = X509_get_subject_name(certificate);
  const std::vector<std::string> common_names = name_entries(name, NID_commonName);
  if (!common_names.empty()) identity.common_name = common_names.front();
  identity.organizations = name_entries(name, NID_organizationName);
  return identity;
}

}  // namespace holdfast::net
