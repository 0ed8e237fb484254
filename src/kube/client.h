// Api over HTTP/1.1 to a real cluster. Any number of threads; every watch, log and exec has a connection of its own.
//
// Repeats, bounded by `retry`: reads after 429, 503 and broken connections; writes only after 429, which a server sends
// before it has acted; both honour Retry-After up to retry.longest. Everything else is the caller's decision. A 401 is
// answered once with a renewed credential where there is a plugin or a token file. No Error holds a credential.
#pragma once

#include <memory>
#include <mutex>

#include "kube/api.h"
#include "kube/credentials.h"
#include "net/http.h"
#include "sync/retry.h"

namespace holdfast::kube {

struct ClientOptions {
  ClusterAccess access;
  std::string user_agent = "holdfast";
  Clock* clock = &system_clock();
  Duration request_timeout = std::chrono::seconds(60);
  /// A watch that is silent for longer is taken for dead and ends; servers send bookmarks about every minute.
  Duration watch_silence = std::chrono::minutes(2);
  sync::RetrySchedule retry = {.first = std::chrono::milliseconds(200),
                               .longest = std::chrono::seconds(10),
                               .deadline = std::chrono::seconds(30)};
};

class Client final : public Api {
 public:
  /// Opens no connection yet. invalid where certificates cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<Client>> create(ClientOptions options);
  ~Client() override;

  [[nodiscard]] Result<std::vector<ResourceType>> discover(std::stop_token stop = {}) override;
  /// Groups ("metrics.k8s.io/v1beta1") that the last discover() left out, because the server could not reach the
  /// servers behind them.
  [[nodiscard]] std::vector<std::string> unreachable_groups() const;
  [[nodiscard]] Result<json::value> version(std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> get(const ResourceType& type, const std::string& ns, const std::string& name,
                                        std::stop_token stop = {}) override;
  [[nodiscard]] Result<ListPage> list(const ResourceType& type, const std::string& ns, const ListOptions& options,
                                      std::stop_token stop = {}) override;
  [[nodiscard]] Status watch(const ResourceType& type, const std::string& ns, const WatchOptions& options,
                             const std::function<Status(const WatchEvent&)>& on_event, std::stop_token stop) override;
  [[nodiscard]] Result<json::value> create(const ResourceType& type, const std::string& ns, const json::value& object,
                                           const WriteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> update(const ResourceType& type, const std::string& ns, const json::value& object,
                                           const WriteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                          PatchKind kind, const json::value& body, const WriteOptions& options = {},
                                          std::stop_token stop = {}) override;
  [[nodiscard]] Status remove(const ResourceType& type, const std::string& ns, const std::string& name,
                              const DeleteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<ExecResult> exec(const std::string& ns, const std::string& pod, const std::string& container,
                                        const std::vector<std::string>& command, Duration timeout,
                                        std::stop_token stop = {}) override;
  [[nodiscard]] Result<std::string> logs(const std::string& ns, const std::string& pod, const std::string& container,
                                         std::stop_token stop = {}) override;
  /// Any path of the server ("/readyz"), read as text.
  [[nodiscard]] Result<std::string> get_raw(const std::string& path, std::stop_token stop = {});

 private:
  explicit Client(ClientOptions options);

  struct Authorized {
    std::shared_ptr<net::HttpClient> http;
    Credential credential;
    net::Request request;
  };
  Result<Authorized> authorize(const net::Request& request, const std::stop_token& stop);
  Result<std::shared_ptr<net::HttpClient>> http_for(const Credential& credential);
  Result<net::Response> send(const net::Request& request, const std::stop_token& stop);
  Result<net::Response> send_once(const net::Request& request, const std::stop_token& stop);
  Result<json::value> send_json(const net::Request& request, const std::stop_token& stop);
  Result<json::value> send_write(net::Request request, const json::value& body, const char* content_type,
                                 const std::stop_token& stop);
  net::Request request_for(std::string method, const std::string& path, const std::string& query) const;
  Result<std::vector<ResourceType>> discover_one_by_one(const json::value& core, const json::value& groups,
                                                        std::vector<std::string>& unreachable,
                                                        const std::stop_token& stop);
  Result<std::string> container_of(const std::string& ns, const std::string& pod, const std::string& wish,
                                   const std::stop_token& stop);

  const ClientOptions options_;
  Credentials credentials_;
  mutable std::mutex mutex_;
  std::shared_ptr<net::HttpClient> http_;
  std::string http_certificate_;  // what http_ was made with
  std::string http_key_;
  std::vector<std::string> unreachable_;
};

}  // namespace holdfast::kube
