// Tokens of service accounts: JSON Web Tokens signed with HMAC-SHA256 by a key of this server's data directory.
//
// A token names namespace, account, the account's uid, its end, and perhaps a pod it is bound to. A new account of the
// same name does not inherit the old one's tokens. Any thread.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "sandbox/apiserver/store.h"
#include "sandbox/apiserver/user.h"

namespace holdfast::sandbox {

class ServiceAccountTokens {
 public:
  /// Reads the key from `path`, or makes one.
  [[nodiscard]] static Result<ServiceAccountTokens> open(const std::string& path, const Store& store, Clock& clock);

  struct Claims {
    std::string ns;
    std::string account;
    std::string account_uid;
    std::string pod;  ///< empty: bound to no pod
    std::string pod_uid;
  };
  [[nodiscard]] std::string issue(const Claims& claims, Time end) const;
  /// The account's user; nothing for a token that is not ours, has ended, or whose account or pod is gone.
  [[nodiscard]] std::optional<User> check(const std::string& token) const;

 private:
  ServiceAccountTokens(std::string key, const Store& store, Clock& clock)
      : key_(std::move(key)), store_(&store), clock_(&clock) {}
  [[nodiscard]] std::string signature(const std::string& text) const;

  std::string key_;
  const Store* store_;
  Clock* clock_;
};

}  // namespace holdfast::sandbox
