// BackupRepository objects: made when a backup or a restore first needs the repository of a namespace in a location,
// and judged (New -> Ready or NotReady with a message) by opening the repository with the password held here.
//
// Only a backup may make a repository, and only where its object was never Ready: where one was and is gone, data has
// been lost, and an empty one in its place would hide that. A restore makes an object and opens what is there. No
// maintenance is run; lastMaintenanceTime is when the object became Ready first, as with Velero.
#pragma once

#include <map>
#include <mutex>

#include "control/context.h"
#include "kube/controller.h"
#include "location/volume_repository.h"

namespace holdfast::control {

/// The Ready object of a namespace's repository. With `create`, a repository that is not there is made. A failure is
/// also the object's message. May be called from any thread; of two callers both get the same object.
[[nodiscard]] Result<velero::BackupRepository> ensure_repository(const Context& context,
                                                                 const location::Location& location,
                                                                 const std::string& volume_namespace,
                                                                 location::Missing missing, std::stop_token stop = {});

class RepositoryController {
 public:
  explicit RepositoryController(const Context& context) : context_(context) {}
  /// Opens the repository after repository_retry where it was not Ready, after repository_check where it was; at once
  /// where a leader sees it NotReady for the first time. Never makes one.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  struct Look {
    std::string phase;
    BootTime due;
  };
  /// How long the last verdict still holds; nothing where it does not.
  std::optional<Duration> holds_for(const velero::BackupRepository& object);
  Duration noted(const std::string& name, const std::string& phase);
  const Context& context_;
  std::mutex mutex_;
  std::map<std::string, Look> looks_;  ///< by name: the last one
};

}  // namespace holdfast::control
