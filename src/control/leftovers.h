// Files of backups that never became one, because their controller died: cleared away after a day (safety.md 12).
//
// Once in garbage_collection_frequency, for each Available location that can be written: a directory below backups/
// goes when it has no metadata, nothing in it is younger than a day, the claim in its log names a site whose holder we
// are, that claim is a day old by the clock of this site too, and no Backup of this cluster is at work on the name.
// Each is a reason to leave it by itself; what names nobody is left for ever. The metadata is looked for once more
// right before the removal.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class Leftovers {
 public:
  explicit Leftovers(const Context& context) : context_(context) {}
  /// `name`: the location's.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  Status clear(const location::Location& location, std::stop_token stop);
  Result<bool> is_leftover(const location::Location& location, const std::string& backup, std::stop_token stop);
  Result<std::set<std::string>> known_whole(const location::Location& location, std::stop_token stop);
  const Context& context_;
  std::mutex mutex_;
  std::map<std::string, BootTime> passes_;  ///< by location: the last one
};

}  // namespace holdfast::control
