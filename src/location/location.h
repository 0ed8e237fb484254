// Backup locations: from a BackupStorageLocation and its Secret to a Store, already below the location's prefix.
//
// Providers: aws (and velero.io/aws) by S3, holdfast.dev/directory by a directory (config.path). The credential is the
// Secret that spec.credential names, else the key `cloud` of the Secret `cloud-credentials` in the same namespace; a
// directory needs none. Retries and limits stand in front of the driver.
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
  Locations(kube::Api& api, std::string ns, Decorate decorate = {})
      : api_(api), ns_(std::move(ns)), decorate_(std::move(decorate)) {}
  /// Reads both objects anew each time; the store is made anew where one of them has changed.
  [[nodiscard]] Result<Location> get(const std::string& name, std::stop_token stop = {});

 private:
  struct Kept {
    std::string version;  ///< resource versions of location and Secret
    Location location;
  };
  kube::Api& api_;
  const std::string ns_;
  const Decorate decorate_;
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;
};

}  // namespace holdfast::location
