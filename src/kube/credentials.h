// Who we are, request by request: static tokens, token files that rotate, passwords, and exec plugins with their
// expiry. Any thread; a plugin runs once at a time, and its answer serves all until it expires.
#pragma once

#include <mutex>
#include <string>

#include "base/clock.h"
#include "kube/kubeconfig.h"

namespace holdfast::kube {

struct Credential {
  std::string authorization;    ///< value of the Authorization header; empty: none
  std::string certificate_pem;  ///< client certificate and key; empty: none
  std::string key_pem;
};

class Credentials {
 public:
  explicit Credentials(ClusterAccess access, Clock* clock = &system_clock());

  /// The credential of now. denied or unavailable where a file or a plugin fails.
  [[nodiscard]] Result<Credential> get(std::stop_token stop);
  /// The server refused this one (401): the next get() reads or asks anew. False where that cannot change anything.
  bool refused(const Credential& used);
  [[nodiscard]] const ClusterAccess& access() const { return access_; }

 private:
  Result<Credential> from_plugin(const std::stop_token& stop);
  Result<Credential> from_file();

  const ClusterAccess access_;
  Clock* const clock_;
  std::mutex mutex_;
  Credential current_;
  bool valid_ = false;
  std::optional<Time> expires_;
  BootTime read_at_;
};

/// Runs a plugin and reads its ExecCredential; public for its test and fuzz target.
struct PluginAnswer {
  Credential credential;
  std::optional<Time> expires;
};
[[nodiscard]] Result<PluginAnswer> parse_exec_credential(std::string_view text, const std::string& api_version);
[[nodiscard]] Result<PluginAnswer> run_exec_plugin(const ExecPlugin& plugin, const ClusterAccess& access,
                                                   Duration limit, std::stop_token stop);

}  // namespace holdfast::kube
