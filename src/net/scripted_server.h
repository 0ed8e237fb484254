// A TCP server for tests that follows a dialogue written down as a list, over plain TCP or TLS.
//
//   ScriptedServer server({
//       accept(),
//       expect({.start = "PUT /bucket/key HTTP/1.1", .headers = {"If-None-Match: *"}, .body = "bytes"}),
//       reply(412, {{"ETag", "\"1\""}}, "<Error/>"),
//       expect({.start = "GET /bucket/key HTTP/1.1"}),
//       abort(),
//   });
//   ... the client under test talks to server.url("/bucket/key") ...
//   ASSERT_TRUE(server.finish().ok());
//
// One thread runs the dialogue, one connection at a time. The first step that does not go as written ends it: every
// connection is closed and finish() tells the step and the reason. No step waits longer than `patience`.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/http.h"
#include "net/test_identity.h"

namespace holdfast::net {

/// What a request must be like; what is left empty is not looked at.
struct ExpectedRequest {
  std::string start = {};                 ///< its first line, whole
  std::vector<std::string> headers = {};  ///< "Name: value", each must be there; names compare without case
  std::vector<std::string> absent = {};   ///< names of header fields that must not be there
  std::optional<std::string> body = {};   ///< its whole body
};

/// A request as it was read (with its body, by Content-Length).
struct SeenRequest {
  std::string start;
  Headers headers;
  std::string body;
};

class ScriptedLine;

/// One step of a dialogue: made by the functions below.
struct Step {
  std::string name;
  std::function<Status(ScriptedLine&)> run;
};

/// Closes the connection, if any, and waits for the next one.
[[nodiscard]] Step accept();
/// Reads one HTTP request.
[[nodiscard]] Step expect(ExpectedRequest expected);
/// Reads the head of a request and leaves its body unread.
[[nodiscard]] Step expect_head(std::string start);
/// Sends an answer with its Content-Length.
[[nodiscard]] Step reply(int status, Headers headers = {}, std::string body = {});
/// Sends bytes as they are.
[[nodiscard]] Step send_bytes(std::string bytes);
/// Reads exactly these bytes.
[[nodiscard]] Step expect_bytes(std::string bytes);
/// Closes the connection in order.
[[nodiscard]] Step hang_up();
/// Resets the connection.
[[nodiscard]] Step abort();
/// Says nothing until the client hangs up.
[[nodiscard]] Step stall();
/// Runs a function of the test between two steps.
[[nodiscard]] Step run(std::function<void()> function);

struct ScriptedServerOptions {
  TestIdentity tls = {};           ///< with a certificate: TLS
  std::string client_ca_pem = {};  ///< demands client certificates signed by it
  Duration patience = std::chrono::seconds(20);
};

class ScriptedServer {
 public:
  /// Listens on a free port of 127.0.0.1; a port that cannot be had ends the test program.
  explicit ScriptedServer(std::vector<Step> dialogue, ScriptedServerOptions options = {});
  /// Stops wherever the dialogue is.
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT" (https with TLS) and the path.
  [[nodiscard]] std::string url(const std::string& path = "") const;
  /// Waits for the end of the dialogue; its first deviation.
  [[nodiscard]] Status finish();
  /// The requests read until now.
  [[nodiscard]] std::vector<SeenRequest> requests() const;

 private:
  friend class ScriptedLine;
  void follow(const std::vector<Step>& dialogue, const std::stop_token& stop);

  const ScriptedServerOptions options_;
  int listener_ = -1;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> requests_;
  Status outcome_;
  std::jthread thread_;
};

}  // namespace holdfast::net
