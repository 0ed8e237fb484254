// A site as its API server tells of it: what the story applies, waits for and compares.
//
// One SiteView a site; used from one thread. Errors are the kube client's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "demo/facts.h"
#include "kube/api.h"

namespace holdfast::demo {

class SiteView {
 public:
  /// `api` must outlive it.
  explicit SiteView(kube::Api& api) : api_(api) {}

  /// Server-side apply of the objects in order, so that the cluster knows what a user asked for (a restore keeps node
  /// ports that one did). invalid: a kind that the cluster does not serve.
  [[nodiscard]] Status apply(const std::vector<json::value>& objects, std::stop_token stop);
  /// One line for each of the objects that is missing here or differs in what was asked for.
  [[nodiscard]] Result<std::vector<std::string>> differences(const std::vector<json::value>& objects,
                                                             std::stop_token stop);

  /// "Available", "Unavailable" or empty.
  [[nodiscard]] Result<std::string> location_phase(const std::string& name, std::stop_token stop);
  /// The backups of a schedule with their volumes, oldest first.
  [[nodiscard]] Result<std::vector<BackupSeen>> backups(const std::string& schedule, std::stop_token stop);
  [[nodiscard]] Result<RestoreSeen> restore(const std::string& name, std::stop_token stop);
  /// Bytes that a restore brought back into volumes of that namespace.
  [[nodiscard]] Result<uint64_t> bytes_restored(const std::string& restore, const std::string& ns,
                                                std::stop_token stop);

 private:
  [[nodiscard]] Result<kube::ResourceType> type_of(const json::value& object, const std::stop_token& stop);
  kube::Api& api_;
  std::vector<kube::ResourceType> types_;
};

/// What `wanted` asks for and `found` does not have, as paths; members that only `found` has are the server's or a
/// default. Lists are compared element by element. Pure.
[[nodiscard]] std::vector<std::string> missing_parts(const json::value& wanted, const json::value& found);

}  // namespace holdfast::demo
