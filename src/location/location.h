// Backup locations: from a BackupStorageLocation and its Secret to a Store, already below the location's prefix.
//
// Providers: aws (and velero.io/aws) by S3, holdfast.dev/directory by a directory (config.path). The credential is the
// Secret that spec.credential names, else the key `cloud` of the Secret `cloud-credentials` in the same namespace; a
// directory needs none. Retries and limits stand in front of the driver. What a store claims and a probe disproved is
// taken away from it (safety.md 1).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kube/api.h"
#include "objstore/store.h"
#include "velero/types.h"

namespace holdfast::location {

/// An opened location.
struct Location {
  velero::BackupStorageLocation object;
  std::shared_ptr<objstore::Store> store;
  std::string without_conditional_put = {};  ///< why the store lost that capability; empty: it has it, or is untried
};

/// Reads the BackupStorageLocation of that name and opens it. not_found names what is missing (location or Secret); the
/// phase of the location is not looked at.
[[nodiscard]] Result<Location> open_location(kube::Api& api, const std::string& ns, const std::string& name,
                                             std::stop_token stop = {});

/// Keeps opened locations while object and Secret are the same. May be used from several threads.
class Locations {
 public:
  /// Puts something in front of each opened store, as tests do with faults.
  using Decorate = std::function<std::shared_ptr<objstore::Store>(std::shared_ptr<objstore::Store>)>;
  Locations(kube::Api& api, std::string ns, Decorate decorate = {}, Clock& clock = system_clock())
      : api_(api), ns_(std::move(ns)), decorate_(std::move(decorate)), clock_(clock) {}
  /// Reads both objects anew each time; the store is made anew where one of them has changed.
  [[nodiscard]] Result<Location> get(const std::string& name, std::stop_token stop = {});
  /// As get(), for whoever writes what must not be overwritten: the store's conditional put has been probed. A verdict
  /// holds for a day, as long as the store is the same. A read-only location is not probed.
  [[nodiscard]] Result<Location> proven(const std::string& name, std::stop_token stop = {});

 private:
  struct Kept {
    std::string version;  ///< resource versions of location and Secret
    Location location;
    std::shared_ptr<objstore::Store> claimed;  ///< the store with all that it claims
    std::optional<BootTime> probed = {};
  };
  kube::Api& api_;
  const std::string ns_;
  const Decorate decorate_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;
};

}  // namespace holdfast::location
